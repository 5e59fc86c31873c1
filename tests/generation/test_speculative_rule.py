"""Speculative sampling has the distribution of the target, and the chi-square test that
shows it refuses two rules that look right and are wrong.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import (
    acceptance_rate,
    expected_tokens,
    keep_top_k,
    speculative_accept,
    speculative_speedup,
)
from genai_tutorial.generation.speculative_rule import residual_probabilities
from genai_tutorial.metrics import chi_square_test
from tests.drawn import seeded

VOCAB, DRAWS = 24, 20_000
seeds = st.integers(0, 10_000)


def distributions(seed, rows=1, spread=1.0):
    """Return random probabilities of a draft and of a target."""
    logits = spread * torch.randn(2, rows, VOCAB, generator=seeded(seed))
    return logits.softmax(dim=-1)


def first_tokens(rule, q, p, seed, sampled_from=None):
    """Return how often a rule writes each token, when one token is drafted."""
    generator = seeded(seed)
    sampled_from = q if sampled_from is None else sampled_from
    ids = torch.multinomial(sampled_from, DRAWS, replacement=True, generator=generator)
    new = rule(ids, q, p, generator)
    return torch.bincount(new, minlength=VOCAB)


def exact(ids, q, p, generator):
    after = p.new_full((DRAWS, 1, VOCAB), 1 / VOCAB)
    found = speculative_accept(
        ids[:, None],
        q.expand(DRAWS, 1, -1),
        torch.cat((p.expand(DRAWS, 1, -1), after), dim=1),
        generator,
    )
    return found.ids[:, 0]


def redraws_from_the_target(ids, q, p, generator):
    """A wrong rule: after a rejection it draws from p instead of the residual."""
    accepted = torch.rand(len(ids), generator=generator) * q[ids] < p[ids]
    again = torch.multinomial(p, len(ids), replacement=True, generator=generator)
    return torch.where(accepted, ids, again)


CASES = [(seed, 1.0) for seed in range(3)] + [(3, 0.3), (4, 2.0)]


@pytest.mark.parametrize(("seed", "spread"), CASES)
def test_speculative_accept_draws_from_the_target(seed, spread):
    q, p = distributions(seed, spread=spread)[:, 0]
    assert chi_square_test(first_tokens(exact, q, p, seed), p).p_value > 1e-4


@pytest.mark.parametrize(("seed", "spread"), CASES)
def test_redrawing_from_the_target_is_refused(seed, spread):
    q, p = distributions(seed, spread=spread)[:, 0]
    counts = first_tokens(redraws_from_the_target, q, p, seed)
    assert chi_square_test(counts, p).p_value < 1e-4


@pytest.mark.parametrize(("seed", "spread"), CASES)
def test_speculative_accept_is_exact_after_a_filter_and_wrong_with_q_before_it(
    seed, spread
):
    """The draft draws from its top 6 tokens, and the rule is told so, or not."""
    q, p = distributions(seed, spread=spread)[:, 0]
    filtered_q, filtered_p = keep_top_k(q, 6), keep_top_k(p, 6)
    right = first_tokens(exact, filtered_q, filtered_p, seed)
    assert chi_square_test(right, filtered_p).p_value > 1e-4
    wrong = first_tokens(exact, q, filtered_p, seed, sampled_from=filtered_q)
    assert chi_square_test(wrong, filtered_p).p_value < 1e-4


def test_speculative_accept_draws_pairs_from_the_target():
    """Two tokens are drafted; the second one's p and q depend on the first."""
    size = 4
    logits = torch.randn(2, size + 1, size, generator=seeded(5))
    q, p = logits.softmax(dim=-1)
    generator = seeded(6)
    first = torch.multinomial(q[size], DRAWS, replacement=True, generator=generator)
    second = torch.multinomial(q[first], 1, generator=generator)[:, 0]
    found = speculative_accept(
        torch.stack((first, second), dim=1),
        torch.stack((q[size].expand(DRAWS, -1), q[first]), dim=1),
        torch.stack((p[size].expand(DRAWS, -1), p[first], p[second]), dim=1),
        generator,
    )
    pairs = found.ids[found.counts > 0]
    counts = torch.bincount(size * pairs[:, 0] + pairs[:, 1], minlength=size * size)
    accepted = torch.minimum(p[size], q[size])[:, None] * p[:size]
    expected = (accepted / accepted.sum()).flatten()
    assert chi_square_test(counts, expected).p_value > 1e-4
    assert chi_square_test(torch.bincount(found.ids[:, 0]), p[size]).p_value > 1e-4
    thirds = found.ids[found.counts == 2]
    for token in range(size):
        counts = torch.bincount(thirds[thirds[:, 1] == token][:, 2], minlength=size)
        assert chi_square_test(counts, p[token]).p_value > 1e-4


