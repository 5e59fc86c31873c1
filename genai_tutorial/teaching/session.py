"""The session of one exercise: cells run as in Jupyter, tests see only the names that
the exercise asks for, and every error becomes plain data.

A student's cell can replace `torch.allclose`, shadow `len`, or return an object that
claims to equal everything. Before the tests run, the libraries are restored, the tests
get their own namespace, and answers of a type with its own comparisons are rejected.
This stops tricks but not a determined attacker, because code in the same process can do
anything with enough effort. The grader therefore also lists cells that a person should
read.
"""

import base64
import builtins
import contextlib
import marshal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from inspect import unwrap
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import numpy
import torch

from genai_tutorial.sandbox import KeptOutput

from .source import TESTS

_MOST_TEXT = 2000  # characters of an error message
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
    "torch._C._distributed", "torch._dynamo", "torch._inductor", "torch._subclasses",
    "torch.compiler", "torch.distributed", "torch.fx",
)  # fmt: skip
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
# the bases and the members of a type, whatever its own type says
_bases, _members = (type.__dict__[name].__get__ for name in ("__mro__", "__dict__"))
# a class defined in Python; attributes of other classes cannot be replaced
_HEAP_TYPE = 1 << 9


class Session:
    """An IPython session in a confined process, for the cells of one exercise."""

    def __init__(self, shell, libraries: "Snapshot", characters: int) -> None:
        self._shell = shell
        self._names = shell.user_ns
        self._characters = characters
        self._libraries = libraries
        self._tests: dict = {}

    def cell(self, source: str) -> dict:
        """Run one cell as Jupyter would, and return its outcome and its output."""
        output = KeptOutput(self._characters)
        error: BaseException | None = None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                result = self._shell.run_cell(source, store_history=False)
                error = result.error_before_exec or result.error_in_exec
            except BaseException as caught:  # of the student's code
                error = caught
        return {"error": describe(error), "output": output.text()}

    def keep(self) -> dict:
        """Store the names and the types that exist before any student code runs."""
        self._tests = {**self._names, "__builtins__": builtins}
        self._types = _existing_types()
        return {}

    def tests(self, codes: list[str], value: str, exports: list[str]) -> dict:
        """Run compiled tests on the student's work, of which they see only the names in
        `exports`, and return their outcome, with the marks of the lines that have run.
        """
        changed, names = self._libraries.restore(), self._tests
        names.update({name: self._names[name] for name in self._names.keys() & exports})
        classes = [names[name] for name in exports if isinstance(names.get(name), type)]
        answer = _answer_check([*classes, *self._types])
        marks: list[int] = []

        def seen(mark: int, credit: object = None) -> object:
            if names["__answer__"] is not answer or names["__seen__"] is not seen:
                raise AssertionError("your code changes the names of the tests")
            marks.append(mark)
            return credit

        names.update(__answer__=answer, __seen__=seen)
        output = KeptOutput(self._characters)
        error, credit = None, None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                for code in codes:
                    exec(_loaded(code), names)
                credit = eval(_loaded(value), names)
            except BaseException as caught:
                error = caught
        # changed by the student's function when a test called it
        if meanwhile := self._libraries.restore():
            error = error or AssertionError(
                f"your code replaces {meanwhile[0]} while the tests run"
            )
        return {
            "error": describe(error),
            "value": float(credit) if type(credit) in (int, float) else None,
            "changed": changed[:10],
            "threads": len(sys._current_frames()) - 1,
            "marks": marks,
        }


def _loaded(code: str) -> CodeType:
    return marshal.loads(base64.b64decode(code))


