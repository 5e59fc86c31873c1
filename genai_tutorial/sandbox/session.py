"""The session of one exercise: cells run as in Jupyter, tests see only the names that
the exercise asks for, and every error becomes plain data.
"""

import base64
import builtins
import contextlib
import marshal
import sys
import traceback
from types import CodeType

from genai_tutorial.sandbox import integrity
from genai_tutorial.sandbox.output import KeptOutput

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
        """Store the names and the types that exist before any student code runs."""
        self._tests = {**self._names, "__builtins__": builtins}
        self._types = integrity.existing_types()
        return {}

    def tests(self, codes: list[str], value: str, exports: list[str]) -> dict:
        """Run compiled tests on the student's work, and return their outcome.

        The tests see the original set-up names, the instructor's imports, and only
        those of the student's names that the exercise asks for. The code `value`
        returns the partial credit. The marks in the reply tell the grader which lines
        have run.
        """
        changed = self._libraries.restore()
        names = self._tests
        names.update(
            {name: self._names[name] for name in exports if name in self._names}
        )
        classes = [names[name] for name in exports if isinstance(names.get(name), type)]
        answer = integrity.answer_check({*classes, *self._types})
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
            if frame.filename == integrity.TESTS
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
    return {
        "name": type(error).__name__,
        "message": message,
        "frames": frames[:1] + frames[1:][-5:],
    }
