"""Explanations of errors in plain sentences, without revealing the hidden tests."""

import ast


def explain_cell(error: dict | None) -> list[str]:
    """Explain an error in the student's own cell."""
    if error is None:
        return []
    if error["name"] == "SystemExit":
        return ["Your cell calls sys.exit or the like, which ends it early."]
    return [f"Your cell ends with {_named(error)}{_own_line(error)}.{_hint(error)}"]


def explain_tests(error: dict, source: str) -> list[str]:
    """Explain an error in a test cell.

    Args:
        error: The worker's description of the error.
        source: The instructor's test cell, which shows the hidden lines.

    >>> frame = {"where": "tests", "line": 1, "text": "assert f(1) == 2"}
    >>> error = {
    ...     "name": "AssertionError",
    ...     "message": "f(1) is 3",
    ...     "frames": [frame],
    ... }
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
        return [
            (
                "Your code ended the program (sys.exit or the like) during "
                f"{test.lower()}{_own_line(error)}."
            )
        ]
    return [
        f"{test} ended with {_named(error)}{_own_line(error)}{shown}.{_hint(error)}"
    ]


def _asked(source: str, line: dict) -> str:
    """Return the condition of a visible test, without its message, even if it spans
    several lines.
    """
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Assert)
            and node.lineno <= line["line"] <= node.end_lineno
        ):
            return f" (the test asks whether {ast.unparse(node.test)})"
    text = "".join(source.splitlines()[line["line"] - 1 : line["line"]]).strip()
    return f" (the test says: {text})"


def _named(error: dict) -> str:
    message = error["message"].strip()
    return f"{error['name']}: {message}" if message else error["name"]


def _own_line(error: dict) -> str:
    """Return the line of the student's cell in which the error occurred, if any."""
    own = [frame for frame in error["frames"] if frame["where"] == "cell"]
    return (
        f", in line {own[-1]['line']} of your cell ({own[-1]['text']})" if own else ""
    )


def _hint(error: dict) -> str:
    """Say what to do about a name that another cell of the notebook defines."""
    missing = error["name"] == "NameError" and _own_line(error)
    return (
        " Only the exercise's own cell is graded: define or import in it whatever it "
        "uses."
        if missing
        else ""
    )


def _hidden_lines(source: str) -> set[int]:
    hidden, inside = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        inside = inside or "BEGIN HIDDEN TESTS" in line
        if inside:
            hidden.add(number)
        inside = inside and "END HIDDEN TESTS" not in line
    return hidden
