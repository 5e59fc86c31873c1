import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from genai_tutorial.sandbox import Protection
from genai_tutorial.teaching.reports import (
    COLUMNS,
    Report,
    Result,
    feedback_page,
    grade_rows,
)

_EVIL = "<script>alert(1)</script>"


def _report(*results: Result, enforced: bool = True) -> Report:
    protections = (
        Protection("Students' code has no network", enforced, "system-call filter"),
    )
    return Report("ada", "99. A small chapter", results, protections)


def _table(report: Report) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *grade_rows(report)])
    return table.getvalue()


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_feedback_page_has_no_scripts_or_external_resources() -> None:
    texts = {"answer": f"</pre>{_EVIL}", "output": '"><img src=http://x.org>'}
    evil = Result(_EVIL, _EVIL, 1.0, 2.0, _EVIL, **texts)
    page = feedback_page(_report(evil))
    parsed = _Tags(page)
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in parsed.found}
    assert not any(
        name.startswith(("src", "href", "on"))
        for _, attributes in parsed.found
        for name in attributes
    )
    assert "default-src 'none'" in page


@given(st.text(st.characters(categories=None), max_size=50))
@example("\ud800\x00\x1b[31m\u202eabc\r\n\r\udfff\ufffe")
@example("=" * 200_000)
def test_printable_text_survives_writing_and_reading(text: str) -> None:
    """Lone surrogates, control characters and bidirectional marks are replaced by their
    code points.
    """
    name = text[:50]
    result = Result(name, name, 1.0, 2.0, text, (text,), answer=text, output=text)
    report = replace(_report(result), student=name, chapter=name)
    page, table = feedback_page(report), _table(report)
    for written in (page, table):
        assert written.encode().decode() == written
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", written
        )
    assert _Tags(page).open == []
    (_, row) = csv.reader(io.StringIO(table, newline=""))
    assert len(row) == 5
    assert len(row[4]) < 11_000


def test_unprintable_characters_are_shown_as_code_points() -> None:
    page = feedback_page(_report(Result("1", "", 0.0, 1.0, "a\ud800b\x00c\u202ed\te")))
    assert "<p>a\\ud800b\\u0000c\\u202ed\te</p>" in page


def test_feedback_page_states_points_open_answers_and_run_conditions() -> None:
    page = feedback_page(
        _report(
            Result("99.1", "Double", 2.0, 2.0, "All tests passed."),
            Result("99.4", "Why", None, 2.5, "For a person to read: up to 2.5 points."),
        )
    )
    assert "2 of 4.5 points, and up to 2.5 more from a person" in page
    assert "in a process of their own" in page
    assert "could not enforce" not in page


def test_feedback_page_warns_about_unenforced_limits() -> None:
    report = _report(enforced=False)
    assert "This system could not enforce everything" in feedback_page(report)
    assert report.unprotected == ("Students' code has no network",)


def test_grade_table_has_row_per_exercise() -> None:
    table = _table(
        _report(
            Result("99.1", "Double", 1.5, 2.0, "Half, and a comma."),
            Result("99.4", "Why", None, 2.0, "For a person to read: up to 2 points."),
        )
    )
    assert list(csv.reader(io.StringIO(table))) == [
        ["student", "exercise", "points", "max", "comment"],
        ["ada", "99.1", "1.5", "2", "Half, and a comma."],
        ["ada", "99.4", "", "2", "For a person to read: up to 2 points."],
    ]


def test_grade_table_flags_answers_to_review_and_neutralizes_formulas() -> None:
    odd = Result("99.1", "Double", 2.0, 2.0, "=HYPERLINK(1)", ("it uses gc",))
    table = _table(_report(odd))
    assert "PLEASE LOOK AT THIS CELL: it uses gc." in table
    assert ",'=HYPERLINK(1)" in table