@given(seeds, st.integers(1, 5), st.integers(0, 4))
@settings(max_examples=40)
def test_speculative_accept_keeps_a_prefix_and_adds_one_token(seed, batch, drafted):
    q, _ = distributions(seed, batch * drafted)
    _, p = distributions(seed + 1, batch * (drafted + 1))
    q, p = q.view(batch, drafted, VOCAB), p.view(batch, drafted + 1, VOCAB)
    ids = torch.randint(VOCAB, (batch, drafted), generator=seeded(seed))
    found = speculative_accept(ids, q, p, seeded(seed))
    for row, count in enumerate(found.counts.tolist()):
        new = found.ids[row].tolist()
        assert new[:count] == ids[row, :count].tolist()
        assert 0 <= new[count] < VOCAB
        assert new[count + 1 :] == [-1] * (drafted - count)


def test_acceptance_rate_is_the_measured_share():
    for seed in range(3):
        q, p = distributions(seed)[:, 0]
        generator = seeded(seed)
        ids = torch.multinomial(q, DRAWS, replacement=True, generator=generator)
        found = speculative_accept(
            ids[:, None],
            q.expand(DRAWS, 1, -1),
            p.expand(DRAWS, 2, -1),
            generator,
        )
        rate = float(acceptance_rate(p, q))
        error = math.sqrt(rate * (1 - rate) / DRAWS)
        assert abs(float(found.counts.float().mean()) - rate) < 4 * error
        assert rate == pytest.approx(1 - float((p - q).abs().sum()) / 2, abs=1e-6)


@given(seeds)
@settings(max_examples=30)
def test_residual_probabilities_complete_what_is_accepted(seed):
    q, p = distributions(seed)[:, 0].double()
    rejected = 1 - acceptance_rate(p, q)
    whole = torch.minimum(p, q) + rejected * residual_probabilities(p, q)
    torch.testing.assert_close(whole, p)
    torch.testing.assert_close(residual_probabilities(p, p), p)


@given(st.floats(0, 0.99), st.integers(0, 12))
def test_expected_tokens_is_the_closed_form(acceptance, drafted):
    closed = (1 - acceptance ** (drafted + 1)) / (1 - acceptance)
    assert expected_tokens(acceptance, drafted) == pytest.approx(closed)


def test_speculative_speedup_is_one_where_nothing_is_drafted():
    assert speculative_speedup(0.9, 0, draft_cost=0.1) == 1
    assert speculative_speedup(1, 4, draft_cost=0) == 5
    assert (
        speculative_speedup(0.45, 4, 0.13, 1.27)
        < 1
        < speculative_speedup(0.7, 4, 0.13, 1.27)
    )


def test_speculative_accept_refuses_what_cannot_be_a_draft():
    q, p = distributions(0, rows=2)
    ids = torch.tensor([[3]])
    with pytest.raises(ValueError, match=r"target_probabilities \[1, 2, vocab\]; got"):
        speculative_accept(ids, q[None, :1], p[None, :1])
    with pytest.raises(ValueError, match="Each row of draft_probabilities must sum"):
        speculative_accept(ids, q[None, :1].log(), p[None])
    none = torch.zeros(1, 1, VOCAB)
    none[..., 5] = 1
    with pytest.raises(ValueError, match="has probability 0 in its draft_prob"):
        speculative_accept(ids, none, p[None])


def test_expected_tokens_refuses_impossible_numbers():
    with pytest.raises(
        ValueError, match=r"from 0 to 1 and drafted 0 or more, got 1\.2"
    ):
        expected_tokens(1.2, 3)
    with pytest.raises(ValueError, match=r"verify_cost above 0, got 0\.1 and 0"):
        speculative_speedup(0.5, 3, 0.1, 0)
