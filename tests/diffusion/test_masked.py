"""Masking, the bound and the likelihood of an order, where they can be counted."""

import math

import jaxtyping
import pytest
import torch

from genai_tutorial.diffusion import (
    likelihood_bound,
    mask_counts,
    mask_tokens,
    masked_loss,
    nats_in_order,
    token_log_probabilities,
)
from genai_tutorial.tasks.latin import OPEN, CountingDenoiser, all_squares

MASK = 0


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def table_model(vocab=3, length=3, seed=0):
    """Return a network that is a table: logits by position and visible tokens."""
    table = torch.randn(length, vocab**length, vocab, generator=seeded(seed))
    place = torch.arange(length)
    return lambda tokens: table[place, (tokens * vocab**place).sum(1, keepdim=True)]


def one_sided(tokens):
    """Return two letters' logits: right from the left, from the right independent."""
    share = torch.full((len(tokens), 2, 3), 0.5)
    first = tokens[:, 0]
    share[first == 1, 1, 1:] = torch.tensor([0.8, 0.2])
    share[first == 2, 1, 1:] = torch.tensor([0.2, 0.8])
    return share.log()


def test_mask_tokens_masks_the_given_number_and_keeps_the_rest():
    tokens = torch.randint(1, 9, (50, 12), generator=seeded())
    counts = torch.randint(0, 13, (50,), generator=seeded(1))
    noisy = mask_tokens(tokens, counts, MASK, seeded(2))
    assert torch.equal((noisy == MASK).sum(dim=1), counts)
    assert torch.equal(noisy[noisy != MASK], tokens[noisy != MASK])


def test_mask_counts_of_a_batch_are_spread_evenly():
    for seed in range(20):
        counts = mask_counts(10, 5, seeded(seed))
        assert counts.sort().values.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_token_log_probabilities_give_the_mask_none():
    log_p = token_log_probabilities(torch.randn(2, 3, 5, generator=seeded()), 4)
    assert (log_p[..., 4] == -torch.inf).all()
    assert torch.allclose(log_p.exp().sum(dim=-1), torch.ones(2, 3))


def test_every_order_of_a_perfect_model_has_the_same_likelihood():
    squares, model = all_squares(3), CountingDenoiser(3)
    for order in ("reading", "random", "confident"):
        nats = nats_in_order(model, squares, OPEN, order, seeded())
        assert nats.tolist() == pytest.approx([math.log(12)] * 12, abs=1e-5)


@pytest.mark.parametrize("order", ["reading", "random", "confident"])
def test_probabilities_in_an_order_sum_to_one(order):
    """The surest position depends on what is visible only."""
    every = torch.cartesian_prod(*[torch.tensor([1, 2])] * 3)
    if order == "random":  # the same random order for all rows
        every = every[:, torch.randperm(3, generator=seeded())]
        order = "reading"
    nats = nats_in_order(table_model(), every, MASK, order)
    assert float((-nats).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_bound_is_the_mean_over_orders():
    """Both letters cost a bit; seen from the left, the second costs 0.722 bits."""
    texts = torch.tensor([[1, 1]] * 4 + [[1, 2], [2, 1]] + [[2, 2]] * 4)
    bound = likelihood_bound(one_sided, texts.repeat(2000, 1), MASK, seeded())
    truth = 1 - 0.8 * math.log2(0.8) - 0.2 * math.log2(0.2)
    bits = float(bound.mean()) / math.log(2)
    assert bits == pytest.approx((truth + 2) / 2, abs=0.02)
    from_left = nats_in_order(one_sided, texts, MASK, "reading").mean() / math.log(2)
    assert float(from_left) == pytest.approx(truth, abs=1e-5)


def test_masked_loss_ignores_visible_tokens():
    tokens = torch.randint(1, 4, (6, 8), generator=seeded())
    logits = torch.randn(6, 8, 4, generator=seeded(1))

    def model(noisy, wrong=0.0):
        return logits + wrong * (noisy != MASK)[..., None] * torch.arange(4)

    plain = masked_loss(model, tokens, MASK, seeded(2))
    wrong = masked_loss(lambda x: model(x, 9.0), tokens, MASK, seeded(2))
    assert torch.equal(plain, wrong)
    bound = likelihood_bound(model, tokens, MASK, seeded(2))
    assert float(plain) == pytest.approx(float(bound.mean()) / 8)


def test_nats_in_order_refuses_an_unknown_order():
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="order"):
        nats_in_order(table_model(), torch.ones(1, 3, dtype=torch.long), MASK, "best")
