import itertools
import json
import random
import re

import pytest
import torch

from genai_tutorial.generation import (
    NOTHING,
    ConstrainedText,
    ForbiddenTokens,
    TokenMask,
    generate,
    generate_rollouts,
    parse_regex,
    regex_from_schema,
    stream,
)
from genai_tutorial.generation.constrained import (
    longest_first,
    mask_logits,
    vocabulary_trie,
)
from genai_tutorial.generation.regular import advance
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.alignment import models
from tests.alignment.models import CONFIGS, FAST, LLAMA, model_of
from tests.drawn import seeded

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


def test_constrained_text_names_what_is_wrong():
    with pytest.raises(ValueError, match="No text matches"):
        ConstrainedText("[^\x00-\U0010ffff]", MASK)
    constraint = ConstrainedText("a{5}", TokenMask([b"a", b"b", None], end_token=2))
    with pytest.raises(ValueError, match=r"needs 6 tokens.*there are 5 left"):
        constraint.allowed([], left=5)
    with pytest.raises(ValueError, match=r"begins with the tokens \[0, 1\]"):
        constraint.allowed([0, 1], left=9)


def test_vocabulary_trie_cuts_longest_first():
    trie = vocabulary_trie([b"a", b"ab", b"abcd", b"c", None])
    assert longest_first(trie, b"abcab") == [1, 3, 1]
    assert longest_first(trie, b"abcdc") == [2, 3]
    assert longest_first(trie, b"abx") is None
    assert longest_first(trie, b"") == []


ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


class Alternating:
    """Allows even tokens at even steps, odd ones at odd steps, and only the end token
    as the last one.
    """

    def allowed(self, drawn, left):
        mask = torch.arange(13) % 2 == len(drawn) % 2
        return torch.arange(13) == models.END if left == 1 else mask


def test_constraint_holds_in_every_row_and_step_of_generate():
    prompts = torch.tensor([[2, 3], [4, 5]])
    ids = generate(
        model_of(FAST), prompts, 6, constraint=Alternating(), generator=seeded()
    )
    assert (ids[:, 2:] % 2).tolist() == [[0, 1, 0, 1, 0, 1]] * 2
    assert ids[:, -1].tolist() == [models.END, models.END]


def test_constraint_holds_in_stream_which_draws_what_generate_draws():
    model = model_of(LLAMA)
    once = generate(
        model,
        torch.tensor([[2, 3]]),
        6,
        constraint=Alternating(),
        generator=seeded(),
    )
    streamed = stream(model, [2, 3], 6, constraint=Alternating(), generator=seeded())
    assert list(streamed) == once[0, 2:].tolist()


@ALL
def test_constraint_holds_in_rollouts_of_different_lengths(config):
    prompts = [[2, 3, 4, 5], [6], [7, 8]]
    rollouts = generate_rollouts(
        model_of(config),
        prompts,
        6,
        end_token=12,
        constraint=Alternating(),
        generator=seeded(),
    )
    for answer in rollouts.answers():
        assert [token % 2 for token in answer] == [0, 1, 0, 1, 0, 1][: len(answer)]


def test_rollouts_with_a_constraint_keep_the_models_own_log_probs():
    model = model_of(LLAMA)
    rollouts = generate_rollouts(
        model,
        [[2, 3]],
        4,
        end_token=12,
        constraint=Alternating(),
        generator=seeded(),
    )
    logits = model(rollouts.ids)[0, :-1].log_softmax(dim=-1)
    own = logits.gather(1, rollouts.ids[0, 1:, None])[:, 0]
    torch.testing.assert_close(
        rollouts.log_probs[rollouts.mask], own[rollouts.mask[0]], atol=1e-5, rtol=1e-5
    )


def test_forbidden_tokens_are_never_drawn_and_the_others_keep_their_odds():
    model, count = model_of(LLAMA), 4000
    constraint = ForbiddenTokens([0, 1, 7], vocab_size=13)
    ids = generate_rollouts(
        model,
        [[5, 6]] * count,
        1,
        end_token=models.END,
        constraint=constraint,
        generator=seeded(),
    ).ids[:, 2]
    expected = model(torch.tensor([[5, 6]]))[0, -1].softmax(dim=-1).detach()
    expected[[0, 1, 7]] = 0
    expected = expected / expected.sum()
    found = ids.bincount(minlength=13) / count
    assert not found[[0, 1, 7]].any()
    deviation = (expected * (1 - expected) / count).sqrt()
    assert ((found - expected).abs() <= 4 * deviation).all()


def test_forbidden_tokens_refuses_bad_tokens():
    with pytest.raises(ValueError, match=r"from 0 to 2, got \[3\]"):
        ForbiddenTokens([3], vocab_size=3)
    with pytest.raises(ValueError, match="all are forbidden"):
        ForbiddenTokens([0, 1, 1], vocab_size=2)


def test_mask_logits_leaves_finished_rows_alone():
    logits = torch.zeros(2, 3)
    constraint = ForbiddenTokens([1], vocab_size=3)
    masked = mask_logits(logits, constraint, [[], []], 5, [False, True])
    assert masked[0].tolist() == [0, 0, 0]
    assert masked[1].tolist() == [0, -torch.inf, 0]
    assert not logits.any()


def test_mask_logits_refuses_other_vocabularies_and_dead_ends():
    class Nothing:
        def allowed(self, drawn, left):
            return torch.zeros(3, dtype=torch.bool)

    with pytest.raises(ValueError, match="The model has 3 tokens, the constraint 4"):
        mask_logits(torch.zeros(1, 3), ForbiddenTokens([1], 4), [[]], 5, [True])
    with pytest.raises(ValueError, match=r"no token after \[2\] with 5 left"):
        mask_logits(torch.zeros(1, 3), Nothing(), [[2]], 5, [True])


@ALL
def test_rollouts_with_a_shared_prefix_equal_those_without(config):
    model = model_of(config)
    prompts = [[2, 3, 4, 5], [2, 3, 4], [2, 3, 4, 5], [2, 3, 4, 7, 8, 9]]
    plain, shared = (
        generate_rollouts(
            model, prompts, 9, end_token=models.END, temperature=0, share_prefix=share
        )
        for share in (False, True)
    )
    assert torch.equal(plain.ids, shared.ids)
    torch.testing.assert_close(plain.log_probs, shared.log_probs, atol=1e-5, rtol=1e-5)


def test_rollouts_with_a_shared_prefix_read_it_once(monkeypatch):
    read, sizes = DecoderLM.read, []

    def counting(self, ids, context=None):
        sizes.append(ids.numel())
        return read(self, ids, context)

    monkeypatch.setattr(DecoderLM, "read", counting)
    prompts = [[2, 3, 4, 5, 6, row] for row in range(3, 9)]
    generate_rollouts(model_of(), prompts, 1, end_token=models.END, share_prefix=True)
    assert sizes == [5, 6]
    sizes.clear()
    # identical prompts, and prompts with nothing in common
    generate_rollouts(
        model_of(), [[2, 3, 4]] * 4, 1, end_token=models.END, share_prefix=True
    )
    generate_rollouts(
        model_of(), [[2, 3], [3]], 1, end_token=models.END, share_prefix=True
    )
    assert sizes == [2, 4, 4]
