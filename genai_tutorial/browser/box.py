"""Boxes in which a model runs in the reader's browser, without a kernel.

In a chapter of the book, a click loads the engine and the model from the book's own
files; after that, the page sends no request, and works without the network. Without
scripts, and in a notebook, the box is a text that was recorded in advance.
"""

import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from genai_tutorial.edge import PackedModel, engine_script, model_script

NOTE = (
    "Recorded in advance. On the book's page you type here, and the model runs in your "
    "browser. In a notebook, .embedded() brings the model along."
)


class BrowserBox:
    """A box of one kind, with the models that it runs.

    Args:
        kind: The function in `browser.js` that builds it.
        label: A few words that name the box for screen readers and as its title.
        settings: Further settings of that function, for JSON.
        recorded: The HTML to show without scripts.
        text: The same as plain text.
        script: A script that the box needs before the reader's first click.
        note: A sentence below the recorded text.

    Raises:
        ValueError: If the label is empty or too long, or two models have one name.
    """

    def __init__(
        self,
        kind: str,
        label: str,
        settings: Mapping[str, Any],
        recorded: str,
        text: str,
        models: Sequence[PackedModel] = (),
        script: str = "",
        note: str = NOTE,
    ):
        if not 1 <= len(label) <= 80 or "\n" in label:
            raise ValueError(
                f"label must be one line of 1 to 80 characters, got {label!r}."
            )
        names = [packed.name for packed in models]
        if len(set(names)) < len(names):
            raise ValueError(f"Each model needs a name of its own, got {names}.")
        self.label, self.models, self._text = label, list(models), text
        self._recorded, self._script, self._note = recorded, script, note
        self._settings = {"kind": kind, "models": [], **settings}

    def to_html(self) -> str:
        """Return the box, which finds its models among the files of the book."""
        static = files("genai_tutorial.browser") / "static"
        data = json.dumps(self._settings, ensure_ascii=False).replace("<", "\\u003c")
        label = html.escape(self.label)
        scripts = (self._script, (static / "browser.js").read_text("utf8"))
        return (
            f'<div class="genai-browser" role="group" aria-label="{label}">'
            f"<style>{(static / 'browser.css').read_text('utf8')}</style>\n"
            f'<p class="genai-browser-title">{label}</p>\n{self._recorded}\n'
            f'<p class="genai-browser-note">{self._note}</p>'
            f'<script type="application/json">{data}</script>\n'
            + "".join(f"<script>{script}</script>" for script in scripts if script)
            + "</div>"
        )

    def embedded(self) -> "EmbeddedBox":
        """Return the box with the engine and the models inside, some megabytes: it
        works wherever scripts run, as in JupyterLab or Colab, for any model.
        """
        return EmbeddedBox(self)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"text/plain": self._text, "text/html": self.to_html()}
        digests = {packed.name: packed.digest for packed in self.models}
        return data, {"genai_tutorial": {"browser_models": digests}}


class EmbeddedBox:
    """A box with its engine and its models inside."""

    def __init__(self, box: BrowserBox):
        self.box = box

    def to_html(self) -> str:
        """Return the box with all that it needs."""
        scripts = [engine_script(), *map(model_script, self.box.models)]
        inside = "".join(f"<script>{script}</script>" for script in scripts)
        return f"<div>{inside}{self.box.to_html()}</div>"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        return {"text/plain": self.box._text, "text/html": self.to_html()}


def model_entry(packed: PackedModel) -> dict[str, Any]:
    """Return what the page needs to know of a model before it loads it: its name, its
    digest and the size of its script in bytes.
    """
    size = len(model_script(packed))
    return {"name": packed.name, "digest": packed.digest, "size": size}


def preformatted(text: str) -> str:
    """Return a text as HTML that keeps its line breaks."""
    return f"<pre>{html.escape(text)}</pre>"


def table(caption: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column names the rows."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in heading)
    body = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f'<table aria-label="{html.escape(caption)}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
