"""Slides, questions and pages for teachers: their forms, what they find in a chapter,
and that the book's own ones are right.
"""

import re
from pathlib import Path

import pytest

from genai_tutorial.teaching import TeachingError, check_questions
from genai_tutorial.teaching.questions import gift, read_questions
from genai_tutorial.teaching.references import NotFoundError, ReaderView
from genai_tutorial.teaching.slides import deck, read_slides, write_all_slides

ROOT = Path(__file__).resolve().parents[2]
DECKS = sorted((ROOT / "book" / "slides").glob("*.md"))
QUESTIONS = sorted((ROOT / "book" / "questions").glob("*.yml"))
MANUALS = sorted((ROOT / "book" / "teachers").glob("*.md"))


def notebook_of(path: Path) -> Path:
    return next((ROOT / "notebooks").glob(f"{path.stem}_*.ipynb"))


def words(text: str) -> int:
    return len(text.split())


# --- What a reader sees ---------------------------------------------------------------

CLAIM = {
    "statement": "The net beats counting",
    "measured": "net: 1.46; after 1,000 steps: 1.80",
    "baseline": "1.58",
    "holds": True,
}

FRAMES = (
    '<div><img alt="Up (step 1, top-p 1.0)." src="data:image/png;base64,AAAA">'
    '<script type="application/json">{"alts": ["Up (step 1, top-p 1.0).", '
    '"Down (step 11, top-p 1.0)."], "frames": ["BBBB"]}</script></div>'
)


def code(source: str, *outputs: dict, **metadata) -> dict:
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source.splitlines(keepends=True),
        "outputs": list(outputs),
    }


def stream(text: str) -> dict:
    return {"output_type": "stream", "text": [text]}


def shown(data: dict, **metadata) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


@pytest.fixture
def view() -> ReaderView:
    caption = {"genai_tutorial": {"caption": "Figure 4.2. It falls."}}
    turns = {"genai_tutorial": {"caption": "Figure 4.3. It turns."}}
    equations = "$$ a = b \\tag{4.1} $$ and $$\nc \\\\ d \\tag{4.10}\n$$"
    step = '@wrapped\ndef step(x):\n    """Do it.\n\n    Now.\n    """\n    return x\n'
    return ReaderView(
        [
            {"cell_type": "markdown", "metadata": {}, "source": [equations]},
            code("x", stream("bigram: 2.48 nats\n6-gram: 1.6 nats\n"), stream("end")),
            code("table", shown({"text/plain": "tokens  −3", "text/html": "<table>"})),
            code(step + "def other():\n    pass"),
            code("def step(x):\n    return 0", nbgrader={"solution": True}),
            code("%time x\ndef step(): pass"),
            code(
                "show()",
                shown({"image/png": "AAAA"}, **{"image/png": {"alt": "a < b"}}),
                shown({"text/plain": "Figure 4.2. It falls."}, **caption),
                shown({"text/plain": "✓"}, genai_tutorial={"claim": CLAIM}),
            ),
            code(
                "frames",
                shown({"text/html": FRAMES}),
                shown({"text/plain": "Figure 4.3. It turns."}, **turns),
            ),
        ]
    )  # fmt: skip


def test_parts_are_found_by_what_a_reader_sees(view):
    assert view.output("6-gram", 2) == ["6-gram: 1.6 nats", "end"]
    assert view.output("tokens", 1) == ["tokens  −3"]
    assert view.bars("gram", 2) == [("bigram", "2.48 nats"), ("6-gram", "1.6 nats")]
    assert view.equation("4.1") == "a = b"
    assert view.equation("4.10") == "c \\\\ d"
    assert view.code("step") == ["@wrapped", "def step(x):", "    return x"]
    assert (view.figure("4.2").alt, view.figure("4.2").svg) == ("a < b", "")
    first, down = (view.figure("4.3", f"step {n}, top-p 1.0") for n in (1, 11))
    assert (first.png, down.png) == ("AAAA", "BBBB")
    assert (view.figure("4.3").png, down.alt) == ("AAAA", "Down (step 11, top-p 1.0).")
    assert view.claim("The net")["baseline"] == "1.58"
    assert view.measured("The net", "after 1,000 steps") == 1.8
    assert view.match(r"bigram: ([\d.]+)")[1] == "2.48"


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (lambda view: view.output("gram", 1), "more than one printed line.*2"),
        (lambda view: view.output("Figure", 1), "no printed line with 'Figure'"),
        (lambda view: view.output("end", 2), "only 1 line"),
        (lambda view: view.bars("end", 1), "no number for a bar"),
        (lambda view: view.bars("6-gram", 3), "no 3 printed lines"),
        (lambda view: view.equation("4.2"), "no equation 4.2"),
        (lambda view: view.figure("4.1"), "no figure 4.1"),
        (lambda view: view.figure("4.2", "step 1"), "4.2 has no sliders"),
        (lambda view: view.figure("4.3", "step 2"), "no frame 'step 2' of figure 4.3"),
        (lambda view: view.code("train"), "no cell that defines train"),
        (lambda view: view.claim("A net"), "no claim that begins"),
        (lambda view: view.measured("The net", "loss"), "no number with the label"),
        (lambda view: view.match("gram"), "more than one printed line that matches"),
        (lambda view: view.match("("), "no regular expression"),
    ],
)
def test_wrong_reference_is_refused_with_reason(view, look, reason):
    with pytest.raises(NotFoundError, match=reason):
        look(view)


