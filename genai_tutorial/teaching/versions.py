"""Versions of exercises: the same work under another convention, so that neither the
folded solution nor a neighbour's fits. `book/versions/04.yml` is an example.
"""

import ast
import copy
import re
import textwrap
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from genai_tutorial.runtime import require

from .exercises import CourseChapter, TeachingError, group_exercises

_TEXTS = {"exercise", "title", "text", "stub", "solution"}
_LISTS = {"versions", "visible", "hidden"}
_HEADING = re.compile(r"(?m)^(### Exercise (\S+) · ).+?(\([^()\n]*\))$")
_PLACE = re.compile(r"<<(\w+)>>")
_COMPARE = '''\
def same(got, wanted):
    """Compare values; numbers with a point may differ by 1e-6."""
    if isinstance(wanted, float):
        return got == wanted or abs(got - wanted) <= 1e-6 * max(1, abs(wanted))
    if isinstance(wanted, dict):
        return len(got) == len(wanted) and all(
            key in got and same(got[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(
            same(one, other) for one, other in zip(got, wanted, strict=True)
        )
    return got == wanted
'''
_TEST = """\
got, wanted = {expression}, {value!r}
assert same(got, wanted), {message!r} + f"{{wanted}}, not {{got}}"
"""


@dataclass(frozen=True)
class Version:
    """One version of an exercise; the solution is the body of the stub's function."""

    where: str  # file, exercise and number, for messages
    title: str
    text: str
    stub: str
    solution: str
    visible: tuple[str, ...]  # expressions
    hidden: tuple[str, ...]

    @property
    def reference(self) -> str:
        """The cell with the solution."""
        body = textwrap.indent(self.solution, " " * 4)
        marks = "### BEGIN SOLUTION", "### END SOLUTION"
        return f"{self.stub}\n    {marks[0]}\n{body}\n    {marks[1]}"

    @cached_property
    def tests(self) -> str:
        """The cell with the tests, whose values the solution computes."""
        visible, hidden = (
            "".join(map(self._test, expressions))
            for expressions in (self.visible, self.hidden)
        )
        marks = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
        return f"{_COMPARE}\n\n{visible}{marks[0]}\n{hidden}{marks[1]}"

    @cached_property
    def _space(self) -> dict:
        space: dict = {}
        try:
            exec(self.reference, space)
        except Exception as error:
            raise self._fault("the solution", error) from error
        return space

    def _test(self, expression: str) -> str:
        try:
            value = _plain(eval(expression, self._space))
        except Exception as error:
            raise self._fault(expression, error) from error
        message = f"{expression} should be "
        return _TEST.format(expression=expression, value=value, message=message)

    def _fault(self, what: str, error: Exception) -> TeachingError:
        reason = f"{type(error).__name__}: {error}"
        return TeachingError(f"{self.where}: {what} ends with {reason}.")


def _plain(value: object) -> object:
    """Return a value with rounded numbers; it must be one that Python can read."""
    if isinstance(value, float):
        value = round(value, 9) + 0.0  # without a negative zero
    elif isinstance(value, dict):
        value = {key: _plain(item) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        value = type(value)(map(_plain, value))
    if ast.literal_eval(repr(value)) != value:
        raise ValueError(f"{value!r} is no number, text, list or dictionary")
    return value


def read_versions(path: Path) -> dict[str, list[Version]]:
    """Read the versions of a chapter's exercises, by the exercise's number."""
    yaml = require("yaml", "teach")
    found: dict[str, list[Version]] = {}
    number = None
    try:
        for entry in yaml.safe_load(path.read_text("utf8")):
            number = str(entry["exercise"])
            if number in found:
                raise ValueError("it is there twice")
            found[number] = _exercise(entry, f"{path}, exercise {number}")
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        where = f"{path}, exercise {number}" if number else str(path)
        raise TeachingError(f"{where} cannot be read: {error}.") from error
    return found


def _exercise(entry: dict, where: str) -> list[Version]:
    if wrong := (entry.keys() - {"book_name"}) ^ (_TEXTS | _LISTS):
        raise ValueError(f"it lacks, or should not have, {', '.join(sorted(wrong))}")
    if any(not isinstance(entry[key], str) for key in _TEXTS):
        raise ValueError(f"{', '.join(sorted(_TEXTS))} are texts, in quotes if needed")
    for expression in (expressions := [*entry["visible"], *entry["hidden"]]):
        if not isinstance(expression, str):
            raise ValueError(f"put the expression {expression!r} into quotes")
    if len(set(expressions)) != len(expressions):
        raise ValueError("an expression is there twice")
    visible, hidden = (
        tuple(one.strip() for one in entry[key]) for key in ("visible", "hidden")
    )
    versions = []
    for number, values in enumerate(entry["versions"], start=1):
        place = f"{where}, version {number}"
        parts = [
            _filled(entry[key].strip("\n"), values, place)
            for key in ("text", "stub", "solution")
        ]
        versions.append(Version(place, entry["title"], *parts, visible, hidden))
    return versions


def _filled(text: str, values: dict, where: str) -> str:
    """Put the values of a version into a text; further lines keep the indentation."""

    def value(match: re.Match) -> str:
        if match[1] not in values:
            raise ValueError(f"{where} has no {match[1]}")
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        margin = line[: len(line) - len(line.lstrip())]
        return str(values[match[1]]).strip("\n").replace("\n", f"\n{margin}")

    return _PLACE.sub(value, text)


def with_versions(chapter: CourseChapter, chosen: dict[str, Version]) -> CourseChapter:
    """Return a chapter with these versions of exercises, given by their numbers; a
    version has one solution and one cell of tests, which has all points.
    """
    notebook = copy.deepcopy(chapter.notebook)
    where, dropped = chapter.path.name, []
    exercises = {one.name: one for one in group_exercises(notebook.cells, where)}
    for number, version in chosen.items():
        parts = exercises[number].parts if number in exercises else ()
        if {part.kind for part in parts} != {"solution", "tests"}:
            raise TeachingError(
                f"{version.where}: in {where}, the exercise must have solutions and "
                "tests, and nothing else that is graded."
            )
        solution, *more = exercises[number].of_kind("solution")
        tests, *others = exercises[number].of_kind("tests")
        solution.cell.source, tests.cell.source = version.reference, version.tests
        tests.cell.metadata.nbgrader.points += sum(
            part.cell.metadata.nbgrader.points for part in others
        )
        dropped += [id(part.cell) for part in (*more, *others)]
    notebook.cells = [cell for cell in notebook.cells if id(cell) not in dropped]
    for head in notebook.cells:
        found = _HEADING.search(head.source) if head.cell_type == "markdown" else None
        if found and (version := chosen.get(found[2])):
            start = head.source[: found.start()]
            title = f"{found[1]}{version.title} {found[3]}"
            head.source = f"{start}{title}\n\n{version.text}"
    grouped = group_exercises(notebook.cells, where)
    return replace(chapter, notebook=notebook, exercises=grouped)
