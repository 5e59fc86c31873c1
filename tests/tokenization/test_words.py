"""The word tokenizer: round trips, and errors that name unknown words."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tasks.shapes import caption_words, load_shapes
from genai_tutorial.tokenization import WordTokenizer

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
    with pytest.raises(
        ValueError, match="needs 4 tokens with its end, and length is 3"
    ):
        CAPTIONS.encode_batch(["a circle", "a red circle"], length=3)


@pytest.mark.parametrize("wrong", [-1, CAPTIONS.vocab_size])
def test_decode_refuses_unknown_ids(wrong):
    with pytest.raises(
        ValueError, match=f"from 0 to {CAPTIONS.vocab_size - 1}, got {wrong}"
    ):
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
