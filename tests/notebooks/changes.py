"""Ways to change the sample chapter so that it breaks a rule."""

import base64
import io
import random
from collections.abc import Callable
from importlib.resources import files

from nbformat import NotebookNode
from nbformat.v4 import new_output
from PIL import Image

DRAWINGS = files("genai_tutorial.notebook") / "schematics"
Change = Callable[[NotebookNode], object]


def cell(notebook: NotebookNode, beginning: str) -> NotebookNode:
    """Return the cell that begins so, or has this grade_id."""
    (found,) = (
        cell
        for cell in notebook.cells
        if cell.source.startswith(beginning)
        or cell.metadata.get("nbgrader", {}).get("grade_id") == beginning
    )
    return found


def edit(beginning: str, old: str, new: str) -> Change:
    """Return a change of a cell's source; an empty `old` stands for its end."""

    def change(notebook: NotebookNode):
        one = cell(notebook, beginning)
        assert old in one.source
        one.source = one.source.replace(old, new) if old else one.source + new

    return change


def write(*words: str) -> Change:
    """Return a change that adds words to the chapter's text."""
    return edit("## The idea", "", "\n\n" + "\n".join(words))


def run(line: str, beginning: str = "frames") -> Change:
    """Return a change that adds a line of code to a cell."""
    return edit(beginning, "", f"\n{line}")


def fact(**facts: object) -> Change:
    return lambda notebook: notebook.metadata.genai_tutorial.update(facts)


def grade(beginning: str, **marks: object) -> Change:
    return lambda notebook: cell(notebook, beginning).metadata.nbgrader.update(marks)


def show(beginning: str, *shown: NotebookNode) -> Change:
    return lambda notebook: cell(notebook, beginning).update(outputs=list(shown))


def html(*parts: str) -> Change:
    return show("print", new_output("display_data", {"text/html": "".join(parts)}))


def tag(beginning: str, *tags: str) -> Change:
    return lambda notebook: cell(notebook, beginning).metadata.update(tags=list(tags))


def output(beginning: str) -> Callable[[NotebookNode], NotebookNode]:
    """Return the way to the first output of a cell."""
    return lambda notebook: cell(notebook, beginning).outputs[0]


def put(place: Callable[[NotebookNode], dict], **new: object) -> Change:
    return lambda notebook: place(notebook).update(new)


def picture(kind: str, content: str) -> Change:
    return put(lambda notebook: output("show(")(notebook).data, **{kind: content})


def alt(words: str) -> Change:
    place = output("show(")
    return put(
        lambda notebook: place(notebook).metadata, **{"image/png": {"alt": words}}
    )


def claim(number: int = 0, **changes: object) -> Change:
    """Return a change of a claim; None removes an entry."""

    def change(notebook: NotebookNode):
        found = cell(notebook, "claim(").outputs[number].metadata.genai_tutorial.claim
        found.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del found[name]

    return change


def many_claims(count: int) -> Change:
    """Return a change that repeats a claim until there are this many."""

    def change(notebook: NotebookNode):
        outputs = cell(notebook, "claim(").outputs
        outputs += outputs[:1] * (count - len(outputs))

    return change


def caption(text: str) -> NotebookNode:
    """Return the output that stands below a figure."""
    fact = {"genai_tutorial": {"caption": text}}
    return new_output("display_data", {"text/plain": text}, metadata=fact)


def captioned(first: str, second: str | None = "9.2", text: str = "") -> Change:
    """Return a change that gives the two figures captions, the second by its number or
    none, and adds a text.
    """

    def change(notebook: NotebookNode):
        cell(notebook, "show(").outputs.append(caption(first))
        if second is not None:
            words = f"Figure {second}. Redder and redder."
            cell(notebook, "frames").outputs.append(caption(words))
        cell(notebook, "## The idea").source += f"\n\n{text}"

    return change


def drawing(name: str, svg: str | None = None) -> NotebookNode:
    """Return a schematic as displayed, with another drawing if `svg` is given."""
    if svg is None and (path := DRAWINGS / f"{name}.svg").is_file():
        svg = path.read_text("utf8")
    alt = "A U of feature maps and blocks."
    picture = base64.b64encode((DRAWINGS / "unet.png").read_bytes()).decode()
    return new_output(
        "display_data",
        {"image/svg+xml": svg or "<svg/>", "image/png": picture, "text/plain": alt},
        metadata={
            "image/svg+xml": {"alt": alt},
            "image/png": {"alt": alt},
            "genai_tutorial": {"schematic": name},
        },
    )


def again(beginning: str, into: str | None = None) -> Change:
    """Return a change that shows a cell's first output once more."""

    def change(notebook: NotebookNode):
        shown = cell(notebook, beginning).outputs[0]
        cell(notebook, into or beginning).outputs.append(shown)

    return change


def full_colour(width: int, height: int) -> str:
    stream = io.BytesIO()
    noise = random.Random(0).randbytes(width * height * 3)
    Image.frombytes("RGB", (width, height), noise).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def swapped_sections(notebook: NotebookNode):
    first, second = cell(notebook, "## At scale"), cell(notebook, "## In production")
    first.source, second.source = second.source, first.source


def without_exercise(number: int, cells: int) -> Change:
    def change(notebook: NotebookNode):
        start = notebook.cells.index(cell(notebook, f"### Exercise 9.{number}"))
        del notebook.cells[start : start + cells]
        if number < 4:
            edit("### Exercise 9.4", "9.4", "9.3")(notebook)

    return change


def stray_grade(notebook: NotebookNode):
    marks = cell(notebook, "ex-9-1").metadata.nbgrader
    cell(notebook, "print").metadata.nbgrader = {**marks, "grade_id": "stray"}


def source_of(beginning: str, source: str) -> Change:
    return lambda notebook: cell(notebook, beginning).update(source=source)


def nothing(notebook: NotebookNode):
    pass
