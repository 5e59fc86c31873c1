"""What a lesson needs: the slides of each chapter at `slides/04.html`, linked under its
title; the questions of `book/questions/` in a section before its exercises; and the
table "At a glance" on the pages of `book/teachers/`.

Without JavaScript, the questions have their answers folded below them.
"""

import html
import json
import re
from pathlib import Path

BADGE = re.compile(r"\[!\[[^\]]*\]\([^)]*\)\]\(https://colab[^)]*\)")
EXERCISE = re.compile(r"^### Exercise .*\((\d+) minutes, (\d+) points?\)", re.M)
MARKUP = re.compile(r"[*`$]")
SCRIPT = Path(__file__).with_name("questions.js")
HEADING, EXERCISES = "## Check yourself", "## Exercises"


def numbered(docname: str, folder: str) -> str | None:
    """Return the two digits with which the name of a page of this folder begins.

    >>> numbered("notebooks/04_transformer", "notebooks"), numbered("book/x", "book")
    ('04', None)
    """
    found = re.match(rf"{folder}/(\d\d)(?:_|$)", docname)
    return found[1] if found else None


def with_link(text: str, number: str) -> str:
    """Return a page's first cell with a link to the slides beside the Colab badge."""
    link = f'<a class="deck" href="../slides/{number}.html">Slides</a>'
    return BADGE.sub(lambda badge: f"{badge[0]} {link}", text, count=1)


def questions_section(questions) -> str:
    """Return the section with a chapter's questions, as Markdown."""
    parts = [HEADING, '<div class="check-yourself">']
    for number, question in enumerate(questions, start=1):
        name, shown = f"question-{number}", question.answer
        wrong = {key: MARKUP.sub("", text) for key, text in question.wrong.items()}
        if question.choices:
            order = {choice: index for index, choice in enumerate(question.choices)}
            facts = {
                "choice": order[question.answer],
                "wrong": {order[key]: text for key, text in wrong.items()},
            }
            field = "\n".join(
                f'<label><input type="radio" name="{name}" value="{index}"> '
                f"{choice}</label>"
                for choice, index in order.items()
            )
        else:
            facts = {"number": shown, "within": question.within, "wrong": wrong}
            shown = f"{shown:,.10g}"
            field = (
                '<label class="own-answer">Your answer: '
                '<input type="text" inputmode="decimal" size="8"></label>'
            )
        data = html.escape(json.dumps(facts, ensure_ascii=False), quote=True)
        parts += [
            f'<div class="question" role="group" aria-labelledby="{name}" '
            f'data-answer="{data}">',
            f'<span id="{name}">**{number}.** {question.ask}</span>',
            f'{field} <output role="status"></output>',
            "<details><summary>Answer</summary>",
            f"**{shown}.** {question.because}",
            "</details>",
            "</div>",
        ]
    return "\n\n".join([*parts, "</div>"])


def with_questions(cells: list[dict], section: str) -> list[dict]:
    """Return a notebook's cells with this section before the exercises."""
    made = {"cell_type": "markdown", "id": "check-yourself", "metadata": {}}
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            before, heading, after = "".join(cell["source"]).partition(EXERCISES)
            if heading and (not before or before.endswith("\n")):
                made["source"] = [f"{before}{section}"]
                cell = cell | {"source": [heading + after]}
                return [*cells[:index], made, cell, *cells[index + 1 :]]
    raise ValueError("the chapter has no section '## Exercises'")


def at_a_glance(root: Path, number: str) -> str:
    """Return the table of a page for teachers, as Markdown."""
    from genai_tutorial.notebook import chapters, spoken_seconds
    from genai_tutorial.notebook.paths import prerequisites

    found = chapters(root)
    chapter = next(one for one in found if one.number == int(number))
    exercises = EXERCISE.findall(
        "\n".join(
            "".join(cell["source"])
            for cell in json.loads(chapter.path.read_text("utf8"))["cells"]
        )
    )
    minutes, points = (sum(map(int, facts)) for facts in zip(*exercises, strict=True))
    links = re.sub(r"\]\((?=\d\d)", "](/notebooks/", prerequisites(chapter, found))
    page = f"/notebooks/{chapter.path.name}"
    rows = {
        "chapter": f"[{chapter.number}. {chapter.title}]({page})",
        "builds on": links,
        "to read": f"{chapter.reading_minutes} minutes",
        "to run": spoken_seconds(chapter.running_seconds),
        "exercises": f"{len(exercises)}, {minutes} minutes, {points} points",
    }
    if (root / "book" / "slides" / f"{number}.md").is_file():
        rows["slides"] = f'<a href="../../slides/{number}.html">open the deck</a>'
    if (root / "book" / "questions" / f"{number}.yml").is_file():
        rows["questions"] = f"[before the exercises]({page}#check-yourself)"
    lines = [f"| {name} | {text} |" for name, text in rows.items()]
    return "\n".join(["## At a glance", "", "| | |", "| --- | --- |", *lines])


def on_page(app, docname, content):
    root = Path(app.srcdir)
    if number := numbered(docname, "book/teachers"):
        title, _, rest = content[0].partition("\n")
        content[0] = f"{title}\n\n{at_a_glance(root, number)}\n{rest}"
    elif number := numbered(docname, "notebooks"):
        from genai_tutorial.teaching import check_questions

        notebook = json.loads(content[0])
        cells = notebook["cells"]
        if (root / "book" / "slides" / f"{number}.md").is_file():
            first = "".join(cells[0]["source"])
            cells[0]["source"] = [with_link(first, number)]
        path = root / "book" / "questions" / f"{number}.yml"
        if path.is_file():
            made = check_questions(path, Path(app.env.doc2path(docname)))
            notebook["cells"] = with_questions(cells, questions_section(made))
        content[0] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def write_slides(app, exception):
    if exception or app.builder.format != "html":
        return
    from genai_tutorial.teaching import write_all_slides

    write_all_slides(Path(app.srcdir), Path(app.outdir) / "slides")


def setup(app):
    app.add_js_file(None, body=SCRIPT.read_text("utf8"), priority=900)
    app.connect("source-read", on_page)
    app.connect("build-finished", write_slides)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
