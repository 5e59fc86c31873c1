"""Show exercises to readers without nbgrader's markers and without hidden tests.

The notebook in the repository contains both. The page, its copy buttons and the
notebook offered for download do not.
"""

import json
import re
from pathlib import Path

HIDDEN_TESTS = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?",
    re.MULTILINE | re.DOTALL,
)
SOLUTION_MARK = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[^\n]*\n?", re.MULTILINE)


def as_shown(source: str) -> str:
    """Return the source of a code cell without hidden tests and solution markers."""
    return SOLUTION_MARK.sub("", HIDDEN_TESTS.sub("", source)).rstrip()


def shown_notebook(text: str) -> str:
    """Return a notebook as JSON, with its exercises as shown."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            if cell["metadata"].get("nbgrader", {}).get("solution"):
                # class used by the style sheet
                cell["metadata"].setdefault("tags", []).append("solution")
            source = "".join(cell["source"])
            shown = as_shown(source)
            if shown != source:
                cell["source"] = shown.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def show_on_page(app, docname, content):
    """Change the source that Sphinx is about to read."""
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        content[0] = shown_notebook(content[0])


def show_in_download(app, exception):
    """Change the notebooks that the pages offer for download."""
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        path.write_text(shown_notebook(path.read_text("utf8")), "utf8")


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("source-read", show_on_page)
    app.connect("build-finished", show_in_download)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
