from pathlib import Path
from types import SimpleNamespace

import pytest

from genai_tutorial.notebook.chapters import (
    RunningTime,
    longest_first,
    record_time,
    recorded_times,
    stated_times,
    with_time,
)
from genai_tutorial.notebook.environment import pytest_collection_modifyitems


@pytest.mark.parametrize(
    ("known", "seconds", "kept"),
    [
        (None, 42.4, 40),
        (None, 0.3, 5),  # a running time is never zero
        (60, 68.9, 60),  # 15% more: the machine was busy
        (60, 69.1, 70),
        (60, 51.1, 60),
        (60, 50.9, 50),
        (10, 14.9, 10),  # less than a step of 5 seconds
        (10, 15.1, 15),
    ],
)
def test_running_time_changes_only_with_notebook(
    known: int | None, seconds: float, kept: int, tmp_path: Path
):
    path = tmp_path / "09_x.ipynb"
    if known is not None:
        record_time(path, known, threads=1)
    before = (tmp_path / "running_times.json").read_bytes() if known else b""
    time = record_time(path, seconds, threads=1)
    assert time == recorded_times(tmp_path)["09_x"] == RunningTime(kept, threads=1)
    if kept == known:
        assert (tmp_path / "running_times.json").read_bytes() == before


def test_running_time_records_number_of_threads(tmp_path: Path):
    path = tmp_path / "09_x.ipynb"
    record_time(path, 60, threads=2)
    assert record_time(path, 62, threads=1) == RunningTime(60, threads=2)
    assert record_time(path, 90, threads=1) == RunningTime(90, threads=1)


def test_running_times_are_sorted_by_chapter(tmp_path: Path):
    for name in ("10_b", "02_a"):
        record_time(tmp_path / f"{name}.ipynb", 60, threads=1)
    assert list(recorded_times(tmp_path)) == ["02_a", "10_b"]


@pytest.mark.parametrize("text", ["[]", "{", '{"09_x": {"minutes": 2}}', '{"09_x": 2}'])
def test_running_times_damaged_file_error_says_how_to_fix_it(text: str, tmp_path: Path):
    (tmp_path / "running_times.json").write_text(text)
    with pytest.raises(ValueError, match=r"running_times\.json must hold .*delete it"):
        recorded_times(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("| 45 minutes | 40 s | `vae` |", "| 45 minutes | 75 s | `vae` |"),
        ("| To run | 40 s on 2 CPU cores |", "| To run | 75 s on 2 CPU cores |"),
        ("A prompt of 40 s, or 2 min", "A prompt of 40 s, or 2 min"),
    ],
)
def test_running_time_replaces_only_table_cell(before: str, after: str):
    assert with_time(before, RunningTime(75, threads=1)) == after
    assert stated_times(after) == ([75] if before != after else [])


def test_schedule_starts_longest_notebook_first(tmp_path: Path):
    """A notebook without a recorded time comes first, because it may be the longest."""
    paths = [tmp_path / f"{name}.ipynb" for name in ("short", "new", "long", "middle")]
    for path, seconds in zip(paths, (20, None, 90, 45), strict=True):
        if seconds:
            record_time(path, seconds, threads=1)
    assert [path.stem for path in longest_first(paths)] == [
        "new",
        "long",
        "middle",
        "short",
    ]


def test_nbval_order_is_longest_notebook_first(tmp_path: Path):
    """The plug-in reorders notebooks but keeps the order of cells within each."""
    short, long = tmp_path / "01_short.ipynb", tmp_path / "02_long.ipynb"
    record_time(short, 20, threads=1)
    record_time(long, 90, threads=1)
    items = [
        SimpleNamespace(path=path, name=name)
        for path in (short, long)
        for name in ("Cell 0", "Cell 1", "Cell 10", "Cell 2")
    ]
    expected = items[4:] + items[:4]
    pytest_collection_modifyitems(items)
    assert items == expected
