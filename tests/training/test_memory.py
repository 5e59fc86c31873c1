"""bfloat16 and recomputation change memory and speed, not the step; sharded checkpoints
in one process keep every value, and foreign or damaged folders are refused.
"""

import copy
import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.distributed import checkpoint

from genai_tutorial.training import (
    Checkpoint,
    OptimizerSettings,
    build_optimizer,
    fit,
    in_bfloat16,
    kept_bytes,
    recompute,
)
from genai_tutorial.training.memory import (
    ShardedCheckpoint,
    load_sharded,
    save_sharded,
    start_optimizer,
)
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    next_token_loss,
)
from tests.training import runs


def _state(step=3, rows=5):
    return {
        "step": step,
        "weight": torch.arange(rows * 2.0).reshape(rows, 2),
        "rate": 0.1,
        "more": [torch.tensor(4)],
    }


def _empty(rows=5):
    return {
        "step": 0,
        "weight": torch.zeros(rows, 2),
        "rate": 0.0,
        "more": [torch.tensor(0)],
    }


def test_sharded_checkpoint_round_trip_keeps_every_value(tmp_path):
    save_sharded(tmp_path / "run", _state())
    loaded = load_sharded(tmp_path / "run", _empty())
    assert (loaded["step"], loaded["rate"], loaded["more"]) == (
        3,
        0.1,
        [torch.tensor(4)],
    )
    assert torch.equal(loaded["weight"], _state()["weight"])


@pytest.mark.parametrize(
    ("first", "second"),
    [(["a.b"], ["a", "b"]), (["a", "b"], ["a.b"]), (["__metadata__"], ["a", "0"])],
)
def test_sharded_checkpoint_keeps_clashing_tensor_names_apart(tmp_path, first, second):
    """Two tensors whose dotted names are equal are restored correctly, whatever their
    order in the new run.
    """

    def state(numbers, order):
        made = {"step": 3}
        for keys, number in sorted(
            zip((first, second), numbers, strict=True), reverse=order
        ):
            part = made
            for key in keys[:-1]:
                part = part.setdefault(key, {})
            part[keys[-1]] = torch.full((2,), float(number))
        return made

    def tensor(found, keys):
        for key in keys:
            found = found[key]
        return found.tolist()

    save_sharded(tmp_path, state((1, 2), order=False))
    new = state((0, 0), order=True)
    for found in (load_sharded(tmp_path, new), new):
        assert (tensor(found, first), tensor(found, second)) == ([1, 1], [2, 2])


def test_sharded_checkpoint_keeps_only_the_latest_step(tmp_path):
    for step in (3, 20, 100):
        save_sharded(tmp_path, _state(step))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000100"]


def test_sharded_checkpoint_survives_a_kill_while_saving(tmp_path):
    save_sharded(tmp_path, _state(3))
    with pytest.raises(TypeError, match="state has a set"):
        save_sharded(tmp_path, _state(6) | {"state": {1}})
    half = tmp_path / "step-000000006.tmp"  # what a killed process leaves
    half.mkdir()
    (half / "rest.safetensors").write_bytes(b"half")
    assert load_sharded(tmp_path, _empty())["step"] == 3
    save_sharded(tmp_path, _state(6))
    assert load_sharded(tmp_path, _empty())["step"] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000006"]


def test_sharded_checkpoint_of_the_same_step_survives_a_kill(tmp_path, monkeypatch):
    """At no moment is there no complete checkpoint, whatever call is the last one."""
    save_sharded(tmp_path, _state(7))

    def die(*_, **__):
        raise KeyboardInterrupt

    for function in ("os.replace", "shutil.rmtree"):
        monkeypatch.setattr(function, die)
        with pytest.raises(KeyboardInterrupt):
            save_sharded(tmp_path, _state(7) | {"rate": 0.3})
        monkeypatch.undo()
        assert load_sharded(tmp_path, _empty())["step"] == 7
    real = shutil.rmtree

    def die_at_the_earlier_one(path, **options):
        if "tmp" not in path.name:
            raise KeyboardInterrupt
        real(path, **options)

    monkeypatch.setattr("shutil.rmtree", die_at_the_earlier_one)
    with pytest.raises(KeyboardInterrupt):
        save_sharded(tmp_path, _state(7) | {"rate": 0.3})
    monkeypatch.undo()
    # the second one was complete before the first was to be removed
    assert load_sharded(tmp_path, _empty())["rate"] == 0.3
    save_sharded(tmp_path, _state(7) | {"rate": 0.4})
    assert load_sharded(tmp_path, _empty())["rate"] == 0.4
    save_sharded(tmp_path, _state(8))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000008"]


