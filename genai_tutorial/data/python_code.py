"""The documented functions of Python's standard library, as text.

The files of the running Python are read and parsed, never imported or evaluated.
"""

import ast
import platform
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np

from genai_tutorial.runtime import cached

SKIPPED = {
    "test", "tests", "idlelib", "lib2to3", "encodings", "turtledemo", "ensurepip",
    "site-packages", "dist-packages", "__pycache__", "pydoc_data",
}  # fmt: skip
"""Folders that hold tests, tables of characters, bundled programs or other packages."""

LONGEST = 800
"""Longer functions are left out, in characters."""

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class LibraryFunction:
    """A function with a docstring.

    Attributes:
        module: The top-level module that it comes from, such as "json".
        source: Its text, without the indentation of the class or function around it.
    """

    module: str
    name: str
    source: str

    @property
    def part(self) -> Literal["train", "held-out"]:
        """The part of the data that its module belongs to, by a hash of the name."""
        number = int(sha256(self.module.encode()).hexdigest()[:8], 16) / 16**8
        return "held-out" if number < HELD_OUT_SHARE else "train"


def load_functions(
    part: Literal["train", "held-out"] | None = None,
) -> tuple[LibraryFunction, ...]:
    """Return the library's documented functions, in plain ASCII and of moderate length.

    Their number depends on the version of Python. All functions of a module are in the
    same part, so no held-out function has a near copy beside it in the training data.

    Args:
        part: Whether to return the functions of the modules that are for training, or
            of a held-out tenth of the modules; None for all.

    >>> functions = {(found.module, found.name) for found in load_functions()}
    >>> ("heapq", "heappush") in functions
    True
    """
    arrays = cached("python-code", _build, version=platform.python_version())
    sources = arrays["bytes"].tobytes().decode("ascii").split("\0")
    modules, names = arrays["modules"].tolist(), arrays["names"].tolist()
    functions = map(LibraryFunction, modules, names, sources)
    return tuple(found for found in functions if part in (None, found.part))


def _build() -> dict[str, np.ndarray]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, LibraryFunction] = {}
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if SKIPPED.isdisjoint(inside.parts):
            for function in functions_in(path, inside.parts[0].removesuffix(".py")):
                found.setdefault(function.source, function)
    return {
        "modules": np.array([function.module for function in found.values()]),
        "names": np.array([function.name for function in found.values()]),
        "bytes": np.frombuffer("\0".join(found).encode(), dtype=np.uint8),
    }


def functions_in(path: Path, module: str) -> Iterator[LibraryFunction]:
    """Yield the documented functions and methods of a file, without those inside
    others.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (SyntaxError, UnicodeDecodeError):
        return
    lines = text.splitlines(keepends=True)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, ast.FunctionDef):
            children = ast.iter_child_nodes(node)
            waiting += [child for child in children if isinstance(child, ast.stmt)]
        elif ast.get_docstring(node):
            inside = lines[node.lineno - 1 : node.end_lineno]
            source = textwrap.dedent("".join(inside)).rstrip()
            if source.isascii() and len(source) <= LONGEST and "\0" not in source:
                yield LibraryFunction(module, node.name, source)
