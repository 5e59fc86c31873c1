"""The benchmark of chapter 28: which texts count as somebody's own."""

import json
from importlib import import_module
from pathlib import Path


def test_own_texts_are_chapters_without_the_pages_that_continue_them(
    tmp_path, monkeypatch
):
    """A new page such as 02a must not change the split into training and held-out."""
    names = [f"{number:02d}_chapter" for number in range(16)]
    for name in [*names, "02a_page", "14a_page", "many"]:
        cells = [{"cell_type": "markdown", "source": [f"Text of {name}."]}]
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": cells}), "utf8")
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))  # as when the script runs
    edge = import_module("edge")
    monkeypatch.setattr(edge, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(edge, "encode", tuple)
    prose, held_out = edge.own_texts.__wrapped__()
    assert prose == tuple(f"Text of {name}." for name in names[1:13])
    assert held_out == tuple(f"Text of {name}." for name in names[13:15])
