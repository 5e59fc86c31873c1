"""Tools for code: an edit by exact replacement, appending, and a run of the tests."""

import ast
from collections.abc import Mapping

from genai_tutorial.sandbox import OutcomeKind, ProgramRunner

from .jail import FileJail
from .tools import Tool, ToolError

TESTS_FILE = "tests.py"
"""The file with the tests of a folder: imports and assertions, each on its own."""

_RUN_TESTS = """
import ast, importlib.machinery, sys
FILES, TESTS = {files!r}, {tests!r}
class Finder:
    def find_spec(name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, Finder) if name in FILES else None
    def create_module(spec):
        return None
    def exec_module(module):
        source = FILES[module.__name__]
        exec(compile(source, "<program>", "exec"), module.__dict__)
sys.meta_path.insert(0, Finder)
scope, failed = {{}}, []
for node in ast.parse(TESTS).body:
    line = ast.unparse(node)
    try:
        exec(line, scope)
    except Exception as error:
        failed.append(f"{{line.splitlines()[0]}}  # {{type(error).__name__}}")
assert not failed, "\\n".join(failed)
"""


def replace_once(text: str, old: str, new: str) -> str:
    """Return a text in which `old`, which must occur exactly once, is replaced.

    Raises:
        ToolError: If `old` is empty, does not occur, occurs more than once (places that
            overlap count, too), or equals `new`.

    >>> replace_once("a = 1", "1", "2")
    'a = 2'
    >>> replace_once("a = 1 + 1", "1", "2")
    Traceback (most recent call last):
    genai_tutorial.agents.tools.ToolError: the old text occurs 2 times, ...
    """
    if not old:
        raise ToolError("the old text is empty; give the lines to replace.")
    if old == new:
        raise ToolError("the new text is the old one, so nothing would change.")
    found = _occurrences(text, old)
    if found == 0:
        raise ToolError(
            "the old text does not occur; read the file, and copy it exactly, with its "
            "spaces."
        )
    if found > 1:
        raise ToolError(
            f"the old text occurs {found} times, so it is not clear which is meant; "
            "give more of the lines around it."
        )
    return text.replace(old, new)


def smallest_edit(before: str, after: str) -> tuple[str, str]:
    r"""Return the old and the new lines that `replace_once` needs to make one text of
    another: the lines that differ, and as many around them as make the place unique.

    Raises:
        ValueError: If the texts are equal, or the first one is empty.

    >>> smallest_edit("a = 1\nb = 2\n", "a = 1\nb = 3\n")
    ('b = 2\n', 'b = 3\n')
    >>> smallest_edit("a\nb\na\n", "a\nb\nc\n")
    ('b\na\n', 'b\nc\n')
    """
    if before == after or not before:
        raise ValueError("There is nothing to replace: the texts are equal or empty.")
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    while True:
        piece = "".join(old[start : len(old) - end])
        if piece and _occurrences(before, piece) == 1:
            return piece, "".join(new[start : len(new) - end])
        if start:
            start -= 1
        else:
            end -= 1


def _occurrences(text: str, piece: str) -> int:
    """Return how often a piece occurs, also where the places overlap."""
    return sum(text.startswith(piece, start) for start in range(len(text)))


def editing_tools(jail: FileJail) -> tuple[Tool, Tool]:
    """Return the tools that change a part of a file and keep the rest: an edit by exact
    replacement, and appending. Both need consent.

    A file is replaced as a whole or not at all, so an edit that fails changes nothing.
    """

    def edit_file(path: str, old: str, new: str) -> str:
        """Replace a text in a file, which must occur there exactly once.

        Args:
            path: The file, such as notes.txt.
            old: The text to replace, copied exactly, and enough of it to be unique.
            new: The text in its place.
        """
        jail.write(path, replace_once(jail.read(path), old, new))
        return f"{path} is changed."

    def append_file(path: str, text: str) -> str:
        """Add a line to the end of a file, and keep what is in it.

        Args:
            path: The file, such as notes.txt.
            text: The line.
        """
        before = jail.read(path) if jail.resolve(path).exists() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        jail.write(path, f"{before}{gap}{text.removesuffix(chr(10))}\n")
        return f"the line is at the end of {path}."

    return (
        Tool.from_function(edit_file, needs_consent=True),
        Tool.from_function(append_file, needs_consent=True),
    )


def run_tests_tool(jail: FileJail, runner: ProgramRunner) -> Tool:
    """Return a tool that runs the tests in `TESTS_FILE` on the Python files of a jail,
    in an open sandbox, and lists those that fail.

    The sandbox gets the files as text, so a test can import them, and nothing else of
    the folder. It protects the machine, not the verdict: the code under test could
    deceive the tests, with which it shares a process.
    """

    def run_tests() -> str:
        """Run the tests and list those that fail."""
        files = {
            path.removesuffix(".py"): jail.read(path)
            for path in jail.files()
            if path.endswith(".py") and "/" not in path and path != TESTS_FILE
        }
        return _report(files, jail.read(TESTS_FILE), runner)

    return Tool.from_function(run_tests)


def _report(files: Mapping[str, str], tests: str, runner: ProgramRunner) -> str:
    """Return what a person would read after a run of the tests."""
    try:
        nodes = ast.parse(tests).body
    except (SyntaxError, ValueError) as error:
        raise ToolError(f"{TESTS_FILE} is not a Python program: {error}.") from error
    count = sum(isinstance(node, ast.Assert) for node in nodes)
    (outcome,) = runner.run([_RUN_TESTS.format(files=dict(files), tests=tests)])
    if outcome.passed:
        return f"All {count} tests pass."
    if outcome.kind is not OutcomeKind.WRONG:
        raise ToolError(f"the tests were stopped ({outcome.kind}): {outcome.message}")
    lines = outcome.message.splitlines()
    return "\n".join([f"{len(lines)} of {count} tests fail:", *lines])
