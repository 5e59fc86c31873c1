"""The package's records are complete, named after the script that produced them, and
readable without the repository.
"""

import json
import re
from pathlib import Path

import pytest
import torch

from genai_tutorial.runtime import (
    RECORDS,
    describe_machine,
    keep_images,
    keep_record,
    record,
    recorded_images,
    run_parts,
)
from tests.mutants import mutants, refusals

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path", sorted(RECORDS.glob("*.json")), ids=lambda path: path.stem
)
def test_records_have_their_benchmark_script(path):
    assert record(path.stem)
    script = (REPOSITORY / "benchmarks" / f"{path.stem}.py").read_text("utf8")
    assert re.search(rf'keep_record\(\s*"{path.stem}"', script)


def test_notebooks_read_no_repository_files():
    for notebook in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text("utf8"))["cells"]:
            if cell["cell_type"] == "code":
                assert not re.search(r"""["']\.\./""", "".join(cell["source"])), (
                    notebook.name
                )


def test_keep_record_is_atomic(tmp_path):
    keep_record("some", {"distance": 1.5}, tmp_path)
    with pytest.raises(ValueError, match="Out of range float"):
        keep_record("some", {"distance": float("nan")}, tmp_path)
    assert json.loads((tmp_path / "some.json").read_text("utf8")) == {"distance": 1.5}
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]


def test_recorded_images_round_trip(tmp_path, monkeypatch):
    monkeypatch.setattr("genai_tutorial.runtime.records.RECORDS", tmp_path)
    images = torch.randint(256, (3, 3, 8, 8)) / 255
    keep_images("some", "large ones", images, tmp_path)
    assert torch.equal(recorded_images("some", "large ones"), images)
    with pytest.raises(FileNotFoundError, match="There are: some_large_ones"):
        recorded_images("some", "small ones")


def script(calls):
    def part(name):
        def measure(seed, small):
            calls.append((name, seed, small))
            return {"value": len(name) + 10 * seed}

        return measure

    return {"first": part("first"), "first_long": part("first_long")}


def test_parts_and_seeds_that_have_a_file_are_not_repeated(tmp_path):
    calls = []
    arguments = ["--folder", str(tmp_path / "runs"), "--seeds", "0", "1"]
    record = tmp_path / "some.json"
    once = run_parts("some", script(calls), "help", arguments, record)
    again = run_parts("some", script(calls), "help", [*arguments, "2"], record)
    assert calls == [
        (name, seed, False) for seed in (0, 1, 2) for name in ("first", "first_long")
    ]
    assert [run["value"] for run in once["first"].values()] == [5, 15]
    assert list(again["first_long"]) == ["0", "1", "2"]
    assert {"machine", "first", "first_long"} == set(again)


def test_a_record_keeps_parts_and_seeds_without_a_file(tmp_path):
    record = tmp_path / "some.json"
    old = {"machine": {"processor": "Z"}, "first": {"3": {"value": 7}}, "gone": {}}
    record.write_text(json.dumps(old), "utf-8")
    arguments = ["--folder", str(tmp_path), "--seeds", "0", "--parts", "first"]
    whole = run_parts("some", script([]), "help", arguments, record)
    assert whole["first"]["3"] == {"value": 7}
    assert list(whole["first"]) == ["0", "3"]
    assert set(whole) == {"machine", "first"}
    assert whole["machine"] == {"processor": "Z"}
    assert whole["first"]["0"]["processor"] == describe_machine()["processor"]


def test_a_smoke_run_measures_all_parts_and_keeps_nothing(tmp_path):
    calls, folder = [], tmp_path / "runs"
    arguments = ["--folder", str(folder), "--seeds", "0", "--smoke"]
    assert run_parts("some", script(calls), "help", arguments) is None
    assert calls == [("first", 0, True), ("first_long", 0, True)]
    assert not folder.exists()


def test_an_unknown_part_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_parts("some", script([]), "help", ["--parts", "third"])
    assert "third" in capsys.readouterr().err


def test_damaged_record_is_a_value_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr("genai_tutorial.runtime.records.RECORDS", tmp_path)
    whole = (RECORDS / "diffusion_steps.json").read_bytes()
    path = tmp_path / "diffusion_steps.json"
    damaged = [*mutants(whole, 40), b"[1, 2]", b"[" * 100_000]
    said = refusals(path, damaged, lambda: record("diffusion_steps"))
    assert len(said) > 20
    assert all(str(path) in message for message in said)
