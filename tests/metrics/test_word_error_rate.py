import pytest

from genai_tutorial.metrics import WordErrors, word_error_rate, word_errors


@pytest.mark.parametrize(
    ("said", "transcript", "wanted"),
    [
        ("a red circle", "a red circle", WordErrors(0, 0, 0, 3)),
        ("a red circle", "a bed circle", WordErrors(1, 0, 0, 3)),
        ("a red circle", "a circle", WordErrors(0, 1, 0, 3)),
        ("a circle", "a red circle", WordErrors(0, 0, 1, 2)),
        ("", "two words", WordErrors(0, 0, 2, 0)),
        ("two words", "", WordErrors(0, 2, 0, 2)),
        ("a b c d", "b c d e", WordErrors(0, 1, 1, 4)),
    ],
)
def test_word_errors_counts_the_fewest_edits(said, transcript, wanted):
    assert word_errors(said, transcript) == wanted


def test_word_error_rate_weighs_utterances_by_their_words():
    # one wrong word of one, none of nine: 1 in 10, not the mean of the two rates
    assert word_error_rate(["one", "a " * 9], ["two", "a " * 9]) == 0.1


def test_word_error_rate_exceeds_one_when_words_are_invented():
    assert word_error_rate(["one"], ["one two three"]) == 2.0


@pytest.mark.parametrize(
    ("said", "transcripts", "message"),
    [
        (["a"], ["a", "b"], "1 texts and 2 transcripts"),
        ([""], ["a"], "Nobody said a word"),
        ("a red", "a red", "lists of texts"),
    ],
)
def test_word_error_rate_rejects_what_has_no_rate(said, transcripts, message):
    with pytest.raises(ValueError, match=message):
        word_error_rate(said, transcripts)
