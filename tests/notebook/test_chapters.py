from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from genai_tutorial.notebook import (
    Chapter,
    chapters,
    find_repository,
    scoreboard,
    unnumbered_pages,
)
from genai_tutorial.notebook.chapters import (
    RunningTime,
    chapters_table,
    longest_first,
    read_chapter,
    record_time,
    recorded_times,
    stated_times,
    with_time,
)
from genai_tutorial.notebook.claims import claim_anchor
from genai_tutorial.notebook.environment import pytest_collection_modifyitems

FACTS = {
    "extras": ["text"],
    "rooms": ["data", "training"],
    "reading_minutes": 40,
    "builds_on": [1],
}


def write(
    folder: Path,
    name: str,
    number: int,
    title: str,
    claims: Sequence[str | dict] = (),
    seconds: int = 45,
    **facts: object,
) -> Path:
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {number}. {title}\n\nYou will."),
            new_code_cell("claims()"),
        ]
    )
    for claim in claims:
        more = {"statement": claim} if isinstance(claim, str) else claim
        fact = {"claim": {"measured": "4", "holds": True, **more}}
        notebook.cells[1].outputs.append(
            new_output("display_data", {}, metadata={"genai_tutorial": fact})
        )
    notebook.metadata["genai_tutorial"] = {"chapter": number, **FACTS, **facts}
    path = folder / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    record_time(path, seconds, threads=1)
    return path


def test_find_chapters_reads_notebook_metadata(tmp_path: Path):
    path = write(tmp_path, "04_model.ipynb", 4, "The model: a *small* one")
    assert read_chapter(path) == Chapter(
        number=4, title="The model: a *small* one", path=path, extras=("text",),
        rooms=("data", "training"), reading_minutes=40, running_seconds=45,
        builds_on=(1,),
    )  # fmt: skip


def test_find_chapters_sorts_by_chapter_number(tmp_path: Path):
    for number in (10, 4, 29, 0, 1):
        write(tmp_path, f"{number:02d}_x.ipynb", number, "Title")
    write(tmp_path, "scratch.ipynb", 5, "Not a chapter")
    assert [chapter.number for chapter in chapters(tmp_path)] == [0, 1, 4, 10, 29]


def test_chapter_0_is_a_chapter_like_any_other(tmp_path: Path):
    write(tmp_path, "00_start.ipynb", 0, "Start", claims=["First"], builds_on=[])
    write(tmp_path, "00a_more.ipynb", 0, "Start, further", claims=["Second"])
    (found,) = chapters(tmp_path)
    assert (found.number, found.builds_on) == (0, ())
    assert "[0. Start](notebooks/00_start.ipynb)" in chapters_table([found])
    rows = [(row.chapter.number, row.page.stem) for row in scoreboard([found])]
    assert rows == [(0, "00_start"), (0, "00a_more")]


def test_unnumbered_pages_are_not_chapters(tmp_path: Path):
    """A page of the book has metadata; other notebooks in the folder are ignored."""
    write(tmp_path, "01_start.ipynb", 1, "Start")
    page = write(tmp_path, "more.ipynb", 1, "More")
    nbformat.write(new_notebook(), tmp_path / "notebooks" / "scratch.ipynb")
    (tmp_path / "notebooks" / "broken.ipynb").write_text("this is no JSON")
    assert unnumbered_pages(tmp_path) == [page]
    assert [chapter.path.name for chapter in chapters(tmp_path)] == ["01_start.ipynb"]


def test_claims_of_a_page_that_continues_a_chapter_are_the_chapters(tmp_path: Path):
    write(tmp_path, "01_start.ipynb", 1, "Start", claims=["First"])
    page = write(tmp_path, "01a_more.ipynb", 1, "More", claims=["Second"])
    write(tmp_path, "02_next.ipynb", 2, "Next", claims=["Third"])
    assert unnumbered_pages(tmp_path) == [page]
    rows = scoreboard(chapters(tmp_path))
    assert [(row.chapter.number, row.page.stem, row.statement) for row in rows] == [
        (1, "01_start", "First"),
        (1, "01a_more", "Second"),
        (2, "02_next", "Third"),
    ]


