"""Source code: the instructor's, compiled for the worker; students', searched for
tricks; and the errors of both in plain sentences.
"""

import ast
import base64
import marshal
import re
import secrets
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from .exercises import CourseChapter, TeachingError

TESTS = "<tests>"  # the file name of the instructor's tests
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


def modules_needed(chapter: CourseChapter) -> list[str]:
    """Return the modules that the instructor's exercise cells import."""
    code: list[str] = []
    for exercise in chapter.exercises:
        code += exercise.setup
        cells = [part.cell for part in exercise.parts]
        code += [cell.source for cell in cells if cell.cell_type == "code"]
    names: dict[str, None] = {}
    for node in (node for text in code for node in ast.walk(_tree(text))):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names[node.module] = None
    return list(names)


def plain_python(source: str) -> str:
    """Convert a notebook cell to plain Python: magics become calls, as in IPython."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(plain_python(source))
    except SyntaxError as error:
        message = f"A cell of the chapter's exercises is not Python ({error})."
        raise TeachingError(message) from error


def imports_of(source: str) -> list[str]:
    """Return the import statements of a cell, outside its functions."""
    imports = ast.Import | ast.ImportFrom
    nodes = _tree(source).body
    return [ast.unparse(node) for node in nodes if isinstance(node, imports)]


def names_bound(source: str) -> list[str]:
    """Return the names that a cell assigns at the top level, without imports."""
    inner = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    names: dict[str, None] = {}
    waiting: list[ast.AST] = list(_tree(source).body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif not isinstance(node, inner):
            waiting += ast.iter_child_nodes(node)
    return list(names)


@dataclass(frozen=True)
class CompiledTests:
    """A test cell as code for the worker, and the numbers that its lines add to the
    reply; one without all of them is forged.
    """

    codes: list[str]
    value: str
    marks: list[int]


def compile_tests(source: str, imports: list[str]) -> CompiledTests:
    """Compile a test cell. Every value that a call returns passes through `__answer__`
    before it is compared; if the cell ends with an expression, that is the credit.
    """
    # here, because a student's code could replace `ast.parse` in the worker
    tree = _WrapCalls().visit(ast.parse(plain_python(source), TESTS))
    value: ast.expr = ast.Constant(None)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        value = tree.body.pop().value
    marked, marks = [], []
    for line in [*tree.body, value]:
        marks.append(secrets.randbits(50))
        seen, mark = ast.Name("__seen__", ast.Load()), ast.Constant(marks[-1])
        if line is value:
            value = ast.Call(seen, [mark, value], [])
        else:
            marked += [line, ast.Expr(ast.Call(seen, [mark], []))]
    body = ast.fix_missing_locations(ast.Module(marked, []))
    end = ast.fix_missing_locations(ast.Expression(value))
    codes = [_dumped("\n".join(imports), "exec"), _dumped(body, "exec")]
    return CompiledTests(codes, _dumped(end, "eval"), marks)


def _dumped(source: str | ast.AST, mode: str) -> str:
    return base64.b64encode(marshal.dumps(compile(source, TESTS, mode))).decode()


class _WrapCalls(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        wrapped = ast.Call(ast.Name("__answer__", ast.Load()), [node], [])
        return ast.copy_location(wrapped, node)


def worth_a_look(answer: str, reference: str) -> list[str]:
    """List constructs that could deceive the tests and that the reference solution does
    not use: cells that a teacher should read, at no cost in points.

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


def explain_cell(error: dict | None) -> list[str]:
    """Explain an error in the student's own cell."""
    if error is None:
        return []
    if error["name"] == "SystemExit":
        return ["Your cell calls sys.exit or the like, which ends it early."]
    return [f"Your cell ends with {_named(error)}{_own_line(error)}.{_hint(error)}"]


def explain_tests(error: dict, source: str) -> list[str]:
    """Explain an error in a test cell, without revealing its hidden lines.

    >>> error = {"name": "AssertionError", "message": "f(1) is 3"}
    >>> error["frames"] = [{"where": "tests", "line": 1}]
    >>> explain_tests(error, "assert f(1) == 2")
    ['A test failed: f(1) is 3 (the test asks whether f(1) == 2).']
    """
    line = next((frame for frame in error["frames"] if frame["where"] == "tests"), None)
    hidden = line is None or line["line"] in _hidden_lines(source)
    test = "A hidden test" if line and hidden else "A test"
    shown = "" if hidden else _asked(source, line)
    if error["name"] == "AssertionError":
        message = error["message"].strip().rstrip(".")
        end = "" if message.endswith(("?", "!")) and not shown else "."
        return [f"{test} failed{': ' + message if message else ''}{shown}{end}"]
    if error["name"] == "NotImplementedError":
        return ["The function raises NotImplementedError: there is no solution yet."]
    if error["name"] == "SystemExit":
        during = f"{test.lower()}{_own_line(error)}"
        return [f"Your code ended the program (sys.exit or the like) during {during}."]
    how = f"{_named(error)}{_own_line(error)}{shown}"
    return [f"{test} ended with {how}.{_hint(error)}"]


def _asked(source: str, line: dict) -> str:
    """Return the condition of a visible test, without its message."""
    for node in ast.walk(ast.parse(source)):
        place = isinstance(node, ast.Assert) and range(node.lineno, node.end_lineno + 1)
        if place and line["line"] in place:
            return f" (the test asks whether {ast.unparse(node.test)})"
    text = "".join(source.splitlines()[line["line"] - 1 : line["line"]]).strip()
    return f" (the test says: {text})"


def _named(error: dict) -> str:
    message = error["message"].strip()
    return f"{error['name']}: {message}" if message else error["name"]


def _own_line(error: dict) -> str:
    """Return the line of the student's cell in which the error occurred, if any."""
    own = [frame for frame in error["frames"] if frame["where"] == "cell"]
    if not own:
        return ""
    return f", in line {own[-1]['line']} of your cell ({own[-1]['text']})"


def _hint(error: dict) -> str:
    """Say what to do about a name that another cell of the notebook defines."""
    if error["name"] != "NameError" or not _own_line(error):
        return ""
    return (
        " Only the exercise's own cell is graded: define or import in it whatever it "
        "uses."
    )


def _hidden_lines(source: str) -> set[int]:
    hidden, inside = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        inside = inside or "BEGIN HIDDEN TESTS" in line
        if inside:
            hidden.add(number)
        inside = inside and "END HIDDEN TESTS" not in line
    return hidden
