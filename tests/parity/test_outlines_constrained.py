"""The book's token masks and JSON Schema expressions are those of outlines-core."""

import json
import random
import re

import pytest

from genai_tutorial.generation import NOTHING, TokenMask, parse_regex, regex_from_schema
from genai_tutorial.generation.regular import advance
from genai_tutorial.pretrained import find_smollm2, load_smollm2_tokenizer
from genai_tutorial.tokenization import train_bpe

outlines_core = pytest.importorskip("outlines_core")
json_schema = pytest.importorskip("outlines_core.json_schema")

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer"},
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


def compare_along_texts(pattern, mask, guide_index, texts, seed=0):
    """Follow random texts token by token, and compare the allowed tokens at each step.

    A token is drawn in two ways by turns: any allowed one, or one of the shortest,
    which leads through more states.
    """
    rng, states = random.Random(seed), set()
    for text in range(texts):
        guide, state = outlines_core.Guide(guide_index), parse_regex(pattern)
        while True:
            states.add(state)
            allowed = set(mask.allowed(state).nonzero()[:, 0].tolist())
            assert set(guide.get_tokens()) == allowed
            options = sorted(allowed - {mask.end_token})
            if not options:
                break
            if text % 2:
                options.sort(key=lambda token: len(mask.token_bytes[token]))
                options = options[:20]
            token = rng.choice(options)
            guide.advance(token)
            state = advance(state, mask.token_bytes[token])
            assert state is not NOTHING
    return len(states)


@pytest.mark.slow
def test_token_mask_on_a_small_vocabulary():
    text = '{"name": "Ann", "age": 34, "city": "São Paulo", "tags": ["a"]} é€😀 true'
    tokenizer = train_bpe(text * 3, 320, special_tokens=["<|end|>"])
    end = tokenizer.special_tokens["<|end|>"]
    mask = TokenMask.from_tokenizer(tokenizer, end)
    pattern = json_schema.build_regex_from_schema(json.dumps(PERSON))
    index = guide_of(pattern, tokenizer.token_bytes, {end}, end)
    assert compare_along_texts(pattern, mask, index, texts=40) > 100


@pytest.mark.slow
def test_token_mask_on_the_vocabulary_of_smollm2():
    try:
        find_smollm2()
    except FileNotFoundError:
        pytest.skip("SmolLM2 is not installed")
    tokenizer = load_smollm2_tokenizer()
    end = tokenizer.special_tokens["<|im_end|>"]
    special = set(tokenizer.special_tokens.values())
    mask = TokenMask.from_tokenizer(tokenizer, end)
    pattern = json_schema.build_regex_from_schema(json.dumps(PERSON))
    index = guide_of(pattern, tokenizer.token_bytes, special, end)
    assert compare_along_texts(pattern, mask, index, texts=12) > 60


SCHEMAS = [
    PERSON | {"required": ["age"]},
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}},
    {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3},
    {"enum": ["a", 3, None, True, 'b.c"é', [1, {"x": []}]]},
    {"type": "string", "minLength": 2, "maxLength": 4},
    {
        "type": "object",
        "properties": {"o": {"const": {"k": [1, 2]}}},
        "required": ["o"],
    },
]


def sample(schema, rng):
    """Return a value that is valid under the schema."""
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum", [schema.get("const")]))
    kind = schema["type"]
    if kind == "object":
        required = schema.get("required", [])
        return {
            name: sample(value, rng)
            for name, value in schema["properties"].items()
            if name in required or rng.random() < 0.5
        }
    if kind == "array":
        count = rng.randint(schema.get("minItems", 0), schema["maxItems"])
        return [sample(schema["items"], rng) for _ in range(count)]
    if kind == "string":
        length = rng.randint(schema.get("minLength", 0), schema["maxLength"])
        return "".join(rng.choices('ab"\\\n é€', k=length))
    return {
        "integer": rng.randint(-50, 999),
        "number": rng.choice([0, -3, 2.5, 1e20, -1.25e-7]),
        "boolean": rng.random() < 0.5,
        "null": None,
    }[kind]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_regex_from_schema_accepts_the_same_texts(schema):
    rng = random.Random(0)
    ours = re.compile(regex_from_schema(schema))
    theirs = re.compile(json_schema.build_regex_from_schema(json.dumps(schema)))
    verdicts = []
    for _ in range(1500):
        separators = rng.choice(
            [(", ", ": "), (",", ":"), (" , ", " : "), (",  ", ":")]
        )
        value = sample(schema, rng)
        text = json.dumps(value, ensure_ascii=False, separators=separators)
        if rng.random() < 0.6:  # damage it
            place = rng.randrange(len(text) + 1)
            letter = rng.choice(['"', " ", ",", "0", "-", "}", "e", "\\", "\n", ""])
            text = text[:place] + letter + text[place + rng.randint(0, 2) :]
        if re.search(r"[eE][+-]?\d{3}", text):
            continue  # ours allows exponents of two digits
        verdict = ours.fullmatch(text) is not None
        assert verdict == (theirs.fullmatch(text) is not None), text
        verdicts.append(verdict)
    assert 100 < sum(verdicts) < 1400
