"""Which tokens each rule keeps, and what a filled row tells."""

import jaxtyping
import pytest
import torch

from genai_tutorial.diffusion import EntropyBound, Quota, Threshold, unmask
from genai_tutorial.tasks.latin import OPEN, CountingDenoiser, is_latin

MASK = 3
# Position 2 is surest, then 0, then 3, then 1.
SHARES = torch.tensor(
    [
        [0.70, 0.20, 0.10, 0.0],
        [0.40, 0.30, 0.30, 0.0],
        [0.00, 0.99, 0.01, 0.0],
        [0.20, 0.20, 0.60, 0.0],
    ]
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model(tokens):
    return SHARES.log().expand(len(tokens), 4, 4)


def empty(rows=1, length=4):
    return torch.full((rows, length), MASK)


def filled_at(rule, temperature=0.0):
    filled = unmask(model, empty(), rule, MASK, temperature=temperature)
    return filled.filled_at[0].tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Quota(1), [2, 4, 1, 3]),
        (Quota(2), [1, 2, 1, 2]),
        (Quota(3), [1, 2, 1, 1]),
        (Quota(9), [1, 1, 1, 1]),
        (Quota(3, "reading"), [1, 1, 1, 2]),
        (Threshold(0.65), [1, 3, 1, 2]),
        (Threshold(0.65, at_least=3), [1, 2, 1, 1]),
        (Threshold(0.995), [2, 4, 1, 3]),
        (EntropyBound(0.0), [2, 4, 1, 3]),
        (EntropyBound(0.1), [1, 3, 1, 2]),  # entropies 0.06, 0.80, 0.95 and 1.09
        (EntropyBound(0.9), [1, 2, 1, 1]),
        (EntropyBound(2.0), [1, 1, 1, 1]),
    ],
)
def test_rule_keeps_tokens_in_the_expected_call(rule, expected):
    assert filled_at(rule) == expected


def test_random_order_changes_with_the_generator():
    orders = {
        tuple(
            unmask(model, empty(), Quota(1, "random"), MASK, generator=seeded(seed))
            .filled_at[0]
            .tolist()
        )
        for seed in range(20)
    }
    assert len(orders) > 5


def test_given_tokens_stay_and_rows_count_their_own_calls():
    tokens = torch.tensor([[MASK, 2, MASK, MASK], [0, 1, 2, 0], [MASK, 1, 2, 0]])
    filled = unmask(model, tokens, Quota(1), MASK, temperature=0)
    assert filled.tokens.tolist() == [[0, 2, 1, 2], [0, 1, 2, 0], [0, 1, 2, 0]]
    assert filled.calls.tolist() == [3, 0, 1]
    assert filled.filled_at.tolist() == [[2, 0, 1, 3], [0] * 4, [1, 0, 0, 0]]
    assert filled.after(1, MASK)[0].tolist() == [MASK, 2, 1, MASK]
    assert torch.equal(filled.after(0, MASK), tokens)


def test_temperature_scales_the_draws_and_the_mask_is_never_drawn():
    def even(tokens):
        return torch.tensor([0.0, 1.0, 0.0, 9.0]).expand(*tokens.shape, 4)

    def share_of_one(temperature):
        drawn = unmask(
            even, empty(500), Quota(4), MASK, temperature=temperature,
            generator=seeded(),
        ).tokens  # fmt: skip
        assert (drawn != MASK).all()
        return float((drawn == 1).float().mean())

    assert share_of_one(1.0) == pytest.approx(0.576, abs=0.03)  # e / (e + 2)
    assert share_of_one(0.25) == pytest.approx(0.965, abs=0.02)


def test_perfect_model_fills_every_square_one_cell_per_call():
    perfect, cells = CountingDenoiser(4), torch.full((40, 16), OPEN)
    for rule in (Quota(1, "random"), Threshold(0.99), EntropyBound(0.1)):
        filled = unmask(perfect, cells, rule, OPEN, generator=seeded())
        assert is_latin(filled.tokens).all()
    together = unmask(perfect, cells, Quota(8, "random"), OPEN, generator=seeded())
    assert not is_latin(together.tokens).all()


def test_rule_that_keeps_nothing_is_refused():
    class Never:
        def choose(self, log_probabilities, drawn, masked, generator=None):
            return torch.zeros_like(masked)

    with pytest.raises(ValueError, match="keeps no token"):
        unmask(model, empty(), Never(), MASK)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quota(0), "per_call must be at least 1"),
        (lambda: Quota(1, "best"), "order"),
        (lambda: Threshold(0.0), "threshold must be above 0"),
        (lambda: Threshold(0.5, 0), "at_least must be at least 1"),
        (lambda: EntropyBound(-0.1), "bound must be at least 0"),
        (lambda: unmask(model, empty(), Quota(1), MASK, temperature=-1), "temperature"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match=message):
        make()
