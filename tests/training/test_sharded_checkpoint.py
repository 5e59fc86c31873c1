"""Sharded checkpoints in one process: they keep every value, and foreign or damaged
folders are refused.
"""

import shutil

import pytest
import torch
from torch import nn
from torch.distributed import checkpoint

from genai_tutorial.training import Checkpoint, OptimizerSettings, build_optimizer, fit
from genai_tutorial.training.memory import (
    ShardedCheckpoint,
    load_sharded,
    save_sharded,
    start_optimizer,
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
