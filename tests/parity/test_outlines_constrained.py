"""The book's token masks and JSON Schema expressions are those of outlines-core."""

import json
import random
import re

import pytest

from genai_tutorial.generation import (
    NOTHING,
    TokenMask,
    advance,
    parse_regex,
    regex_from_schema,
)
from genai_tutorial.pretrained.smollm2 import find_smollm2
from genai_tutorial.tokenization import train_bpe

outlines_core = pytest.importorskip("outlines_core")
json_schema = pytest.importorskip("outlines_core.json_schema")

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "maxDigits": 3},
        "city": {"enum": ["Rome", "Oslo", "São Paulo"]},
        "member": {"type": "boolean"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
    },
    "required": ["name", "age", "city", "member", "tags"],
}


def guide_of(pattern, token_bytes, special, end):
    tokens = {}
    for token, text in enumerate(token_bytes):
        if token not in special:
            tokens.setdefault(bytes(text), []).append(token)
    return outlines_core.Index(pattern, outlines_core.Vocabulary(end, tokens))