# --- The forms ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("words\n", 1, "begins with a title"),
        ("# A\n::picture 4.1\n", 2, "none of ::bars"),
        ("# A\n::output 4.1\n", 2, "none of ::bars"),
        ("# A\n\n? a question\n", 3, "question \\| answer"),
        ("# A\n$$ x\n", 2, "on one line"),
        ("# A\n### B\n", 2, "in none of a deck's forms"),
        ("# A\n::equation 99.9\n", 2, "no equation 99.9"),
        ("# A\n$$ \\frac{ $$\n", 2, "cannot be typeset"),
        ("# A\n- b\n$\\nothing$\n", 3, "unknown here, .*nothing"),
    ],
)
def test_wrong_line_of_a_deck_is_named(tmp_path, text, line, reason):
    source = tmp_path / "04.md"
    source.write_text(text, "utf8")
    with pytest.raises(TeachingError, match=rf"04\.md, line {line}: .*{reason}"):
        deck(source, notebook_of(source))


GOOD = {
    "number": "- ask: How many?\n  number: 4\n  within: 0.5\n  because: Two twice.\n",
    "choice": "- ask: Which?\n  choice: [a, b, c]\n  answer: b\n  because: So.\n",
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD["number"].replace("  within: 0.5\n", ""), "line 1: .*lacks within"),
        (GOOD["number"] + "  hint: x\n", "has no hint"),
        (GOOD["number"] + "  wrong: {4.2: x}\n", "4.2 is not wrong"),
        (GOOD["choice"] * 2 + "  choice: [a, b]\n", "line 5: .*three to five"),
        (GOOD["choice"].replace("answer: b", "answer: d"), "'d' is not among"),
        (GOOD["choice"] + "  wrong: {d: x}\n", "'d' is no wrong choice"),
        (GOOD["choice"] + "  wrong: {b: x}\n", "'b' is no wrong choice"),
        (GOOD["choice"] + "  from: {cell: x}\n", "an output, or a claim"),
        (GOOD["choice"] + "  from: {output: qqq}\n", "question 1: .*no printed line"),
        (GOOD["number"] + "  from: {output: 'ln 64 = .* nats'}\n", "no group"),
        (
            GOOD["number"] + "  from: {output: 'ln 64 = ([\\d.]+) nats'}\n",
            "answer is 4.0, the chapter says 3",
        ),
        ("- [", "cannot be read as YAML"),
        ("", "no questions"),
    ],
)  # fmt: skip
def test_wrong_question_is_refused_with_reason(tmp_path, text, reason):
    path, notebook = tmp_path / "04.yml", tmp_path / "04_x.ipynb"
    path.write_text(text, "utf8")
    notebook.write_text(
        '{"cells": [{"cell_type": "code", "outputs": [{"output_type": "stream", '
        '"text": ["ln 64 = 3 nats"]}]}]}'
    )
    with pytest.raises(TeachingError, match=reason):
        check_questions(path, notebook)


def test_gift_escapes_its_signs(tmp_path):
    path = tmp_path / "04.yml"
    path.write_text(
        "- ask: 'Is {a} = $x_{1}$: yes~no #1?'\n  number: 0.5\n  within: 0.25\n"
        "  wrong: {2: 'Not 1:2.'}\n  because: b = c\n" + GOOD["choice"],
        "utf8",
    )
    assert gift(read_questions(path), "Chapter 4") == (
        "::Chapter 4, question 1::[markdown]"
        "Is \\{a\\} \\= \\\\(x_\\{1\\}\\\\)\\: yes\\~no \\#1?{#\n"
        "\t=%100%0.5:0.25#b \\= c\n\t=%0%2:0.02#Not 1\\:2.\n}\n\n"
        "::Chapter 4, question 2::[markdown]Which?{\n\t~a#\n\t=b#So.\n\t~c#\n}\n"
    )


