"""The size of the house: who uses a public name, how long its docstring is, how long a
module is, and how much an import loads.

A name is public, and in its room's face (`__init__.py`), because a notebook, a
benchmark, a page of the book or another room uses it, or because it stands in the
signature of such a name. A room that is one module is its own face.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from genai_tutorial.data import SOURCES
from tests.test_architecture import import_graph, imported_module

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "genai_tutorial"
LONGEST = 400
WITHIN = ("tasks", "science")  # what is in them is a room of its own

# The largest number of the package's modules that `import genai_tutorial.<room>` loads.
MOST_LOADED = {
    "runtime": 5, "density": 8, "sandbox": 7, "vae": 7, "metrics": 11, "corpus": 11,
    "gan": 13, "tokenization": 12, "transformer": 17, "teaching": 27, "data": 22,
    "notebook": 29, "diffusion": 33, "interpretability": 37, "generation": 41,
    "training": 46, "policies": 37, "multimodal": 60, "video": 65, "alignment": 75,
    "efficiency": 60, "worldmodels": 85, "retrieval": 91, "pretrained": 98,
    "audio": 99, "safety": 118, "edge": 115, "agents": 154,
}  # fmt: skip


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[: 3 if len(parts) > 2 and parts[1] in WITHIN else 2])


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = path, ast.parse(path.read_text("utf8"))
    return found


@cache
def faces() -> dict[str, dict[str, str]]:
    """Return, for each room, the names in its face and the modules that define them."""
    return {
        name: {
            alias.name: imported_module(node, name, path)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.level
            for alias in node.names
        }
        | {own: name for own in definitions(name) if not own.startswith("_")}
        for name, (path, tree) in modules().items()
        if name == room_of(name) and "." in name
    }


@cache
def definitions(module: str) -> dict[str, ast.stmt]:
    found = {}
    for node in modules()[module][1].body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in getattr(node, "targets", None) or [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        found[part.id] = node
    return found


def programs() -> Iterator[tuple[str, ast.Module]]:
    """Yield everything that may use a room: its name and its code."""
    for name, (path, tree) in modules().items():
        if path.name != "__init__.py":
            yield room_of(name), tree
    for path in [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "book").rglob("*.py")]:
        yield str(path), ast.parse(path.read_text("utf8"))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf8"))["cells"]
        code = "\n".join(
            re.sub(r"^(\s*)[%!].*", r"\1pass", line)
            for cell in cells
            if cell["cell_type"] == "code"
            for line in "".join(cell["source"]).splitlines()
        )
        tree = ast.parse(code)
        yield path.name, tree
        # the script that a chapter writes and starts, in one string or in several
        parts = [
            node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        ]
        script = "".join(part for part in parts if str(part).startswith("\n"))
        if "\nfrom genai_tutorial" in script:
            yield path.name, ast.parse(script)


def used_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the rooms and names of `from room import name`, and of `room.name`."""
    rooms = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.module, alias.name
                rooms[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield rooms.get(node.value.id, ""), node.attr


@cache
def users() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for user, tree in programs():
        for room, name in used_names(tree):
            if room != user:
                found.setdefault((room, name), set()).add(user)
    for source in SOURCES:  # loaders that the page on data and licences names
        found.setdefault(("genai_tutorial.data", source.loader), set()).add("book")
    return found


def in_signature(node: ast.stmt) -> set[str]:
    """Return the names in the signature of a function, or of a class's parts."""
    if isinstance(node, ast.ClassDef):
        parts = [part for part in node.body if not isinstance(part, ast.Expr)]
        names = {name for part in parts for name in in_signature(part)}
        return names | {
            inner.id
            for base in node.bases
            for inner in ast.walk(base)
            if isinstance(inner, ast.Name)
        }
    annotations = []
    if isinstance(node, ast.FunctionDef):
        arguments = node.args
        everyone = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
        annotations = [one.annotation for one in everyone] + [node.returns]
    elif isinstance(node, ast.AnnAssign):
        annotations = [node.annotation]
    return {
        name
        for annotation in annotations
        if annotation is not None
        for inner in ast.walk(annotation)
        for name in [getattr(inner, "id", None) or getattr(inner, "value", None)]
        if isinstance(name, str)
    }


@cache
def words_of(room: str, name: str) -> set[str]:
    """Return the names in the signature of a name in a face."""
    return in_signature(definitions(faces()[room][name]).get(name, ast.Pass()))


@cache
def words_of_used_names() -> set[str]:
    everyone = {(room, name) for room, names in faces().items() for name in names}
    return {word for one in everyone & users().keys() for word in words_of(*one)}


@pytest.mark.slow
def test_names_in_a_face_have_a_user():
    unused = {room: names_without_a_user(room) for room in faces()}
    assert {room: names for room, names in unused.items() if names} == {}


def names_without_a_user(room: str) -> set[str]:
    face = faces()[room]
    public = {name for name in face if (room, name) in users()}
    signatures = set(words_of_used_names())
    reached = public
    while reached:  # names in the signatures of names in signatures
        signatures |= {word for name in reached for word in words_of(room, name)}
        reached = {name for name in face if name in signatures} - public
        public |= reached
    return face.keys() - public


@pytest.mark.slow
def test_no_two_faces_have_one_name():
    rooms: dict[str, list[str]] = {}
    for room, face in faces().items():
        for name in face:
            rooms.setdefault(name, []).append(room)
    assert {name: where for name, where in rooms.items() if len(where) > 1} == {}


def test_docstrings_are_whole_in_a_face_and_a_sentence_elsewhere():
    """Besides the sentence, an inside name may have its source and an example. The
    docstrings of commands are their help texts.
    """
    faults = []
    for name, (path, tree) in modules().items():
        if path.name == "__init__.py" or room_of(name) == "genai_tutorial.cli":
            continue
        face = faces().get(room_of(name), {})
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = ast.get_docstring(node) or ""
                paragraphs = [
                    part
                    for part in text.split("\n\n")
                    if not part.startswith(("Source:", ">>>"))
                ]
                public = face.get(node.name) == name
                if not text if public else len(paragraphs) > 1:
                    faults.append(f"{name}.{node.name}")
    assert faults == []


def test_modules_are_short():
    lines = {
        str(path.relative_to(ROOT)): path.read_text("utf8").count("\n")
        for path, _ in modules().values()
    }
    assert {path: n for path, n in lines.items() if n > LONGEST} == {}


def test_import_of_a_room_loads_few_modules():
    counts = {room: len(loaded_by(room)) for room in MOST_LOADED}
    assert {room: n for room, n in counts.items() if n > MOST_LOADED[room]} == {}


def loaded_by(room: str) -> set[str]:
    graph = import_graph(PACKAGE)
    loaded: set[str] = set()
    unread = [f"genai_tutorial.{room}"]
    while unread:
        module = unread.pop()
        if module not in loaded:
            loaded.add(module)
            unread += graph[module]
    return loaded
