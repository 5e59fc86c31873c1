"""What a page shows of a notebook: exercises without hidden tests and nbgrader's marks,
claims with the code that checked them folded inside their boxes, folded sections,
pictures with the text that `show(figure, alt="...")` stores, and the models that run in
the page.
"""

import ast
import base64
import hashlib
import json
import re
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)
HIDDEN_TESTS = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?",
    re.MULTILINE | re.DOTALL,
)
SCRIPT = re.compile(r"<script\b.*?</script>\n?", re.DOTALL)
SOLUTION_MARK = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[^\n]*\n?", re.MULTILINE)


def as_shown(source: str) -> str:
    """Return the source of a code cell without hidden tests and solution marks."""
    return SOLUTION_MARK.sub("", HIDDEN_TESTS.sub("", source)).rstrip()


def shown_notebook(text: str) -> str:
    """Return a notebook as JSON, with its exercises as shown."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            if cell["metadata"].get("nbgrader", {}).get("solution"):
                # for the style sheet
                cell["metadata"].setdefault("tags", []).append("solution")
            source = "".join(cell["source"])
            if (shown := as_shown(source)) != source:
                cell["source"] = shown.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def checks(source: str) -> list[str]:
    """Return the code of each claim in a cell: its call, and what stands before it."""
    parts, lines, start = [], source.splitlines(keepends=True), 0
    for statement in ast.parse(source).body:
        calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
        if any(getattr(call.func, "id", "") == "claim" for call in calls):
            parts.append("".join(lines[start : statement.end_lineno]).strip())
            start = statement.end_lineno
    return parts


def fold_checks(cell: dict) -> None:
    """Move the code of a cell that holds claims into their boxes."""
    source = "".join(cell["source"])
    found = checks(source)
    if len(found) != len(cell["outputs"]):  # claims in a loop
        found = [source] + [""] * (len(cell["outputs"]) - 1)
    for code, output in zip(found, cell["outputs"], strict=True):
        shown = highlight(code, PythonLexer(), HtmlFormatter())
        box = "".join(output["data"]["text/html"])
        box = box.replace("<p ", "<div ", 1).removesuffix("</p>")
        how = (
            '<details class="genai-check"><summary>How this was checked</summary>'
            f'<div class="highlight-ipython3 notranslate">{shown}</div></details>'
        )
        output["data"]["text/html"] = f"{box}{how if code else ''}</div>"
    cell["source"] = ["pass"]  # MyST-NB leaves out a cell without source
    cell["metadata"]["tags"] = ["remove-input"]


def fold_sections(notebook: dict) -> None:
    """Fold the sections whose heading begins with "Further: "."""
    from genai_tutorial.notebook.reading import folded_sections, minutes

    cells = notebook["cells"]
    for section in reversed(folded_sections(cells)):
        heading, *others = cells[section.start : section.stop]
        count = max(1, round(minutes(others)))
        unit = "minute" if count == 1 else "minutes"
        summary = f"Show this section ({count} {unit})"
        inside = [
            raw(
                f'<details class="further"><summary>{summary}</summary>',
                f"open-{section.start}",
            ),
            *others,
            raw("</details>", f"close-{section.start}"),
        ]
        cells[section.start : section.stop] = [heading, *inside]


def raw(html: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": [html]}


def page_notebook(text: str) -> str:
    """Return a notebook as JSON, as its page shows it."""
    notebook = json.loads(shown_notebook(text))
    fold_sections(notebook)
    for cell in notebook["cells"]:
        if "claim" in cell["metadata"].get("tags", ()):
            fold_checks(cell)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def show_on_page(app, docname, content):
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        content[0] = page_notebook(content[0])


def downloaded_notebook(text: str) -> str:
    """Return a notebook as JSON, with its exercises as shown. Of an interactive figure
    it has the first frame, whose note says to run the cell: no program runs the scripts
    of a notebook that it doesn't trust.
    """
    notebook = json.loads(shown_notebook(text))
    for output in outputs(notebook):
        html = "".join(output.get("data", {}).get("text/html", ""))
        if html.startswith('<div class="genai-frames"'):
            output["data"]["text/html"] = SCRIPT.sub("", html)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def show_in_download(app, exception):
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        path.write_text(downloaded_notebook(path.read_text("utf8")), "utf8")


def outputs(notebook: dict) -> list[dict]:
    return [out for cell in notebook["cells"] for out in cell.get("outputs", ())]


def alternative_texts(notebook: dict) -> dict[str, str]:
    """Return the alternative text of each image in the outputs, by the SHA-256 of its
    bytes (empty if it has none): MyST-NB ignores the text, but names files so.
    """
    texts = {}
    for output in outputs(notebook):
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/"):
                content = content if isinstance(content, str) else "".join(content)
                data = (
                    "\n".join(content.splitlines()).encode()
                    if kind.endswith("xml")
                    else base64.b64decode(content)
                )
                alt = output["metadata"].get(kind, {}).get("alt", "")
                texts[hashlib.sha256(data).hexdigest()] = alt
    return texts


def add_alternative_texts(app, doctree):
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    texts = alternative_texts(json.loads(path.read_text("utf8")))
    for image in doctree.findall(nodes.image):
        if text := texts.get(Path(image["uri"]).stem):
            image["alt"] = text
        elif not image.get("alt"):
            logger.warning(
                'a picture has no alternative text; use show(figure, alt="...")',
                location=image,
            )


def used_models(notebook: dict) -> dict[str, str]:
    """Return the names of the models in a notebook's outputs, with their digests."""
    facts = (out.get("metadata", {}).get("genai_tutorial") for out in outputs(notebook))
    return {
        name: digest
        for fact in facts
        for name, digest in (fact or {}).get("browser_models", {}).items()
    }


def write_models(folder: Path, models: dict[str, str]) -> None:
    """Write the published models with these names, and the engine, as scripts that a
    page inserts when the reader clicks.

    Raises:
        ExtensionError: If a model is not the one that an output was made with.
    """
    from genai_tutorial.browser import pack_published
    from genai_tutorial.edge import engine_script, model_script

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.js").write_text(engine_script(), "utf8")
    for name, digest in models.items():
        packed = pack_published(name)
        if packed.digest != digest:
            raise ExtensionError(
                f"A chapter's output was made with another version of {name!r}: "
                "execute the chapter again."
            )
        (folder / f"{name}.js").write_text(model_script(packed), "utf8")


def write_used_models(app, exception):
    # Not to _static, where Jupyter Book would load each of them on every page.
    if exception or app.builder.format != "html":
        return
    models: dict[str, str] = {}
    for document in sorted(app.env.found_docs):
        path = Path(app.env.doc2path(document))
        if path.suffix == ".ipynb":
            for name, digest in used_models(json.loads(path.read_text("utf8"))).items():
                if models.setdefault(name, digest) != digest:
                    raise ExtensionError(
                        f"Two chapters use different versions of {name!r}: execute "
                        f"{document} again."
                    )
    if models:
        write_models(Path(app.outdir) / "models", models)


def setup(app):
    app.connect("source-read", show_on_page)
    app.connect("doctree-read", add_alternative_texts)
    app.connect("build-finished", show_in_download)
    app.connect("build-finished", write_used_models)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