def test_table_links_to_each_notebook(tmp_path: Path):
    write(tmp_path, "01_start.ipynb", 1, "Start", seconds=120)
    assert chapters_table(chapters(tmp_path)).splitlines() == [
        "| chapter | package rooms | to read | to run |",
        "| --- | --- | --- | --- |",
        "| [1. Start](notebooks/01_start.ipynb) | `data`, `training` | 40 min | 120 s |",  # noqa: E501
    ]


def test_scoreboard_lists_claims_in_reading_order(tmp_path: Path):
    write(tmp_path, "02_b.ipynb", 2, "B", claims=["Third"])
    write(tmp_path, "01_a.ipynb", 1, "A", claims=["First", "Second"])
    rows = scoreboard(chapters(tmp_path))
    assert [(row.chapter.number, row.statement) for row in rows] == [
        (1, "First"),
        (1, "Second"),
        (2, "Third"),
    ]
    assert (rows[0].measured, rows[0].anchor) == ("4", claim_anchor("First"))


def test_scoreboard_shows_baseline_and_record_of_claim(tmp_path: Path):
    live = {"statement": "Live", "baseline": "0.100", "seeds": 5, "items": 200}
    recorded = {"statement": "Recorded", "recorded": "spread", "baseline": "1"}
    exact = {"statement": "Exact", "exact": True}
    pair = {"statement": "Pair", "versus": "off: 0", "interval": "95% interval 3 to 5"}
    found = [live, recorded, exact, pair, "Silent"]
    write(tmp_path, "01_a.ipynb", 1, "A", claims=found)
    rows = scoreboard(chapters(tmp_path))
    assert [(row.baseline, row.origin, row.seeds, row.items) for row in rows] == [
        ("0.100", "live", 5, 200),
        ("1", "recorded", None, None),
        ("", "exact", None, None),
        ("", "live", None, None),
        ("", "", None, None),
    ]
    assert (rows[3].interval, rows[3].versus) == ("95% interval 3 to 5", "off: 0")


def test_chapter_never_executed_has_no_running_time(tmp_path: Path):
    write(tmp_path, "01_a.ipynb", 1, "A")
    (tmp_path / "notebooks" / "running_times.json").unlink()
    (chapter,) = chapters(tmp_path)
    assert chapter.running_seconds is None
    assert chapters_table([chapter]).endswith("| 40 min | not run yet |")


def test_repository_root_is_found_from_any_subfolder(tmp_path: Path):
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    (tmp_path / "genai_tutorial").mkdir()
    (tmp_path / "genai_tutorial" / "__init__.py").touch()
    assert find_repository(tmp_path / "notebooks" / "deep") == tmp_path


def test_chapter_heading_with_wrong_number_raises(tmp_path: Path):
    path = write(tmp_path, "04_model.ipynb", 4, "Title", chapter=5)
    with pytest.raises(
        ValueError, match="chapter 5 by its metadata and 4 by its heading"
    ):
        read_chapter(path)


def test_notebook_without_metadata_is_named_in_error(tmp_path: Path):
    path = write(tmp_path, "04_model.ipynb", 4, "Title")
    notebook = nbformat.read(path, as_version=4)
    del notebook.metadata["genai_tutorial"]
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match=r"04_model\.ipynb is not a chapter"):
        read_chapter(path)


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
    paths = [tmp_path / f"{name}.ipynb" for name in ("short", "new", "long", "middle")]
    for path, seconds in zip(paths, (20, None, 90, 45), strict=True):
        if seconds:
            record_time(path, seconds, threads=1)
    assert [path.stem for path in longest_first(paths)] == [
        "new", "long", "middle", "short",
    ]  # fmt: skip


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
