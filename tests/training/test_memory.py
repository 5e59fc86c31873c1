"""bfloat16 and recomputation change memory and speed, not the step."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from genai_tutorial.training import (
    Checkpoint,
    build_optimizer,
    fit,
    in_bfloat16,
    kept_bytes,
    recompute,
)
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    next_token_loss,
)
from tests.training import runs


def test_checkpoint_refuses_a_sharded_model(tmp_path):
    model, batches, _ = runs.make(dropout=False)
    model.set_requires_gradient_sync = None  # what tells that a model is split
    with pytest.raises(
        ValueError,
        match="only a part of this model, so no process can save it",
    ):
        fit(
            model,
            batches,
            torch.mean,
            build_optimizer(model),
            steps=1,
            checkpoint=Checkpoint(tmp_path / "run.safetensors"),
        )


def _loss(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


def _trained(steps=6, **settings):
    model, batches, _ = runs.make(dropout=False)
    history = fit(
        model,
        batches,
        _loss,
        build_optimizer(model),
        steps=steps,
        progress=False,
        **settings,
    )
    return model, history


def test_bfloat16_multiplies_in_16_bits_and_stores_in_32():
    seen = []

    def loss_fn(model, inputs, targets):
        logits = model(inputs)
        seen.append(logits.dtype)
        return next_token_loss(logits.float(), targets)

    model, batches, _ = runs.make(dropout=False)
    optimizer = build_optimizer(model)
    history = fit(
        model, batches, in_bfloat16(loss_fn), optimizer, steps=6, progress=False
    )
    exact = _trained()[1]
    assert set(seen) == {torch.bfloat16}
    remembered = [
        value
        for part in optimizer.optimizers
        for state in part.state.values()
        for value in state.values()
    ]
    tensors = [value for value in remembered if isinstance(value, torch.Tensor)]
    assert {tensor.dtype for tensor in [*tensors, *model.parameters()]} == {
        torch.float32
    }
    # Eight bits of fraction: about three digits.
    assert history.losses == pytest.approx(exact.losses, rel=2**-8)
    assert history.losses != exact.losses


def _decoder(dropout=0.0):
    torch.manual_seed(0)
    config = replace(
        DecoderConfig.fast(17, context_length=32, width=32, layers=6),
        initialization=InitializationConfig(std=None),
    )
    model = DecoderLM(config)
    for block in model.blocks:
        block.feed_forward = nn.Sequential(block.feed_forward, nn.Dropout(dropout))
    return model


IDS = torch.randint(17, (4, 33), generator=torch.Generator().manual_seed(0))


def _gradients(model, bfloat16=False):
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        loss = next_token_loss(model(IDS[:, :-1]), IDS[:, 1:])
    loss.backward()
    return loss.item(), [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_recompute_keeps_the_gradients_bit_for_bit(dropout, bfloat16):
    model = _decoder(dropout)
    expected = _gradients(copy.deepcopy(model), bfloat16)
    recompute(model.blocks)
    loss, gradients = _gradients(model, bfloat16)
    assert loss == expected[0]
    assert all(map(torch.equal, gradients, expected[1]))
    assert list(model.state_dict()) == list(_decoder().state_dict()), (
        "checkpoints stay readable"
    )


def test_recompute_stores_less_and_runs_blocks_twice():
    model = _decoder()
    runs_of_blocks = []
    for number, block in enumerate(model.blocks):
        block.attention.register_forward_hook(
            lambda *_, number=number: runs_of_blocks.append(number)
        )

    def loss():
        return next_token_loss(model(IDS[:, :-1]), IDS[:, 1:])

    weights = sum(parameter.numel() * 4 for parameter in model.blocks.parameters())
    before = kept_bytes(loss) - weights
    runs_of_blocks.clear()
    recompute(model.blocks)
    assert kept_bytes(loss) < 0.1 * before
    runs_of_blocks.clear()
    loss().backward()
    assert runs_of_blocks == [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0]


def test_recompute_survives_a_copy_of_the_model():
    model = _decoder()
    recompute(model.blocks)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert copied(IDS[:, :-1]).abs().max() > 0.1
