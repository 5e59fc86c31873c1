"""Numbered figures and equations.

The numbers stand in the notebook, so that every viewer shows them:
`show(figure, alt=..., caption="Figure 8.4. The loss ...")` displays a caption below the
figure, and an equation ends in `\\tag{8.2}`. Here, figure and caption become one
`<figure>`, both kinds get an anchor, schematics are put inline so that they have the
page's fonts and colours, and "figure 8.4" and "equation 8.2" in the text become links.
"""

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)
REFERENCE = re.compile(r"\b([Ff]igure|[Ee]quation) (\d+[a-z]?\.\d+)\b")
WIDE = 560  # pixels from which a picture's labels become too small on a phone
# Text that is no prose, or a number's own place.
NO_PROSE = (nodes.reference, nodes.literal, nodes.raw, nodes.math_block, nodes.strong)


def anchor(number: str) -> str:
    """Return the anchor of a figure or an equation.

    >>> anchor("Figure 8.4")
    'figure-8-4'
    """
    return re.sub(r"[ .]", "-", number.lower())


def split(caption: str) -> tuple[str, str]:
    """Return a caption's number and its words.

    >>> split("Figure 8.4. The loss falls.")
    ('Figure 8.4', 'The loss falls.')
    """
    number, _, words = caption.partition(". ")
    return number, words


def join_captions(text: str) -> str:
    """Return a notebook as JSON with schematics inline and without the captions below
    figures; those of HTML are inside.
    """
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        shown = []
        for output in cell.get("outputs", ()):
            fact = output.get("metadata", {}).get("genai_tutorial", {})
            if "schematic" in fact:
                output["data"] = {"text/html": in_a_box(output["data"])}
                cell["metadata"]["tags"] = ["remove-input"]
            if "caption" not in fact:
                shown.append(output)
            elif inner := "".join(shown[-1]["data"].get("text/html", "")):
                number, words = split(fact["caption"])
                shown[-1]["data"]["text/html"] = (
                    f'<figure class="numbered" id="{anchor(number)}">{inner}'
                    f"<figcaption><strong>{number}.</strong> {html.escape(words)}"
                    "</figcaption></figure>"
                )
        if "outputs" in cell:
            cell["outputs"] = shown
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def in_a_box(data: dict) -> str:
    """Return a drawing in a box that scrolls on narrow screens."""
    drawing = "".join(data["image/svg+xml"])
    title = re.search(r"<title[^>]*>(.*?)</title>", drawing)[1]
    return (
        f'<div class="schematic" tabindex="0" role="region" aria-label="{title}">'
        f"{drawing}</div>"
    )


def on_page(app, docname, content):
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        content[0] = join_captions(content[0])


def captions_of_pictures(notebook: dict) -> dict[str, tuple[str, int]]:
    """Return the caption and the width on the page, in pixels, of each picture by its
    SHA-256, which is its file's name.
    """
    from genai_tutorial.notebook.captions import captions

    found = {}
    for output, caption in captions(notebook):
        if picture := "".join(output["data"].get("image/png", "")):
            content = base64.b64decode(picture)
            stored = int.from_bytes(content[16:20])  # as a PNG has it
            width = output["metadata"].get("image/png", {}).get("width", stored)
            found[hashlib.sha256(content).hexdigest()] = caption, width
    return found


def make_figures(app, doctree):
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    captions = captions_of_pictures(json.loads(path.read_text("utf8")))
    for image in list(doctree.findall(nodes.image)):
        if found := captions.get(Path(image["uri"]).stem):
            number, words = split(found[0])
            classes = ["numbered", "wide"] if found[1] >= WIDE else ["numbered"]
            figure = nodes.figure("", ids=[anchor(number)], classes=classes)
            image.replace_self(figure)
            figure += image
            figure += nodes.caption("", "", nodes.strong("", f"{number}. "))
            figure[-1] += nodes.Text(words)
    for block in doctree.findall(nodes.math_block):
        if tag := re.search(r"\\tag\{(.+?)\}", block.astext()):
            block["ids"].append(anchor(f"equation {tag[1]}"))
            if r"\\" in block.astext():
                # Sphinx would put the lines into an environment that allows no number.
                lines = rf"\begin{{equation}}{block.astext()}\end{{equation}}"
                block["nowrap"], block[0] = True, nodes.Text(lines)


@cache
def pages(root: Path) -> dict[str, str]:
    """Return the page of each numbered figure and equation, read once per build."""
    from genai_tutorial.notebook.captions import numbers

    return {
        number: f"notebooks/{path.stem}"
        for path in sorted((root / "notebooks").glob("*.ipynb"))
        for number in numbers(json.loads(path.read_text("utf8")))
    }


def link(app, doctree, docname):
    """Turn "figure 8.4" into a link in notebooks and on pages for teachers."""
    if not docname.startswith(("notebooks/", "book/teachers/")):
        return
    known = pages(Path(app.srcdir))
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, NO_PROSE) or not REFERENCE.search(text):
            continue
        parts, end = [], 0
        for found in REFERENCE.finditer(text):
            page = known.get(found[0].lower())
            if page is None:
                logger.warning("%s does not exist", found[0], location=docname)
                continue
            address = (
                app.builder.get_relative_uri(docname, page) if page != docname else ""
            )
            uri = f"{address.partition('#')[0]}#{anchor(found[0])}"
            parts.append(nodes.Text(text[end : found.start()]))
            parts.append(nodes.reference("", found[0], refuri=uri, internal=True))
            end = found.end()
        text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def without_counting(app, config):
    # Jupyter Book and its LaTeX writer turn on Sphinx's numbers, "Fig. 7".
    config.numfig = False


def setup(app):
    app.connect("config-inited", without_counting, priority=900)
    app.connect("builder-inited", lambda app: pages.cache_clear())
    app.connect("source-read", on_page)
    # before alternative texts are added
    app.connect("doctree-read", make_figures, priority=400)
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
