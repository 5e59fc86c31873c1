import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import pack_tokenizer
from genai_tutorial.edge.pack import unpack_tokenizer
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    CharacterTokenizer,
    train_bpe,
)

TEXT = "low lower lowest 文字 😀😀 the theme of the thesis "


@settings(max_examples=20)
@given(
    pattern=st.sampled_from((GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)),
    merges=st.integers(0, 20),
    special=st.sampled_from(([], ["<|end|>"], ["<a>", "<b>"])),
)
def test_packed_tokenizer_survives_json_and_unpacking(pattern, merges, special):
    size = 256 + len(special) + merges
    tokenizer = train_bpe(TEXT * 3, size, pattern, special)
    packed = json.loads(json.dumps(pack_tokenizer(tokenizer)))
    assert unpack_tokenizer(packed) == tokenizer


def test_packed_characters_survive():
    tokenizer = CharacterTokenizer("\n aé")
    assert unpack_tokenizer(pack_tokenizer(tokenizer)) == tokenizer


def test_merges_take_four_bytes_each_before_base64():
    tokenizer = train_bpe(TEXT * 3, 256 + 12)
    assert len(pack_tokenizer(tokenizer)["merges"]) == 12 * 4 * 4 / 3


def test_pack_tokenizer_refuses_tokens_in_another_order():
    tokenizer = train_bpe(TEXT * 3, 260)
    tokens = [*tokenizer.token_bytes[:-2], *tokenizer.token_bytes[:-3:-1]]
    other = BPETokenizer.from_parts(
        tokens, tokenizer.merges, tokenizer.special_tokens, tokenizer.pattern
    )
    with pytest.raises(ValueError, match="in their order"):
        pack_tokenizer(other)


@pytest.mark.parametrize("key", ["merges", "byte_ids", "first_merge", "pattern"])
def test_unpack_tokenizer_refuses_incomplete_dictionaries(key):
    packed = pack_tokenizer(train_bpe(TEXT * 3, 260))
    del packed[key]
    with pytest.raises(ValueError, match="not a packed tokenizer"):
        unpack_tokenizer(packed)


def test_unpack_tokenizer_refuses_unknown_patterns_and_broken_base64():
    packed = pack_tokenizer(train_bpe(TEXT * 3, 260))
    for wrong in ({"pattern": "a+"}, {"merges": "AAA"}, {"byte_ids": [999]}):
        with pytest.raises(ValueError, match="not a packed tokenizer"):
            unpack_tokenizer(packed | wrong)
