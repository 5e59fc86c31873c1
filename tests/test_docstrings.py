"""Style rules for the package's docstrings for which ruff has no rule.

Ruff checks the rest: an imperative first line, and the sections of the Google style.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "genai_tutorial").rglob("*.py"))
RAISES = re.compile(r"^[A-Z]\w+: If ")


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and text of each docstring of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def section(text: str, name: str) -> list[str]:
    """Return the items of a section: its least indented lines."""
    lines = text.splitlines()
    if f"{name}:" not in lines:
        return []
    items = []
    for line in lines[lines.index(f"{name}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        if re.match(r" {4}\S", line):
            items.append(line.strip())
    return items


def faults(text: str) -> list[str]:
    found = [
        f"under Raises, {item!r} must read 'SomeError: If ...'"
        for item in section(text, "Raises")
        if not RAISES.match(item)
    ]
    if "Raises:" in text.splitlines() and not section(text, "Raises"):
        found.append("Raises: has no item that is indented by four spaces")
    if re.search(r"^\s*Examples?:$", text, re.MULTILINE):
        found.append("an example has no header; begin it with >>>")
    if re.match(r"Returns\b", text):
        found.append("begin with 'Return', as an instruction")
    return found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Do it.\n\nRaises:\n    ValueError: When it is odd.", "'SomeError: If ...'"),
        ("Do it.\n\nRaises:\n    If it is odd.", "'SomeError: If ...'"),
        (
            (
                "Do it.\n\nRaises:\n    ValueError: If it is\n        odd.\n"
                "    TypeError: It is text."
            ),
            "TypeError: It is text.",
        ),
        ("Do it.\n\nRaises:\n  ValueError: If it is odd.", "no item"),
        ("Do it.\n\nExample:\n    >>> do()", "no header"),
        ("Do it.\n\nExamples:\n    >>> do()", "no header"),
        ("Returns it.", "begin with 'Return'"),
    ],
)
def test_docstring_fault_is_reported(text: str, fault: str):
    (problem,) = faults(text)
    assert fault in problem


def test_docstring_without_fault_passes():
    good = (
        "Return it.\n\nExample: `genai-tutorial doctor`\n\nRaises:\n"
        "    ValueError: If it is\n        odd.\n\n    ImportError: If it is not "
        "installed.\n\n>>> do()\n"
    )
    assert faults(good) == []


def test_docstrings_are_found_in_modules_classes_and_functions():
    source = (
        '"""Module."""\nclass A:\n    """Class."""\n    def f(self):\n        '
        '"""Method."""\nasync def g():\n    """Function."""'
    )
    assert sorted(text for _, text in docstrings(source)) == [
        "Class.", "Function.", "Method.", "Module.",
    ]  # fmt: skip


@pytest.mark.slow
def test_package_docstrings_have_no_faults():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in MODULES
        for line, text in docstrings(path.read_text("utf8"))
        for fault in faults(text)
    ]
    assert MODULES
    assert not found, "\n" + "\n".join(found)
