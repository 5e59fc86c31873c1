"""Repetition, and word error rates by hand."""

import pytest

from genai_tutorial.metrics import (
    repeated_share,
    word_error_rate,
)


def test_repeated_share_by_hand():
    assert repeated_share("abcabc", 3) == pytest.approx(1 / 4)
    assert repeated_share([1, 1, 1, 1], 1) == pytest.approx(3 / 4)
    assert repeated_share("abcdef", 1) == 0
    assert repeated_share("ab" * 50, 12) == pytest.approx(87 / 89)


def test_repeated_share_of_short_texts_is_zero():
    assert repeated_share("", 2) == 0
    assert repeated_share("a", 2) == 0


def test_repeated_share_refuses_a_size_below_one():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        repeated_share("ab", 0)


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
