import contextlib
import hashlib
import json
import random
import time

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from genai_tutorial.runtime import write_atomically
from genai_tutorial.training import load_checkpoint, save_checkpoint
from genai_tutorial.training.checkpoint import FORMAT
from tests.training import processes, runs

STATE = {
    "step": 3,
    "rate": 0.1,
    "nothing": None,
    "flag": True,
    "by_number": {0: {"mean": torch.arange(6.0).reshape(2, 3)}, 1: {}},
    "mixed": [1, (2.5, "three"), torch.tensor(4)],
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
}


@pytest.fixture(scope="module")
def uninterrupted():
    return runs.run()


def _same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


def test_checkpoint_round_trip_keeps_every_value(tmp_path):
    save_checkpoint(tmp_path / "folder" / "run.safetensors", STATE)
    assert _same(load_checkpoint(tmp_path / "folder" / "run.safetensors"), STATE)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == [
        "run.safetensors"
    ]


def test_checkpoint_saves_tensors_that_share_memory(tmp_path):
    row = torch.arange(4.0)
    save_checkpoint(
        tmp_path / "run.safetensors", {"whole": row, "part": row[:2], "again": row}
    )
    assert torch.equal(load_checkpoint(tmp_path / "run.safetensors")["part"], row[:2])


X, Y, Z = (torch.full((2,), float(number)) for number in range(3))
SAME_NAMES = [
    {"a.b": X, "a": {"b": Y}},
    {"a": {"b": X}, "a.b": Y},
    {"m": [X, Z], "m.0": Y},
    {"a": {"b.c": X}, "a.b": {"c": Y}, "a.b.c": Z},
    {0: X, "0": Y},
    {None: X, "None": Y},
    {"__metadata__": X},
    {"": X, "[]": Y},
    {"a.b": X, "a": {"b": Y}, '["a.b"]': Z},
    {"\ud800": X},
]


@pytest.mark.parametrize("state", SAME_NAMES, ids=repr)
def test_checkpoint_keeps_clashing_tensor_names_apart(tmp_path, state):
    """Tensors whose dotted names are equal or not allowed in a file are all saved and
    restored.
    """
    save_checkpoint(tmp_path / "run", state)
    assert _same(load_checkpoint(tmp_path / "run"), state)


def test_checkpoint_keeps_unambiguous_tensor_names(tmp_path):
    """An ordinary checkpoint keeps its names, so that older ones can be loaded."""
    state = {"model": {"head.weight": X}, "moments": [{0: Y}, (Z,)]}
    save_checkpoint(tmp_path / "run", state)
    with safe_open(tmp_path / "run", framework="pt") as file:
        assert set(file.keys()) == {"model.head.weight", "moments.0.0", "moments.1.0"}


def test_checkpoint_refuses_other_types_and_keeps_the_old_file(tmp_path):
    save_checkpoint(tmp_path / "run.safetensors", {"step": 1})
    with pytest.raises(TypeError, match=r"model\.blocks has a set"):
        save_checkpoint(tmp_path / "run.safetensors", {"model": {"blocks": {1, 2}}})
    assert load_checkpoint(tmp_path / "run.safetensors") == {"step": 1}


def test_checkpoint_detects_a_truncated_file(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, STATE)
    whole = path.read_bytes()
    for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(
            ValueError, match=r"run\.safetensors is damaged or incomplete: delete it"
        ):
            load_checkpoint(path)


def test_checkpoint_detects_a_changed_byte(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, STATE)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_checkpoint(path)


