import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import CharacterTokenizer


@given(st.text(min_size=1))
def test_character_tokenizer_round_trip(text):
    tokenizer = CharacterTokenizer.from_text(text)
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert set(ids) == set(range(tokenizer.vocab_size))


@given(st.text(min_size=1))
def test_character_tokenizer_survives_json(text):
    tokenizer = CharacterTokenizer.from_text(text)
    assert (
        CharacterTokenizer.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
        == tokenizer
    )


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