# --- The book's decks, questions and pages for teachers -------------------------------


def test_every_chapter_has_slides_questions_and_a_page_for_teachers():
    chapters = sorted(
        path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")
    )
    for found in (DECKS, QUESTIONS, MANUALS):
        assert [path.stem for path in found] == chapters


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_deck(path):
    page = deck(path, notebook_of(path))
    assert "http:" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    slides = read_slides(path)
    assert 12 <= len(slides) <= 15
    assert [slide.first for slide in slides].index(True) == 0
    assert sum(slide.first for slide in slides) == 1
    assert slides[-1].title == "What to remember"
    assert [item.text.count("\n- ") for item in slides[-1].items] == [2]
    questions = 0
    for slide in slides:
        where = f"{path.name}, line {slide.line}"
        assert words(slide.title) <= 8, where
        assert words(slide.written.replace("|", "")) <= 60, where
        assert 25 <= words(slide.notes) <= 60, where
        references = [item for item in slide.items if item.kind in SIZES]
        assert len(references) <= 2, where
        for item in references:
            size = re.search(r"(?<= )\d+$", item.text)
            assert size is None or int(size[0]) <= SIZES[item.kind], where
        questions += sum(item.kind == "question" for item in slide.items)
    assert questions >= 4
    for length in re.findall(r'<pre class="code"[^>]*>(.*?)</pre>', page, re.S):
        assert length.strip().count("\n") < SIZES["code"]


SIZES = {"bars": 12, "output": 12, "code": 14, "equation": 1, "figure": 1, "claim": 1}


def test_all_decks_have_a_page_that_lists_them(tmp_path):
    (tmp_path / "book" / "slides").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "08_x.ipynb").write_text('{"cells": []}')
    text = "# A & *B*\nWhy $\\overline{x}$?\n\nNotes:\nAsk `them`.\n"
    (tmp_path / "book" / "slides" / "08.md").write_text(text, "utf8")
    (written,) = write_all_slides(tmp_path, tmp_path / "out")
    assert written.name == "08.html"
    page = written.read_text("utf8")
    assert "<h1>A &amp; <em>B</em></h1>" in page
    formula = re.search(r'aria-label="\\overline{x}">(.+?)</span>', page)[1]
    assert formula.count("currentColor") == 2  # the letter and the line over it
    assert "black" not in formula
    assert "<code>them</code>" in page
    index = (tmp_path / "out" / "index.html").read_text("utf8")
    assert '<a href="08.html">A &amp; *B*</a>' in index


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_questions(path):
    questions = check_questions(path, notebook_of(path))
    assert sum(not question.choices for question in questions) == 4
    assert sum(bool(question.choices) for question in questions) == 4
    assert sum(bool(question.origin) for question in questions) >= 5
    for question in questions:
        assert len(question.wrong) >= (2 if question.choices else 1), question.ask
    assert gift(questions, path.stem).count("::[markdown]") == 8


HEADINGS = ["Plans", "Misconceptions", "Where students get stuck", "The open question"]
PLAN = re.compile(
    r"^\| minutes \| slides \| .+ \|\n\|[ -|]+\|\n((?:\|.+\|\n)+)", re.MULTILINE
)


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.stem)
def test_page_for_teachers(path):
    text = path.read_text("utf8")
    assert text.startswith(f"# Teaching chapter {int(path.stem)}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert 600 <= words(text) <= 1000
    slides = len(read_slides(path.parents[1] / "slides" / path.name))
    plans = [
        [line.split("|")[1:3] for line in table.splitlines()]
        for table in PLAN.findall(text)
    ]
    assert [sum(int(row[0]) for row in plan) for plan in plans] == [45, 90]
    for plan in plans:
        numbers = [int(number) for row in plan for number in re.findall(r"\d+", row[1])]
        assert numbers == sorted(numbers)
        assert numbers[-1] <= slides
    parts = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", text, re.MULTILINE))
    assert 5 <= len(re.findall(r"^\*\*", parts["Misconceptions"], re.M)) <= 7
    assert len(re.findall(r"^\*\*", parts["Where students get stuck"], re.M)) >= 3
    for answer in ("A weak answer", "A good answer"):
        assert f"**{answer}" in parts["The open question"]