def _rewrite(path, change):
    """Change the header of a checkpoint, which is JSON."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    header = json.dumps(header).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("tree", '["step", 3]', '["step", 4]'),
        ("tree", "0.1", "0.2"),
        ("shape", [2, 3], [3, 2]),
        ("dtype", "F32", "I32"),
    ],
)
def test_checkpoint_detects_a_changed_number_shape_or_dtype(tmp_path, part, old, new):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, STATE)

    def change(header):
        if part == "tree":
            metadata = header["__metadata__"]
            assert old in metadata["tree"]
            metadata["tree"] = metadata["tree"].replace(old, new)
        else:
            assert header["by_number.0.mean"][part] == old
            header["by_number.0.mean"][part] = new

    _rewrite(path, change)
    with pytest.raises(ValueError, match=r"run\.safetensors is damaged"):
        load_checkpoint(path)


def _write(path, tree):
    """Write a checkpoint of this tree with the digest that it demands."""
    digest = hashlib.sha256(tree.encode() + b"w torch.float32 (2,) ")
    digest.update(torch.ones(2).numpy().tobytes())
    header = {"format": FORMAT, "tree": tree, "digest": digest.hexdigest()}
    save_file({"w": torch.ones(2)}, path, header)


@pytest.mark.parametrize(
    "tree",
    [
        "[" * 100_000,
        '{"kind": "list", "items": [' * 2000 + "]}" * 2000,
        "no JSON",
        "[]",
        "{}",
        '{"kind": "tensor", "name": "absent"}',
        '{"kind": "tensor", "name": "w"}',
        '{"kind": "dict", "items": [[1, 2, 3]]}',
        '{"kind": "dict", "items": [[[], 2]]}',
        '{"kind": "list"}',
        '{"kind": "list", "items": 3}',
    ],
    ids=range(11),
)
def test_checkpoint_refuses_any_other_tree(tmp_path, tree):
    path = tmp_path / "run.safetensors"
    _write(path, tree)
    with pytest.raises(ValueError, match=r"run\.safetensors is damaged"):
        load_checkpoint(path)


def test_run_refuses_the_checkpoint_of_another_kind_of_run(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, {"step": 3})
    with pytest.raises(
        ValueError, match=r"run\.safetensors is from another kind of run"
    ):
        runs.run(path)
    runs.run(path, steps=2, resume=False)
    save_checkpoint(path, load_checkpoint(path) | {"generators": [torch.ones(3)]})
    with pytest.raises(ValueError, match=r"run\.safetensors is from another model"):
        runs.run(path)


def test_run_removes_what_a_killed_one_has_left(tmp_path):
    path, other = tmp_path / "run.safetensors", tmp_path / "other.safetensors"
    unfinished = [write_atomically(file) for file in (path, other)]
    for writing in unfinished:
        writing.__enter__().write(b"half")
    assert len(list(tmp_path.iterdir())) == 2
    runs.run(path, steps=2)
    left = {file.name for file in tmp_path.iterdir()}
    assert "run.safetensors" in left
    assert len(left) == 2, "the other file's stays"


def test_checkpoint_refuses_files_of_another_kind(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="not a training checkpoint"):
        load_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 7, 12, 23])
def test_checkpoint_resumed_run_equals_an_uninterrupted_one(
    tmp_path, uninterrupted, stop
):
    runs.run(tmp_path / "run.safetensors", steps=stop)
    model, history = runs.run(tmp_path / "run.safetensors")
    expected_model, expected = uninterrupted
    assert history.losses == expected.losses
    assert [(e.step, e.value) for e in history.evaluations if e.step % 6 == 0] == [
        (e.step, e.value) for e in expected.evaluations
    ]
    assert runs.fingerprint(model) == runs.fingerprint(expected_model)


@pytest.mark.slow
def test_checkpoint_survives_ten_kills_at_random_moments(tmp_path, uninterrupted):
    model, history = uninterrupted
    moments, kills, finished, steps_at_kills = random.Random(0), 0, 0, set()
    while kills < 10 or finished == 0:
        path = tmp_path / f"{finished}.safetensors"
        while not path.with_suffix(".result").exists():
            steps, sender = processes.CONTEXT.Pipe(duplex=False)
            process = processes.start_alone(processes.train_alone, path, sender)
            sender.close()
            if (
                kills < 10
                # some steps later, and then at any moment: in a step, or while a file
                # is written
            ):
                with contextlib.suppress(EOFError):  # the run was nearly done
                    for _ in range(moments.randint(1, 6)):
                        steps.recv()
                time.sleep(moments.uniform(0, 0.02))
                process.kill()
            process.join()
            if process.exitcode == -9:
                kills += 1
                steps_at_kills.add(
                    load_checkpoint(path)["step"] if path.exists() else 0
                )
        finished += 1
        result = torch.load(path.with_suffix(".result"))
        assert result["losses"] == history.losses
        assert all(map(torch.equal, result["weights"], model.parameters()))
        assert load_checkpoint(path)["step"] == runs.STEPS
    assert len(steps_at_kills) > 3, "the kills should fall into different steps"


def test_checkpoint_without_resume_starts_again(tmp_path, uninterrupted):
    save_checkpoint(tmp_path / "run.safetensors", {"step": 3})  # would not even load
    _, history = runs.run(tmp_path / "run.safetensors", resume=False)
    assert history.losses == uninterrupted[1].losses
    assert load_checkpoint(tmp_path / "run.safetensors")["step"] == runs.STEPS


def test_checkpoint_contains_no_code(tmp_path):
    runs.run(tmp_path / "run.safetensors", steps=2)
    content = (tmp_path / "run.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tree = json.loads(header["__metadata__"]["tree"])
    assert {key for key, _ in tree["items"]} == {
        "step", "model", "optimizer", "batches", "schedule", "average", "generators",
        "random", "history",
    }  # fmt: skip
