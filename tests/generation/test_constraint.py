import pytest
import torch

from genai_tutorial.generation import (
    ForbiddenTokens,
    generate,
    generate_rollouts,
    stream,
)
from genai_tutorial.generation.constraint import mask_logits
from genai_tutorial.transformer import DecoderLM
from tests.alignment.models import CONFIGS, END, FAST, LLAMA, model_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


class Alternating:
    """Allows even tokens at even steps, odd ones at odd steps, and only the end token
    as the last one.
    """

    def allowed(self, drawn, left):
        mask = torch.arange(13) % 2 == len(drawn) % 2
        return torch.arange(13) == END if left == 1 else mask


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_constraint_holds_in_every_row_and_step_of_generate():
    prompts = torch.tensor([[2, 3], [4, 5]])
    ids = generate(
        model_of(FAST), prompts, 6, constraint=Alternating(), generator=seeded()
    )
    assert (ids[:, 2:] % 2).tolist() == [[0, 1, 0, 1, 0, 1]] * 2
    assert ids[:, -1].tolist() == [END, END]


def test_constraint_holds_in_stream_which_draws_what_generate_draws():
    model = model_of(LLAMA)
    once = generate(
        model, torch.tensor([[2, 3]]), 6, constraint=Alternating(), generator=seeded()
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
        model, [[2, 3]], 4, end_token=12, constraint=Alternating(), generator=seeded()
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
        end_token=END,
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


def test_forbidding_nothing_changes_nothing():
    model, prompts = model_of(FAST), torch.tensor([[2, 3], [4, 5]])
    free = generate(model, prompts, 8, generator=seeded())
    constraint = ForbiddenTokens([], vocab_size=13)
    assert torch.equal(
        free, generate(model, prompts, 8, constraint=constraint, generator=seeded())
    )


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
            model, prompts, 9, end_token=END, temperature=0, share_prefix=share
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
    generate_rollouts(model_of(), prompts, 1, end_token=END, share_prefix=True)
    assert sizes == [5, 6]
    sizes.clear()
    # identical prompts, and prompts with nothing in common
    generate_rollouts(model_of(), [[2, 3, 4]] * 4, 1, end_token=END, share_prefix=True)
    generate_rollouts(model_of(), [[2, 3], [3]], 1, end_token=END, share_prefix=True)
    assert sizes == [2, 4, 4]
