from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.retrieval import chunk_sentences, chunk_text, split_sentences

TEXT = "It rains. We stay in all day long. Who knows why? Nobody does. So it goes."


def sentences(text):
    return [text[start:end] for start, end in split_sentences(text)]


def test_split_sentences_keeps_abbreviations_and_numbers_together():
    text = "Mr. Hall saw 3.5 km of it.|The U.S. Army left.|J. R. Smith did not.|Then?"
    assert sentences(text.replace("|", " ")) == text.split("|")


def test_split_sentences_ends_at_quotes_and_empty_lines():
    parts = sentences("“Go!” She went.\n\nA title\n\nText")
    assert parts == ["“Go!”", "She went.", "A title", "Text"]


def test_chunks_have_whole_sentences_even_if_one_is_too_long():
    chunks = chunk_sentences(TEXT, size=10, title="Rain")
    assert [chunk.text for chunk in chunks] == [
        "It rains. We stay in all day long.",
        "Who knows why? Nobody does. So it goes.",
    ]
    assert {chunk.title for chunk in chunks} == {"Rain"}
    assert chunk_sentences(TEXT, size=3)[1].text == "We stay in all day long."


@given(st.text(alphabet="ab. \n", max_size=80), st.integers(1, 6), st.data())
def test_chunks_cover_every_word_and_advance(text, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    chunks = chunk_text(text, size, overlap)
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert 1 <= len(chunk.text.split()) <= size
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
    words = text.split()
    if overlap == 0:
        assert [word for chunk in chunks for word in chunk.text.split()] == words


@pytest.mark.parametrize("overlap", [-1, 3, 4])
def test_chunk_rejects_impossible_overlap(overlap):
    with pytest.raises(ValueError, match="overlap at least 0 and below size"):
        chunk_text(TEXT, 3, overlap)