def describe(error: BaseException | None) -> dict | None:
    """Return an error as plain data, with its lines in the student's cell and in the
    tests.
    """
    if error is None:
        return None
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:  # a custom exception class may fail even here
        message = ""
    frames = []
    for frame in traceback.extract_tb(error.__traceback__)[-200:]:
        own = frame.filename.startswith("<ipython-input")
        if frame.lineno and (own or frame.filename == TESTS):
            where, text = "cell" if own else "tests", (frame.line or "")[:200]
            frames.append({"where": where, "line": frame.lineno, "text": text})
    if isinstance(error, SyntaxError) and error.lineno and not frames:
        text = (error.text or "").strip()[:200]
        frames = [{"where": "cell", "line": error.lineno, "text": text}]
    return {
        "name": type(error).__name__,
        "message": message[:_MOST_TEXT],
        "frames": frames[:1] + frames[1:][-5:],
    }


def _existing_types() -> list[type]:
    """Return all types that exist now, except those made to be equal to anything."""
    found, waiting = set(), [object]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += type.__subclasses__(kind)
    origin = {kind: str(kind.__module__).partition(".")[0] for kind in found}
    return [kind for kind in found if origin[kind] not in _MADE_TO_DECEIVE]


def _answer_check(trusted: list[type]) -> Callable[[object], object]:
    """Create the function `__answer__`, which rejects answers that compare themselves:
    objects of an untrusted type that defines special methods.
    """
    known = {id(kind) for kind in trusted}  # comparing types can run a student's code

    def check(value: object, depth: int) -> None:
        kinds = _bases(type(value))
        for kind in kinds:
            if id(kind) not in known and (own := {*_special(kind)} - _HARMLESS):
                raise AssertionError(
                    f"the answer is an object of the class {kind.__name__}, which "
                    f"defines {min(own)}; return a plain number, list, array or tensor"
                )
        items: Iterable = ()
        if numpy.ndarray in kinds and value.dtype.hasobject:
            items = numpy.ndarray.tolist(numpy.ndarray.ravel(value))
        elif dict in kinds:
            items = dict.values(value)
        else:
            for container in (list, tuple, set, frozenset, deque):
                items = container.__iter__(value) if container in kinds else items
        for item in islice(items, 1000 if depth else 0):
            check(item, depth - 1)

    def answer(value: object) -> object:
        check(value, 3)
        return value

    return answer


def _special(kind: type) -> Iterator[str]:
    for name, method in _members(kind).items():
        code = getattr(getattr(method, "__func__", method), "__code__", None)
        of_tests = isinstance(code, CodeType) and code.co_filename == TESTS
        if name.startswith("__") and name.endswith("__") and not of_tests:
            yield name


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
                new = now.get(name)
                if new is not value and not _is_rewiring(new, value):
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
                left_alone = value.__module__.startswith(_LEFT_ALONE)
                if value.__flags__ & _HEAP_TYPE and not left_alone:
                    yield value


def _is_rewiring(value: object, before: object) -> bool:
    """Return whether torch itself has wrapped a function, as it does on first use."""
    known = isinstance(value, FunctionType)
    file = Path(value.__code__.co_filename) if known else Path()
    return file.is_relative_to(_TORCH / "_dynamo") or (
        file.is_relative_to(_TORCH) and unwrap(value) is unwrap(before)
    )


def _full_name(place: ModuleType | type, name: str) -> str:
    if isinstance(place, ModuleType):
        return f"{place.__name__}.{name}"
    return f"{place.__module__}.{place.__qualname__}.{name}"


def _hides_something(place: ModuleType | type, name: str) -> bool:
    """Return whether a new name hides a method of a base class or a built-in one."""
    if isinstance(place, ModuleType):
        return name in vars(builtins)
    bases = map(vars, place.__mro__[1:])
    hidden = next((names[name] for names in bases if name in names), None)
    return hidden is not None and not _is_rewiring(vars(place)[name], hidden)


def _callables(place: ModuleType | type) -> Iterator[tuple[str, object]]:
    kinds = ModuleType | property | classmethod | staticmethod
    for name, value in vars(place).items():
        # not isinstance: a lazy object answers __class__ with work and warnings
        if callable(value) or issubclass(type(value), kinds):
            yield name, value
