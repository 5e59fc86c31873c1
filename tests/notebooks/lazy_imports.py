"""Which extras a part of the package loads only when it is used: those that it names in
`require` and `package_folder`, and those of all that it calls by name.
"""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

LOADING = {"require", "package_folder"}
# A recipe needs its data only for training, and sounds are WAV files without soundfile.
NOT_FOLLOWED = ("genai_tutorial.recipes", "genai_tutorial.notebook")


def imported_things(code: ast.AST) -> Iterator[tuple[str, object]]:
    """Return what code imports from the package, with its name. Of an imported room,
    these are the attributes that the code uses.
    """
    rooms, nodes = {}, list(ast.walk(code))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module.startswith(
            "genai_tutorial"
        ):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if node.module == "genai_tutorial":
                    importlib.import_module(f"genai_tutorial.{alias.name}")
                thing = getattr(module, alias.name, None)
                if inspect.ismodule(thing):
                    rooms[alias.asname or alias.name] = thing
                yield alias.name, thing
    for node in nodes:
        if isinstance(node, ast.Attribute):
            room = rooms.get(getattr(node.value, "id", None))
            if room:
                yield node.attr, getattr(room, node.attr, None)


def lazy_extras(thing: object) -> set[str]:
    extras, followed, waiting = set(), set(), code_among([thing])
    while waiting:
        thing = waiting.pop()
        followed.add(thing)
        named, called = named_in(thing)
        extras |= named
        waiting |= called - followed
    return extras


def code_among(things: list[object]) -> set[object]:
    """Return the functions and classes whose code is followed."""
    return {
        thing
        for thing in map(inspect.unwrap, things)
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__.startswith("genai_tutorial.")
        and not thing.__module__.startswith(NOT_FOLLOWED)
    }


@cache
def definitions(module: ModuleType) -> dict[str, ast.stmt]:
    """Return a module's functions and classes; `inspect.getsource` of a class reads the
    whole module again.
    """
    return {
        node.name: node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@cache
def named_in(thing: type) -> tuple[set[str], set[object]]:
    """Return the extras that a function or class names, and the code that it names."""
    module = sys.modules[thing.__module__]
    names = dict(vars(module))
    nodes = list(ast.walk(definitions(module)[thing.__qualname__]))
    extras, called = set(), []
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            place = "." * node.level + (node.module or "")
            if node.level or place.startswith("genai_tutorial"):
                source = importlib.import_module(place, module.__package__)
                for alias in node.names:
                    names[alias.asname or alias.name] = getattr(source, alias.name, 0)
    for node in nodes:
        if isinstance(node, ast.Name):
            called.append(names.get(node.id))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in LOADING:
            given = [*node.args[1:], *(key.value for key in node.keywords)][0]
            extra = names[given.id] if isinstance(given, ast.Name) else given.value
            extras |= {extra} - {None}
    return extras, code_among(called)
