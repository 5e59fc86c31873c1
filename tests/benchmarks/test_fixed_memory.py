"""Parts of the benchmark that could be wrong unnoticed."""

import pytest
import torch

from benchmarks.fixed_memory import (
    any_recall_batch,
    holds,
    parity_batch,
    relative,
    rounded_memory,
    small_model,
    train,
)
from genai_tutorial.transformer import recurrent_memory


@pytest.mark.slow
def test_training_stops_after_its_seconds_and_learns():
    model = small_model(("add", "add"), 0)
    generator = torch.Generator().manual_seed(0)
    found = train(model, lambda: any_recall_batch(generator), 0.3)
    assert found["steps"] >= 1
    assert model.blocks[0].attention.output.weight.abs().max() > 0


def test_small_model_has_a_state_of_8_by_48():
    layer = small_model(("delta", "softmax"), 0).blocks[0].attention
    assert layer.key.weight.shape == (8, 48)
    assert layer.heads == 1


def test_wider_keys_hold_more():
    assert holds("add", 4, 0) < holds("add", 8, 0)


def test_rounding_has_a_small_error():
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(1, 1, 20, 4, generator=generator) for _ in range(3)]
    exact = recurrent_memory(*inputs)[0]
    error = relative(rounded_memory(*inputs, None, None), exact)
    assert 0 < error.max() < 0.1


def test_parity_of_the_bits_so_far():
    ids, parity = parity_batch(5, 8, torch.Generator().manual_seed(0))
    assert ids[:, 0].tolist() == [2] * 5
    for row, wanted in zip(ids.tolist(), parity.tolist(), strict=True):
        assert wanted == [sum(row[1 : n + 1]) % 2 for n in range(9)]
