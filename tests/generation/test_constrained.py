import itertools
import json
import random
import re

import pytest
import torch

from genai_tutorial.generation import (
    NOTHING,
    ConstrainedText,
    TokenMask,
    generate,
    generate_rollouts,
    parse_regex,
    regex_from_schema,
)
from genai_tutorial.generation.constrained import VocabularyTrie
from genai_tutorial.generation.regular import advance
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig
from tests.alignment.models import LLAMA, model_of

TEXT = 'é "name": "Ann", "age": 34, "tags": ["a", "b"]} {"name": true, "é": false} 0'
TOKENIZER = train_bpe(TEXT * 3, 300, special_tokens=["<|end|>"])
END = TOKENIZER.special_tokens["<|end|>"]
MASK = TokenMask.from_tokenizer(TOKENIZER, END)
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "age": {"type": "integer"},
        "member": {"type": "boolean"},
    },
    "required": ["name", "age", "member"],
}


class Uniform(torch.nn.Module):
    """A model to which all tokens are equally likely."""

    config = DecoderConfig(TOKENIZER.vocab_size, context_length=500)

    def forward(self, ids):
        return torch.zeros(*ids.shape, self.config.vocab_size)


def write(constraint, limit, rows=20, seed=0):
    ids = generate(
        Uniform(),
        torch.zeros(rows, 1, dtype=torch.long),
        limit,
        constraint=constraint,
        stop_tokens=[END],
        generator=torch.Generator().manual_seed(seed),
    )[:, 1:].tolist()
    return [row[: row.index(END)] if END in row else row for row in ids]


@pytest.mark.slow
def test_token_mask_equals_trying_every_token():
    """A token is allowed if and only if some text that matches begins with the text so
    far and the token.
    """
    regex, rng = parse_regex(regex_from_schema(SCHEMA)), random.Random(0)
    for _ in range(5):
        state = regex
        for _ in range(30):
            allowed = MASK.allowed(state)
            for token, text in enumerate(TOKENIZER.token_bytes):
                expected = (
                    state.nullable
                    if token == END
                    else advance(state, text) is not NOTHING
                )
                assert allowed[token] == expected
            options = [int(t) for t in allowed.nonzero() if t != END]
            if not options:
                break
            state = advance(state, TOKENIZER.token_bytes[rng.choice(options)])


def test_token_mask_never_allows_special_tokens_as_text():
    assert not MASK.allowed(parse_regex(r".*x"))[END]
    assert MASK.allowed(parse_regex(r".*"))[END]


def test_token_mask_is_computed_once_per_state():
    mask = TokenMask([b"a", b"b", None], end_token=2)
    text = ConstrainedText("(ab)*", mask)
    for drawn in ([], [0], [0, 1], [0, 1, 0], [0, 1, 0, 1]):
        text.allowed(drawn, left=9)
    assert mask.states == 2


@pytest.mark.slow
def test_constrained_text_is_valid_at_every_limit():
    pattern = regex_from_schema(SCHEMA)
    constraint = ConstrainedText(pattern, MASK)
    shortest = MASK.tokens_to_end(constraint.start)
    for limit in (shortest, shortest + 1, shortest + 5, 60):
        for row in write(constraint, limit):
            assert len(row) < limit
            text = TOKENIZER.decode(row, errors="strict")
            assert re.fullmatch(pattern, text)
            assert set(json.loads(text)) == {"name", "age", "member"}


@pytest.mark.slow
def test_constrained_text_without_a_planned_end_is_cut_off():
    pattern = regex_from_schema(SCHEMA)
    constraint = ConstrainedText(pattern, MASK, plan_end=False)
    limit = MASK.tokens_to_end(constraint.start) + 5
    texts = [TOKENIZER.decode(row) for row in write(constraint, limit)]
    complete = [re.fullmatch(pattern, text) is not None for text in texts]
    assert not all(complete)
    long = [TOKENIZER.decode(row) for row in write(constraint, 400)]
    assert all(re.fullmatch(pattern, text) for text in long)


def test_constrained_text_reaches_every_text_that_fits():
    """Planning the end excludes no text that fits into the limit."""
    mask = TokenMask([b"a", b"b", b"ab", b"c", None], end_token=4)
    constraint = ConstrainedText("(a|b)*c", mask)

    def texts(drawn, left):
        if drawn and drawn[-1] == 4:
            return {tuple(drawn)}
        allowed = constraint.allowed(drawn, left).nonzero()[:, 0].tolist()
        return set().union(*(texts([*drawn, token], left - 1) for token in allowed))

    # up to three of a, b and ab, then c and the end
    expected = {
        (*middle, 3, 4)
        for length in range(4)
        for middle in itertools.product([0, 1, 2], repeat=length)
    }
    assert texts([], 5) == expected


def test_constrained_text_in_rollouts():
    model = model_of(LLAMA)
    mask = TokenMask([bytes([97 + token]) for token in range(13)], end_token=12)
    constraint = ConstrainedText("(ab|cd){2}e?", mask)
    rollouts = generate_rollouts(
        model, [[2], [3, 4]] * 10, 6, end_token=12, constraint=constraint
    )
    assert rollouts.finished.all()
    for answer in rollouts.answers():
        text = "".join(chr(97 + token) for token in answer)
        assert re.fullmatch("(ab|cd){2}e?", text)


def test_constrained_text_names_what_is_wrong():
    with pytest.raises(ValueError, match="No text matches"):
        ConstrainedText("[^\x00-\U0010ffff]", MASK)
    constraint = ConstrainedText("a{5}", TokenMask([b"a", b"b", None], end_token=2))
    with pytest.raises(ValueError, match=r"needs 6 tokens.*there are 5 left"):
        constraint.allowed([], left=5)
    with pytest.raises(ValueError, match=r"begins with the tokens \[0, 1\]"):
        constraint.allowed([0, 1], left=9)


def test_vocabulary_trie_cuts_longest_first():
    trie = VocabularyTrie([b"a", b"ab", b"abcd", b"c", None])
    assert trie.longest_first(b"abcab") == [1, 3, 1]
    assert trie.longest_first(b"abcdc") == [2, 3]
    assert trie.longest_first(b"abx") is None
    assert trie.longest_first(b"") == []
