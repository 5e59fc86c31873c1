"""The session of one exercise: cells run as in Jupyter, tests see only the names that
the exercise asks for, and every error becomes plain data.
"""

import ast
import builtins
import contextlib
import linecache
import sys
import traceback

from genai_tutorial.sandbox import integrity
from genai_tutorial.sandbox.output import KeptOutput

_TESTS = "<tests>"
_MOST_TEXT = 2000  # characters of an error message


class Session:
    """An IPython session in a confined process, for the cells of one exercise."""

    def __init__(self, shell, libraries: integrity.Snapshot, characters: int) -> None:
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
            except (
                BaseException
            ) as caught:  # any exception of the student's code ends here
                error = caught
        return {"error": describe(error), "output": output.text()}

    def keep(self) -> dict:
        """Store the names defined by the set-up, before any student code runs."""
        self._tests = {**self._names, "__builtins__": builtins}
        return {}

    def tests(self, source: str, imports: str, exports: list[str]) -> dict:
        """Run a test cell on the student's work, and return its outcome.

        The tests see the original set-up names, the instructor's imports, and only
        those of the student's names that the exercise asks for.
        """
        changed = self._libraries.restore()
        names = self._tests
        names.update(
            {name: self._names[name] for name in exports if name in self._names}
        )
        classes = tuple(
            names[name] for name in exports if isinstance(names.get(name), type)
        )
        output = KeptOutput(self._characters)
        error, value = None, None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                exec(imports, names)
                names["__answer__"] = integrity.answer_check(classes, _is_student_code)
                value = _run_tests(source, names)
            except BaseException as caught:
                error = caught
        # changed by the student's function when a test called it
        if meanwhile := self._libraries.restore():
            error = error or AssertionError(
                f"your code replaces {meanwhile[0]} while the tests run"
            )
        threads = len(sys._current_frames()) - 1
        return {
            "error": describe(error),
            "value": value,
            "changed": changed[:10],
            "threads": threads,
        }


def _run_tests(source: str, names: dict) -> float | None:
    """Run a test cell. If it ends with a number, that is the partial credit."""
    linecache.cache[_TESTS] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        _TESTS,
    )
    tree = integrity.guarded_tree(source, _TESTS)
    last = (
        tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    )
    exec(compile(tree, _TESTS, "exec"), names)
    value = (
        eval(compile(ast.Expression(last.value), _TESTS, "eval"), names)
        if last
        else None
    )
    return float(value) if type(value) in (int, float) else None


def _is_student_code(filename: str) -> bool:
    return filename.startswith("<ipython-input")


def describe(error: BaseException | None) -> dict | None:
    """Return an error as plain data: its type, its message, and its lines in the
    student's cell and in the tests.
    """
    if error is None:
        return None
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)[
            :_MOST_TEXT
        ]
    except BaseException:  # a custom exception class may fail even here
        message = ""
    frames = []
    for frame in traceback.extract_tb(error.__traceback__)[-200:]:
        where = (
            "cell"
            if _is_student_code(frame.filename)
            else "tests"
            if frame.filename == _TESTS
            else None
        )
        if where and frame.lineno:
            frames.append(
                {"where": where, "line": frame.lineno, "text": (frame.line or "")[:200]}
            )
    if isinstance(error, SyntaxError) and error.lineno and not frames:
        frames = [
            {
                "where": "cell",
                "line": error.lineno,
                "text": (error.text or "").strip()[:200],
            }
        ]
    kind = "the tests" if frames and frames[0]["where"] == "tests" else "the cell"
    return {
        "name": type(error).__name__,
        "message": message,
        "raised_in": kind,
        "frames": frames[:1] + frames[1:][-5:],
    }
