"""A clean environment for the tests, although they share a process with the student's
code.

A student's cell can replace `torch.allclose`, shadow `len`, or return an object that
claims to equal everything. Before the tests run, the libraries are restored, the tests
get their own namespace, and answers of a type with its own comparisons are rejected.
This stops tricks but not a determined attacker, because code in the same process can do
anything with enough effort. The grader therefore also lists cells that a person should
read.
"""

import builtins
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from inspect import unwrap
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import numpy
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
# Special names that an answer's class may have: they create, show or call an object,
# or say what it is, but don't decide how it compares or what it contains.
_HARMLESS = frozenset({
    "__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__",
    "__del__", "__repr__", "__str__", "__format__", "__call__", "__hash__",
    "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__slots__",
    "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__static_attributes__", "__firstlineno__", "__orig_bases__", "__parameters__",
    "__match_args__", "__getnewargs__", "__classdictcell__", "__type_params__",
    "__abstractmethods__",
})  # fmt: skip
# libraries with objects that are equal to whatever they are compared with
_MADE_TO_DECEIVE = frozenset({"unittest", "mock", "pytest", "_pytest", "hypothesis"})
TESTS = "<tests>"  # the file name of the instructor's tests
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


def existing_types() -> set[type]:
    """Return all types that exist now, except those made to be equal to anything."""
    found, waiting = set(), [object]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += type.__subclasses__(kind)
    return {
        kind
        for kind in found
        if str(kind.__module__).partition(".")[0] not in _MADE_TO_DECEIVE
    }


def answer_check(trusted: set[type]) -> Callable[[object], object]:
    """Create the function `__answer__`, which rejects answers that compare themselves.

    Objects of a type that is not trusted may not have any special method that decides
    the outcome of a test.
    """

    def check(value: object, depth: int) -> None:
        kinds = type(value).__mro__
        for kind in kinds:
            if kind not in trusted and (own := {*_special(kind)} - _HARMLESS):
                raise AssertionError(
                    f"the answer is an object of the class {kind.__name__}, which "
                    f"defines {min(own)}; return a plain number, list, array or tensor"
                )
        if not depth:
            return
        items: Iterable = ()
        if numpy.ndarray in kinds and value.dtype.hasobject:
            items = numpy.ndarray.tolist(numpy.ndarray.ravel(value))
        elif dict in kinds:
            items = dict.values(value)
        else:
            for container in (list, tuple, set, frozenset, deque):
                items = container.__iter__(value) if container in kinds else items
        for item in islice(items, 1000):
            check(item, depth - 1)

    def answer(value: object) -> object:
        check(value, 3)
        return value

    return answer


def _special(kind: type) -> Iterator[str]:
    for name, method in vars(kind).items():
        code = getattr(getattr(method, "__func__", method), "__code__", None)
        if (
            name.startswith("__")
            and name.endswith("__")
            and not (isinstance(code, CodeType) and code.co_filename == TESTS)
        ):
            yield name
