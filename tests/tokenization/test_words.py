import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tasks.shapes import caption_words, load_shapes
from genai_tutorial.tokenization import (
    CharacterTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
)
from genai_tutorial.tokenization.words import normalize, split_words


@given(st.text(min_size=1))
def test_character_tokenizer_round_trip(text):
    tokenizer = CharacterTokenizer.from_text(text)
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert set(ids) == set(range(tokenizer.vocab_size))
    saved = json.loads(json.dumps(tokenizer.to_dict()))
    assert CharacterTokenizer.from_dict(saved) == tokenizer


def test_encode_names_unknown_characters():
    with pytest.raises(ValueError, match=r"not in the vocabulary: \['!', 'é'\]"):
        CharacterTokenizer.from_text("cafe").encode("café!")


@pytest.mark.parametrize("wrong", [-1, 3])
def test_decode_names_unknown_ids(wrong):
    with pytest.raises(ValueError, match=f"from 0 to 2, got {wrong}"):
        CharacterTokenizer("abc").decode([0, wrong])


def test_alphabet_is_not_empty_and_has_no_duplicates():
    with pytest.raises(ValueError, match="at least one character"):
        CharacterTokenizer.from_text("")
    with pytest.raises(ValueError, match=r"more than once: \['a'\]"):
        CharacterTokenizer("abca")


@pytest.mark.parametrize("saved", [{}, {"characters": "ab", "more": "c"}])
def test_from_dict_refuses_other_formats(saved):
    with pytest.raises(ValueError, match="one entry, 'characters'"):
        CharacterTokenizer.from_dict(saved)


CAPTIONS = WordTokenizer(caption_words())


@given(st.lists(st.sampled_from(caption_words()), max_size=20))
def test_word_tokenizer_round_trip(words):
    text = " ".join(words)
    ids = CAPTIONS.encode(text)
    assert ids[-1] == CAPTIONS.END
    assert CAPTIONS.decode(ids) == text
    row = CAPTIONS.encode_batch([text], length=25)[0]
    assert row[: len(ids)].tolist() == ids
    assert (row[len(ids) :] == CAPTIONS.PADDING).all()
    assert CAPTIONS.decode(row.tolist()) == text


def test_word_ids_are_unique_and_consecutive():
    tokenizer = WordTokenizer(("two", "one"))
    assert tokenizer.encode("one two") == [3, 2, 1]
    assert tokenizer.vocab_size == 4
    ids = [CAPTIONS.encode(word)[0] for word in CAPTIONS.words]
    assert ids == list(range(2, CAPTIONS.vocab_size))
    assert CAPTIONS.encode("") == [CAPTIONS.END]


def test_encode_ignores_case_and_spacing():
    assert CAPTIONS.encode("  A Red\tCIRCLE\n") == CAPTIONS.encode("a red circle")


@pytest.mark.slow
def test_captions_of_shapes_have_at_most_17_tokens():
    captions = load_shapes(2000, seed=0, objects=[3]).captions
    assert max(len(CAPTIONS.encode(text)) for text in captions) == 17
    assert CAPTIONS.encode_batch(captions, length=17).shape == (2000, 17)


def test_encode_names_unknown_words_and_the_vocabulary():
    with pytest.raises(
        ValueError,
        match=(
            r"not in the vocabulary: \['crimson', 'disc'\]\. It has 27: a, above, .*, "
            r"yellow\."
        ),
    ):
        CAPTIONS.encode("a crimson disc disc")
    many = WordTokenizer(tuple(f"word{i}" for i in range(150)))
    with pytest.raises(ValueError, match="word99, and more"):
        many.encode("other")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "at least one word"),
        (("a", "b", "a"), r"more than once: \['a'\]"),
        (("a", "red circle"), r"no spaces and no capitals, got \['red circle'\]"),
        (("a", "Red", ""), r"no spaces and no capitals, got \['Red', ''\]"),
    ],
)
def test_invalid_vocabularies_are_refused(words, complaint):
    with pytest.raises(ValueError, match=complaint):
        WordTokenizer(words)


def test_encode_batch_refuses_texts_that_are_too_long():
    with pytest.raises(ValueError, match=r"needs 4 tokens .* and length is 3"):
        CAPTIONS.encode_batch(["a circle", "a red circle"], length=3)


@pytest.mark.parametrize("wrong", [-1, CAPTIONS.vocab_size])
def test_decode_refuses_unknown_ids(wrong):
    with pytest.raises(ValueError, match=f"from 0 to .*, got {wrong}"):
        CAPTIONS.decode([2, wrong])


def test_decode_stops_at_the_end_token():
    assert WordTokenizer(("a", "b")).decode([0, 2, 1, 3]) == "a"


def test_word_tokenizer_to_dict_and_back():
    assert WordTokenizer.from_dict(CAPTIONS.to_dict()) == CAPTIONS
    for saved in ({}, {"words": ["a"], "more": ["b"]}):
        with pytest.raises(ValueError, match="one entry, 'words'"):
            WordTokenizer.from_dict(saved)


def test_from_texts_sorts_the_vocabulary():
    assert WordTokenizer.from_texts(["b A", "c a"]).words == ("a", "b", "c")
    assert CAPTIONS.encode_batch([], length=3).shape == (0, 3)
    assert CAPTIONS.encode_batch(["a"], length=3).dtype == torch.int64


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
