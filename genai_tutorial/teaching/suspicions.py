"""What the teacher should look at: code that could deceive the tests."""

import ast
import re
import warnings
from collections.abc import Iterator

from genai_tutorial.teaching.source import plain_python

# Modules that no exercise needs but that tricks use; the first ones other modules also
# have as attributes.
_REACHED = frozenset({
    "builtins", "ctypes", "ctypeslib", "gc", "importlib", "inspect", "linecache",
    "multiprocessing", "os", "subprocess", "sys", "threading", "weakref",
})  # fmt: skip
_MODULES = _REACHED | {
    "IPython", "asyncio", "atexit", "code", "concurrent", "faulthandler", "hypothesis",
    "marshal", "mock", "opcode", "pathlib", "pickle", "posix", "pytest", "resource",
    "runpy", "shutil", "signal", "site", "socket", "traceback", "types", "unittest",
}  # fmt: skip
_NAMES = frozenset({
    "attrgetter", "compile", "delattr", "eval", "exec", "f_back", "get_ipython",
    "getattr", "globals", "locals", "methodcaller", "open", "setattr", "tb_frame",
    "vars",
})  # fmt: skip
# special names without which no class and no message can be written
_USUAL = frozenset({"__init__", "__call__", "__repr__", "__str__", "__name__"})
_HARMLESS_MAGIC = re.compile(
    r"^get_ipython\(\)\.run_line_magic\('(matplotlib|precision)', '[\w .]*'\)$",
    re.MULTILINE,
)


def worth_a_look(answer: str, reference: str) -> list[str]:
    """List constructs in an answer that could deceive the tests and that the reference
    solution does not use.

    This does not change the points; it tells the teacher which cells to read.

    >>> worth_a_look("import torch, gc", "import torch")
    ['it uses gc']
    >>> worth_a_look("class Yes:\\n    def __eq__(self, other): return True", "")
    ['it defines __eq__']
    >>> worth_a_look("import numpy as np; np.allclose = max", "import numpy as np")
    ['it replaces np.allclose']
    """
    new = _suspicions(answer) - _suspicions(reference)
    return sorted(f"it {what}"[:200] for what in new)


def _suspicions(source: str) -> set[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about the student's code
            tree = ast.parse(_HARMLESS_MAGIC.sub("pass", plain_python(source)))
    except Exception:  # a text from a student can be malformed in any way
        return {"cannot be read as Python"}
    plain = {node.func for node in ast.walk(tree) if _is_plain_getattr(node)}
    nodes = [node for node in ast.walk(tree) if node not in plain]
    modules = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return {found for node in nodes for found in _found(node, modules)}


def _found(node: ast.AST, modules: set[str]) -> Iterator[str]:
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            module = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in [*module, *(alias.name for alias in names)]:
                parts = name.split(".")
                top = parts[0] if name in module or not module else ""
                if top in _MODULES or any(map(_is_odd, parts)):
                    yield f"uses {name}"
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            if name.startswith("__") and name not in _USUAL:
                yield f"defines {name}"
        case ast.Name(name, ast.Store()) if name.startswith("__"):
            yield f"defines {name}"
        case ast.Name(name) if _is_odd(name) and (
            name.startswith("__") or name in _NAMES
        ):
            yield f"uses {name}"
        case ast.Attribute(ast.Name("self" | "cls"), name) if not name.startswith("__"):
            pass
        case ast.Attribute(attr=name) if _is_odd(name):
            yield f"uses {name}"
        case ast.MatchClass(kwd_attrs=names):
            yield from (f"uses {name}" for name in names if _is_odd(name))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        # not ast.unparse, which fails on deep nesting
        root, names = node, []
        while isinstance(root, ast.Attribute):
            names.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name) and root.id in modules:
            yield f"replaces {'.'.join([root.id, *reversed(names)])}"


def _is_plain_getattr(node: ast.AST) -> bool:
    match node:
        case ast.Call(ast.Name("getattr"), [_, ast.Constant(str(name)), *_]):
            return not _is_odd(name)
    return False


def _is_odd(name: str) -> bool:
    return name in _REACHED | _NAMES or (name.startswith("_") and name not in _USUAL)
