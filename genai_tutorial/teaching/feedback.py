"""Feedback: a self-contained page for each student, and a table for the teacher."""

import csv
import io
from collections.abc import Sequence
from html import escape

from genai_tutorial.teaching.legible import legible
from genai_tutorial.teaching.results import Report, Result

COLUMNS = ("student", "exercise", "points", "max", "comment")
LOOK = " PLEASE LOOK AT THIS CELL: "
_LONGEST_COMMENT = 5_000  # a spreadsheet cell holds at most 32,767 characters

_STYLE = """
:root { color-scheme: light dark; --line: #8888; --good: #1b7837; --bad: #b2182b; --wait: #7b5d00; }
@media (prefers-color-scheme: dark) { :root { --good: #7fcf94; --bad: #ff9d9d; --wait: #e8c04a; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
h2 { font-size: 1.15rem; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: .3rem; padding: .6rem; font-size: .9rem; }
.full { color: var(--good); } .part, .none { color: var(--bad); } .wait { color: var(--wait); }
footer { border-top: 1px solid var(--line); margin-top: 2rem; font-size: .9rem; }
"""  # noqa: E501


def feedback_page(report: Report) -> str:
    """Return a student's feedback as a self-contained HTML file that runs no code."""
    waiting = (
        f", and up to {report.waiting:g} more from a person" if report.waiting else ""
    )
    name = _html(report.student)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            (
                '<meta http-equiv="Content-Security-Policy" content="default-src '
                "'none'; style-src 'unsafe-inline'\">"
            ),
            (
                "<title>Feedback for "
                f"{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
            ),
            f"<h1>{_html(report.chapter)}</h1>",
            (
                f"<p>Feedback for <strong>{name}</strong>: {report.points:g} of "
                f"{report.max_points:g} points{waiting}.</p>"
            ),
            *map(_section, report.results),
            f"</main>\n<footer>\n{_conditions(report)}\n</footer>\n</body>\n</html>\n",
        ]
    )


def grades_table(reports: Sequence[Report]) -> str:
    """Return all results as CSV: student, exercise, points, max, comment.

    Points are empty for exercises that a person grades. Remarks for the teacher are at
    the end of the comment.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in reports:
        writer.writerows(grade_rows(report))
    return table.getvalue()


def grade_rows(report: Report) -> list[list[str]]:
    """Return a student's rows of the table."""
    rows = []
    for result in report.results:
        look = f"{LOOK}{'; '.join(result.attention)}." if result.attention else ""
        points = "" if result.points is None else f"{result.points:g}"
        comment = legible(result.comment, _LONGEST_COMMENT)
        row = [
            report.student,
            result.exercise,
            points,
            f"{result.max_points:g}",
            comment + legible(look, _LONGEST_COMMENT),
        ]
        rows.append([no_formula(legible(cell)) for cell in row])
    return rows


def _section(result: Result) -> str:
    if result.points is None:
        kind, points = (
            "wait",
            f"waits for a person (up to {result.max_points:g} points)",
        )
    else:
        kind = (
            "full"
            if result.points == result.max_points
            else "part"
            if result.points
            else "none"
        )
        points = f"{result.points:g} of {result.max_points:g} points"
    parts = [f"<h2>Exercise {_html(result.exercise)}: {_html(result.title)}</h2>"]
    parts += [
        f'<p class="{kind}"><strong>{points}</strong></p>',
        f"<p>{_html(result.comment)}</p>",
    ]
    for title, text in (
        ("Your answer", result.answer),
        ("What your cell printed", result.output),
    ):
        if text.strip():
            parts.append(
                f"<details><summary>{title}</summary>\n<pre>{_html(text)}</pre>\n</details>"
            )
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _conditions(report: Report) -> str:
    """Describe how the code was run, with emphasis on what was not enforced."""
    parts = [
        (
            "<p>The exercises ran in a process of their own, with limits on time and "
            "memory.</p>"
        )
    ]
    if report.unprotected:
        lines = "".join(f"<li>{_html(line)}</li>" for line in report.unprotected)
        parts.append(
            '<p class="none"><strong>This system could not enforce '
            f"everything:</strong></p><ul>{lines}</ul>"
        )
    return "\n".join(parts)


def _html(text: str) -> str:
    return escape(legible(text))


def no_formula(cell: str) -> str:
    """Return a cell's text for a spreadsheet, with an apostrophe in front of anything
    that would be run as a formula.
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
