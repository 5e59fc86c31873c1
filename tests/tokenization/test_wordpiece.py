import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import WordPieceTokenizer
from genai_tutorial.tokenization.wordpiece import normalize, split_words

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##afford", "##able", "una",
              "##b", "##le", "a", "##a", ".", "ke", "[", "]", "sep")  # fmt: skip


@pytest.fixture
def tokenizer():
    return WordPieceTokenizer(VOCABULARY)


def test_wordpiece_takes_longest_piece_first(tokenizer):
    # "una" is longer than "un", and then nothing continues with "fford".
    assert tokenizer.pieces("unaffordable") == ["[UNK]"]
    without = WordPieceTokenizer(tuple(piece for piece in VOCABULARY if piece != "una"))
    assert without.pieces("unaffordable") == ["un", "##afford", "##able"]


def test_wordpiece_gives_up_whole_word_and_keeps_others(tokenizer):
    assert tokenizer.pieces("a zebra .ke") == ["a", "[UNK]", ".", "ke"]


def test_wordpiece_gives_up_words_of_more_than_100_characters(tokenizer):
    assert tokenizer.pieces("a" * 100) == ["a"] + ["##a"] * 99
    assert tokenizer.pieces("a" * 101) == ["[UNK]"]


def test_wordpiece_treats_names_of_special_tokens_as_text(tokenizer):
    assert tokenizer.encode("[SEP]") == [2, 14, 16, 15, 3]


def test_wordpiece_cuts_off_before_end_token(tokenizer):
    assert tokenizer.encode("a a a a", max_length=4) == [2, 10, 10, 3]
    assert tokenizer.encode("a", max_length=4) == [2, 10, 3]
    with pytest.raises(ValueError, match=r"at least 2.*got 1"):
        tokenizer.encode("a", max_length=1)


def test_wordpiece_decodes_words_without_special_tokens(tokenizer):
    assert tokenizer.decode(tokenizer.encode("A .KE")) == "a . ke"
    assert tokenizer.decode([2, 4, 5, 6, 3]) == "unaffordable"
    with pytest.raises(ValueError, match="from 0 to 16, got 17"):
        tokenizer.decode([17])


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (("[PAD]", "[UNK]", "[CLS]"), r"it lacks \[SEP\]"),
        (("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "a"), "only 5 of 6"),
    ],
)
def test_wordpiece_rejects_invalid_vocabulary(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(vocabulary)


def test_wordpiece_reads_vocabulary_with_or_without_last_line_end():
    text = "\n".join(VOCABULARY)
    for written in (text, text + "\n"):
        assert WordPieceTokenizer.from_text(written).vocabulary == VOCABULARY


def test_normalize_has_no_final_sigma():
    assert normalize("ΟΔΟΣ Straße İ") == "οδοσ straße i"


def test_split_words_isolates_symbols_of_ascii_only():
    assert split_words("a+b a±b") == ["a", "+", "b", "a±b"]


@given(st.text())
def test_wordpiece_gives_nothing_but_pieces(text):
    tokenizer = WordPieceTokenizer(VOCABULARY)
    assert set(tokenizer.pieces(text)) <= set(VOCABULARY)
