"""Masks cancel to the last bit, and hide what they mask."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import decode_update, encode_update, mask_update, secure_sum

SCALE = 2**20


def pair_seeds(clients, seed):
    generator = torch.Generator().manual_seed(seed)
    upper = torch.randint(2**31, (clients, clients), generator=generator).triu(1)
    return upper + upper.T


def updates(clients, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "a": torch.randn(2, 3, generator=generator),
            "b": torch.randn(5, generator=generator),
        }
        for _ in range(clients)
    ]


def masked(rows, seeds):
    return torch.stack([mask_update(row, n, seeds) for n, row in enumerate(rows)])


@given(st.integers(1, 7), st.integers(0, 1000))
@settings(max_examples=30)
def test_masked_sum_is_exactly_the_sum_of_the_encoded_updates(clients, seed):
    rows = [encode_update(update, SCALE) for update in updates(clients, seed)]
    total = secure_sum(masked(rows, pair_seeds(clients, seed)))
    assert torch.equal(total, torch.stack(rows).sum(dim=0) % 2**32)


@given(st.integers(1, 7), st.integers(0, 1000))
@settings(max_examples=30)
def test_decoded_sum_is_the_sum_of_updates_up_to_rounding(clients, seed):
    sent = updates(clients, seed)
    rows = [encode_update(update, SCALE) for update in sent]
    total = secure_sum(masked(rows, pair_seeds(clients, seed)))
    decoded = decode_update(total, SCALE, sent[0])
    for name, value in decoded.items():
        expected = sum(update[name] for update in sent)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected, atol=clients / SCALE, rtol=1e-6)


def test_masked_row_is_uniform_whatever_it_hides():
    row, seeds = torch.zeros(20_000, dtype=torch.long), pair_seeds(3, 0)
    seen = mask_update(row, 0, seeds).double() / 2**32
    assert 0.49 < float(seen.mean()) < 0.51
    assert float(seen.var()) == pytest.approx(1 / 12, rel=0.03)
    other = mask_update(row + 12_345, 0, seeds).double() / 2**32
    stacked = torch.stack((seen, seen.roll(1)))
    assert abs(float(torch.corrcoef(stacked)[0, 1])) < 0.03
    assert 0.49 < float(other.mean()) < 0.51


def test_sum_without_one_client_stays_masked():
    """A client that drops out takes its half of the masks along."""
    rows = [encode_update(update, SCALE) for update in updates(3, 1)]
    total = secure_sum(masked(rows, pair_seeds(3, 1))[:2])
    assert not torch.equal(total, (rows[0] + rows[1]) % 2**32)


@pytest.mark.parametrize("number", [5000.0, -5000.0, float("nan"), float("inf")])
def test_encode_update_refuses_numbers_that_do_not_fit(number):
    with pytest.raises(ValueError, match="smaller"):
        encode_update({"w": torch.tensor([number])}, SCALE)


def test_mask_update_checks_the_seeds():
    row = torch.zeros(2, dtype=torch.long)
    with pytest.raises(ValueError, match="symmetric"):
        mask_update(row, 0, torch.tensor([[0, 1], [2, 0]]))
    with pytest.raises(ValueError, match="client 2"):
        mask_update(row, 2, pair_seeds(2, 0))


def test_decode_update_checks_the_length():
    with pytest.raises(ValueError, match="must have 1 numbers"):
        decode_update(torch.tensor([1, 2]), SCALE, {"w": torch.zeros(1)})
