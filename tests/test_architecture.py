"""The package has no import cycles, not even ones hidden by imports inside functions.

The import-linter contract in pyproject.toml checks that rooms import only from lower
rooms. These tests also cover modules within a room and imports inside functions.
"""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "genai_tutorial"


@cache
def import_graph(package: Path) -> dict[str, set[str]]:
    """Return for each module of a package the package's modules that it imports
    anywhere.
    """
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return {
        name: {
            module
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for module in _imported(node, name, names)
            if module != name
        }
        for name, path in names.items()
    }


def imported_module(node: ast.ImportFrom, importer: str, path: Path) -> str:
    """Return the absolute name of the module that `from ... import` names."""
    if not node.level:
        return node.module or ""
    here = importer.split(".")
    up = node.level - (path.name == "__init__.py")
    return ".".join([*here[: len(here) - up], node.module or ""]).rstrip(".")


def _imported(node: ast.AST, importer: str, names: dict[str, Path]) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & names.keys()
    if not isinstance(node, ast.ImportFrom):
        return set()
    module = imported_module(node, importer, names[importer])
    if module not in names:
        return set()
    full = {f"{module}.{alias.name}" for alias in node.names}
    # `from package import module` needs the module; any other name, the package.
    return {name if name in names else module for name in full}


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one cycle, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.slow
def test_package_has_no_import_cycles():
    assert cycle(import_graph(PACKAGE)) == []


@pytest.mark.parametrize(
    "late",
    ["from pkg.a import x", "import pkg.a", "from pkg import a", "from .a import x"],
)
def test_import_cycle_inside_function_is_found(tmp_path, late):
    (tmp_path / "pkg").mkdir()
    for name, source in {
        "__init__": "",
        "a": "from pkg.b import y\nx = 1\n",
        "b": f"y = 2\n\n\ndef f():\n    {late}\n",
    }.items():
        (tmp_path / "pkg" / f"{name}.py").write_text(source)
    assert set(cycle(import_graph(tmp_path / "pkg"))) == {"pkg.a", "pkg.b"}
