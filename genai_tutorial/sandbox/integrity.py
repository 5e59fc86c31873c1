"""A clean environment for the tests, although they share a process with the student's
code.

A student's cell can replace `torch.allclose`, shadow `len`, or return an object that
claims to equal everything. Before the tests run, the libraries are restored, the tests
get their own namespace, and answers with custom comparison methods are rejected. This
stops tricks but not a determined attacker, because code in the same process can do
anything with enough effort. The grader therefore also lists cells that a person should
read.
"""

import ast
import builtins
import sys
import threading
from collections.abc import Callable, Iterator
from inspect import unwrap
from pathlib import Path
from types import FunctionType, ModuleType

import torch

# Libraries that tests rely on; all their public and private attributes are restored.
_GUARDED = frozenset({
    "ast", "builtins", "cmath", "collections", "contextlib", "copy", "decimal",
    "fractions", "functools", "genai_tutorial", "inspect", "itertools", "json",
    "linecache", "math", "numpy", "operator", "pytest", "random", "re", "scipy",
    "sklearn", "statistics", "string", "torch", "traceback", "types", "typing",
    "unittest",
})  # fmt: skip
# These modules modify themselves while they run.
_LEFT_ALONE = (
    "torch._C._distributed",
    "torch._dynamo",
    "torch._inductor",
    "torch._subclasses",
    "torch.compiler",
    "torch.distributed",
    "torch.fx",
)
_TORCH = Path(torch.__file__).parent
# Special methods that an answer's class may define: they create and display an object
# but do not compare it.
_HARMLESS = frozenset({
    "__init__", "__new__", "__post_init__", "__init_subclass__", "__repr__", "__str__",
    "__format__", "__call__", "__len__", "__getitem__", "__iter__", "__next__",
    "__enter__", "__exit__", "__hash__", "__del__", "__setattr__", "__set_name__",
})  # fmt: skip
# a class defined in Python; attributes of other classes cannot be replaced
_HEAP_TYPE = 1 << 9


class Snapshot:
    """The state of the libraries before any student code runs."""

    def __init__(self) -> None:
        self._places = [
            (place, dict(_callables(place)), frozenset(vars(place)))
            for place in _places()
        ]
        self._modules = {
            name: module for name, module in sys.modules.items() if _is_guarded(name)
        }
        self._paths = [
            (paths, list(paths)) for paths in (sys.meta_path, sys.path, sys.path_hooks)
        ]

    def restore(self) -> list[str]:
        """Restore everything, and return the names that had been changed."""
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)  # type: ignore[arg-type]
        changed = []
        for paths, before in self._paths:
            paths[:] = before
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f"sys.modules[{name!r}]")
        for place, before, known in self._places:
            now = vars(place)
            for name, value in before.items():
                if now.get(name) is not value and not _is_rewiring(
                    now.get(name), value
                ):
                    setattr(place, name, value)
                    changed.append(_full_name(place, name))
            for name in [name for name in now if name not in known]:
                if _hides_something(place, name):
                    delattr(place, name)
                    changed.append(_full_name(place, name))
        return changed


def _is_guarded(name: str) -> bool:
    return name.partition(".")[0] in _GUARDED and not name.startswith(_LEFT_ALONE)


def _places() -> Iterator[ModuleType | type]:
    """Return the modules that tests rely on, and their classes."""
    seen = set()
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and _is_guarded(name):
            yield module
            for value in list(vars(module).values()):
                if not issubclass(type(value), type) or id(value) in seen:
                    continue
                seen.add(id(value))
                if value.__flags__ & _HEAP_TYPE and not value.__module__.startswith(
                    _LEFT_ALONE
                ):
                    yield value


def _is_rewiring(value: object, before: object) -> bool:
    """Return whether this is one of torch's own wrappers, which it adds to some
    functions on first use.
    """
    file = (
        Path(value.__code__.co_filename) if isinstance(value, FunctionType) else Path()
    )
    return file.is_relative_to(_TORCH / "_dynamo") or (
        file.is_relative_to(_TORCH) and unwrap(value) is unwrap(before)
    )


def _full_name(place: ModuleType | type, name: str) -> str:
    prefix = (
        place.__name__
        if isinstance(place, ModuleType)
        else f"{place.__module__}.{place.__qualname__}"
    )
    return f"{prefix}.{name}"


def _hides_something(place: ModuleType | type, name: str) -> bool:
    """Return whether a new name hides an old one: a method of a base class, or a
    built-in function.
    """
    if isinstance(place, ModuleType):
        return name in vars(builtins)
    hidden = next(
        (vars(base)[name] for base in place.__mro__[1:] if name in vars(base)), None
    )
    return hidden is not None and not _is_rewiring(vars(place)[name], hidden)


def _callables(place: ModuleType | type) -> Iterator[tuple[str, object]]:
    for name, value in vars(place).items():
        # type(value), not isinstance: a lazy object answers __class__ with work and warnings of its own  # noqa: E501
        if callable(value) or issubclass(
            type(value), ModuleType | property | classmethod | staticmethod
        ):
            yield name, value


class _WrapCalls(ast.NodeTransformer):
    """Pass the value of every call in a test through `__answer__`."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        wrapped = ast.Call(ast.Name("__answer__", ast.Load()), [node], [])
        return ast.fix_missing_locations(ast.copy_location(wrapped, node))


def guarded_tree(source: str, filename: str) -> ast.Module:
    """Parse a test cell, and add a check of every value that a call returns before it
    is compared.
    """
    return _WrapCalls().visit(ast.parse(source, filename))


def answer_check(
    allowed: tuple, is_student_code: Callable[[str], bool]
) -> Callable[[object], object]:
    """Create the function `__answer__`.

    Args:
        allowed: Classes that the exercise asks for, which may define any method.
        is_student_code: Returns whether a file name belongs to one of the student's
            cells.
    """

    def check(value: object, depth: int) -> None:
        for kind in type(value).__mro__:
            if kind in allowed:
                continue
            for name, method in vars(kind).items():
                method = getattr(method, "__func__", getattr(method, "fget", method))
                if (
                    isinstance(method, FunctionType)
                    and name.startswith("__")
                    and name not in _HARMLESS
                    and is_student_code(method.__code__.co_filename)
                ):
                    raise AssertionError(
                        f"the answer is an object of the class {kind.__name__}, and "
                        f"your code defines its {name}; "
                        "return a plain number, list, array or tensor"
                    )
        if depth and type(value) in (list, tuple, set, dict):
            items = list(value.values()) if type(value) is dict else list(value)
            for item in items[:1000]:
                check(item, depth - 1)

    def answer(value: object) -> object:
        check(value, 3)
        return value

    return answer