def test_sharded_checkpoint_on_a_full_disk_raises_an_os_error(tmp_path, monkeypatch):
    save_sharded(tmp_path, _state(3))

    def full(*_, **__):
        raise checkpoint.CheckpointException("write", {0: (OSError(28, "full"), None)})

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(OSError, match=r"Cannot write .*step-000000004"):
        save_sharded(tmp_path, _state(4))
    assert load_sharded(tmp_path, _empty())["step"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[" * 100_000,
        "\x00",
        '{"format": "genai_tutorial sharded checkpoint 1"}',
        '{"format": "genai_tutorial sharded checkpoint 1", "tree": {"kind": "list"}}',
        '{"format": "genai_tutorial sharded checkpoint 1", "tree": {"kind": "tensor", '
        '"name": "no"}}',
    ],
)
def test_sharded_checkpoint_refuses_any_other_state_file(tmp_path, text):
    save_sharded(tmp_path, _state())
    (tmp_path / "step-000000003" / "state.json").write_text(text)
    with pytest.raises(ValueError, match="step-000000003 is damaged"):
        load_sharded(tmp_path, _empty())


def test_sharded_checkpoint_refuses_damaged_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        load_sharded(tmp_path, _empty())
    save_sharded(tmp_path, _state())
    with pytest.raises(
        ValueError, match=r"'weight' has the shape \(5, 2\) there, and \(4, 2\) here"
    ):
        load_sharded(tmp_path, _empty(rows=4))
    with pytest.raises(ValueError, match="only one of the two has 'bias'"):
        load_sharded(tmp_path, _empty() | {"bias": torch.zeros(1)})
    (shard,) = (tmp_path / "step-000000003").glob("*.safetensors")
    content = shard.read_bytes()
    for length in (0, 20, len(content) - 1):
        shard.write_bytes(content[:length])
        with pytest.raises(ValueError, match="step-000000003 is damaged"):
            load_sharded(tmp_path, _empty())
    shard.write_bytes(content)
    (tmp_path / "step-000000003" / "state.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="not a sharded checkpoint of this package"):
        load_sharded(tmp_path, _empty())


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer_of",
    [build_optimizer, lambda model: torch.optim.AdamW(model.parameters(), lr=0.01)],
)
def test_sharded_checkpoint_resumed_run_equals_an_uninterrupted_one(
    tmp_path, optimizer_of
):
    def run(folder, steps):
        model, batches, _ = runs.make(dropout=False)
        history = fit(
            model, batches, lambda model, x,
            y: nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()),
            optimizer_of(model), steps=steps,
            checkpoint=ShardedCheckpoint(folder, every=4), progress=False,
        )  # fmt: skip
        return runs.fingerprint(model), history.losses

    whole = run(tmp_path / "whole", 12)
    run(tmp_path / "parts", 7)
    assert run(tmp_path / "parts", 12) == whole


def test_start_optimizer_changes_no_parameter():
    model, _, _ = runs.make(dropout=False)
    before, optimizer = (
        runs.fingerprint(model),
        build_optimizer(model, OptimizerSettings(weight_decay=0.1)),
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    start_optimizer(optimizer)
    assert runs.fingerprint(model) == before
    assert [group["lr"] for group in optimizer.param_groups] == rates
    assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.state_dict()["optimizers"][0]["state"], (
        "there is something to read into"
    )


def test_checkpoint_refuses_a_sharded_model(tmp_path):
    model, batches, _ = runs.make(dropout=False)
    model.set_requires_gradient_sync = None  # what tells that a model is split
    with pytest.raises(
        ValueError,
        match="only a part of this model: save it with ShardedCheckpoint",
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


def test_bfloat16_weights_would_lose_small_updates():
    # Near 1, numbers in bfloat16 are 1/128 apart above and 1/256 below: a smaller step
    # has no effect.
    weights = [
        nn.Parameter(torch.ones((), dtype=kind))
        for kind in (torch.float32, torch.bfloat16)
    ]
    for weight in weights:
        optimizer = torch.optim.SGD([weight], lr=0.001)
        for _ in range(100):
            weight.grad = torch.ones_like(weight)
            optimizer.step()
    assert [round(weight.item(), 4) for weight in weights] == [0.9, 1.0]


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
