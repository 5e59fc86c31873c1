"""Renumber figures and equations after one was inserted, moved or removed."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from genai_tutorial.runtime import require, write_atomically

from .captions import TAG
from .execute import normalize, notebook_text

# A caption in code; words before a number in prose, and more numbers after it.
_CAPTION = re.compile(r"Figure (\d+[a-z]?\.\d+)\. \S")
_REFERENCE = re.compile(
    r"(?P<kind>[Ff]igure|[Ee]quation)s? "
    r"\d+[a-z]?\.\d+(?:(?:, | and |, and | or | to |–)\d+[a-z]?\.\d+)*\b"
)
_NUMBER = re.compile(r"\d+[a-z]?\.\d+")


def renumber(notebook: Path, pages: Iterable[Path] = ()) -> dict[str, str]:
    """Set the numbers of a notebook's figures and equations to their order, and change
    what refers to them.

    A new figure may have any number that no other has, such as 8.99. Sources and
    outputs change alike, so the notebook need not be executed again.

    Args:
        pages: Other notebooks and pages whose text may refer to the notebook's numbers.

    Returns:
        The numbers that changed, as in {"figure 8.99": "figure 8.4"}.

    Raises:
        ValueError: If two figures or two equations have the same number, or the file
            is damaged.
    """
    try:
        cells = json.loads(notebook.read_text("utf8"))["cells"]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{notebook} cannot be read as a notebook: restore it, or give another."
        ) from error
    new = _new_numbers(cells, notebook.name)
    changed = {old: number for old, number in new.items() if old != number}
    if changed:
        for path in {notebook.resolve(), *(page.resolve() for page in pages)}:
            _rewrite(path, new)
    return changed


def _rewrite(path: Path, new: Mapping[str, str]) -> None:
    """Replace the numbers in a file; a notebook keeps the form of `execute`."""
    before = path.read_text("utf8")
    if path.suffix == ".ipynb":
        nbformat = require("nbformat", "book")
        parts = _replace(json.loads(before), new)
        if parts == json.loads(before):
            return
        made = nbformat.reads(json.dumps(parts), as_version=4)
        normalize(made)
        after = notebook_text(made)
    else:
        after = _REFERENCE.sub(lambda at: _refer(at, new), before)
    if after != before:
        with write_atomically(path, "w") as file:
            file.write(after)


def _new_numbers(cells: list[dict], name: str) -> dict[str, str]:
    """Return the number that each figure and equation should have."""
    found = [
        (kind, number)
        for cell in cells
        for kind, pattern in (
            [("figure", _CAPTION)] if cell["cell_type"] == "code" else
            [("equation", TAG)]
        )
        for number in pattern.findall("".join(cell["source"]))
    ]  # fmt: skip
    start = re.match(r"0*(\d+[a-z]?)_", name)
    if start is None:
        raise ValueError(f"{name} must begin with the number of a chapter, as 08_x.")
    new: dict[str, str] = {}
    counts = {"figure": 0, "equation": 0}
    for kind, number in found:
        if f"{kind} {number}" in new:
            raise ValueError(
                f"{name} has two {kind}s {number}; give the new one any number that is "
                "free."
            )
        counts[kind] += 1
        new[f"{kind} {number}"] = f"{kind} {start[1]}.{counts[kind]}"
    return new


def _replace(part: object, new: Mapping[str, str]) -> object:
    """Replace numbers in all texts of a notebook, except in images and HTML."""
    if isinstance(part, dict):
        return {
            key: value if key.startswith("image/") else _replace(value, new)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_replace(one, new) for one in part]
    if not isinstance(part, str):
        return part
    part = _REFERENCE.sub(lambda at: _refer(at, new), part)
    return TAG.sub(lambda at: _tag(at, new), part)


def _refer(found: re.Match, new: Mapping[str, str]) -> str:
    kind = found["kind"].lower()

    def number(at: re.Match) -> str:
        return new.get(f"{kind} {at[0]}", f"{kind} {at[0]}").split()[1]

    return _NUMBER.sub(number, found[0])


def _tag(found: re.Match, new: Mapping[str, str]) -> str:
    number = new.get(f"equation {found[1]}", f"equation {found[1]}").split()[1]
    return rf"\tag{{{number}}}"
