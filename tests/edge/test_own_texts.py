"""A folder's prose is read, and its code is not."""

import json

import pytest

from genai_tutorial.edge import OwnText, book_prose, read_own_texts


def notebook(*cells):
    return json.dumps(
        {"cells": [{"cell_type": kind, "source": source} for kind, source in cells]}
    )


def test_read_own_texts_keeps_prose_by_name(tmp_path):
    (tmp_path / "b.txt").write_text("Letters.\n\n\n\nMore.")
    (tmp_path / "a.md").write_text("Before\n```python\nx = 1\n```\nafter")
    (tmp_path / "c.ipynb").write_text(
        notebook(
            ("markdown", ["# One\n", "two"]), ("code", ["x = 1"]), ("markdown", "3")
        )
    )
    (tmp_path / "d.py").write_text("not prose")
    (tmp_path / "empty.md").write_text("\n")
    assert read_own_texts(tmp_path) == (
        OwnText("a.md", "Before\nafter"),
        OwnText("b.txt", "Letters.\n\nMore."),
        OwnText("c.ipynb", "# One\ntwo\n\n3"),
    )


def test_book_prose_comes_with_the_package_and_is_long_enough_for_the_chapter():
    *to_learn, held_out = read_own_texts(book_prose())
    assert [text.name[:2] for text in to_learn] == ["01", "02"]
    assert held_out.name.startswith("13")
    assert len(held_out.text) > 20_000
    assert sum(len(text.text) for text in to_learn) > 60_000


def test_read_own_texts_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_own_texts(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="some of your own"):
        read_own_texts(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"\xff\xfe\x00"),
        ("a.ipynb", b"{"),
        ("a.ipynb", b"[]"),
        ("a.ipynb", b'{"cells": [1]}'),
    ],
)
def test_read_own_texts_names_the_file_that_it_cannot_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_own_texts(tmp_path)
