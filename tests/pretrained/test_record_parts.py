import json

import pytest

from genai_tutorial.pretrained import run_parts


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
    old = {"first": {"3": {"value": 7}}, "gone": {"0": {}}}
    record.write_text(json.dumps(old), "utf-8")
    arguments = ["--folder", str(tmp_path), "--seeds", "0", "--parts", "first"]
    whole = run_parts("some", script([]), "help", arguments, record)
    assert whole["first"]["3"] == {"value": 7}
    assert list(whole["first"]) == ["0", "3"]
    assert set(whole) == {"machine", "first"}


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
