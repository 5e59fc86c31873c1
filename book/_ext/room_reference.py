"""`{room} transformer`: the reference of one room of the package, from its docstrings.

It shows what the room holds, a table of its public names, and each of them with its signature and a link to its source.
"""

import importlib
import inspect
import re

from sphinx.util.docutils import SphinxDirective

# Modules in what Sphinx writes for a type, such as jaxtyping.Float[Tensor, 'batch width'].
MODULES = re.compile(
    r"~?\b(?:jaxtyping|torch|numpy|collections\.abc|typing|pathlib|PIL\.Image|genai_tutorial(?:\.\w+)*)\.(?=[A-Z])"
)
DRAWING = re.compile("[─│└┘┌┐┬┴├┤┼]")


class Room(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self):
        """Return the reference."""
        name = f"genai_tutorial.{self.arguments[0]}"
        room = importlib.import_module(name)
        lines = ["```{eval-rst}", inspect.cleandoc(room.__doc__), "", f".. module:: {name}", ""]
        lines += [".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {public}" for public in room.__all__]
        lines += ["", ".. rubric:: In full", ""]
        for public in room.__all__:
            lines += [f".. auto{_kind(getattr(room, public))}:: {public}", "   :members:", ""]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def _kind(thing: object) -> str:
    if inspect.isclass(thing):
        return "exception" if issubclass(thing, BaseException) else "class"
    return "function" if callable(thing) else "data"


def shorten_types(app, what, name, obj, options, signature, result):
    """Write types by their bare names: a signature is read, not resolved."""

    def short(text):
        return MODULES.sub("", text) if text else text

    return short(signature), short(result)


def tidy_docstring(app, what, name, obj, options, lines):
    """Keep a source on one line and a drawing in its own letters, for docstrings are written to be read as they are."""
    tidy, drawn = [], False
    for line in lines:
        if tidy and tidy[-1].startswith("Source:") and line.strip():
            tidy[-1] += " " + line.strip()
            continue
        if DRAWING.search(line) and line.startswith(" "):
            if not drawn:
                tidy += ["::", ""]
            drawn = True
        elif line.strip():
            drawn = False
        tidy.append(line)
    lines[:] = tidy


def setup(app):
    """Register the extension with Sphinx."""
    app.add_directive("room", Room)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("autodoc-process-docstring", tidy_docstring, priority=400)  # before napoleon reads sections
    return {"parallel_read_safe": True, "parallel_write_safe": True}
