"""`{room} transformer`: the reference of one room of the package, from its docstrings.

It shows what the room holds, a table of its public names, and each of them with its signature and a link to its source.
"""

import importlib
import re

from sphinx.util.docutils import SphinxDirective

# What Sphinx writes for an array type, such as jaxtyping.Float[Tensor, 'batch width'].
PREFIXES = re.compile(r"\b(?:jaxtyping|torch|numpy|collections\.abc|typing|pathlib|PIL\.Image)\.(?=[A-Z])")


class Room(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self):
        """Return the reference."""
        name = f"genai_tutorial.{self.arguments[0]}"
        names = "\n".join(f"   {public}" for public in importlib.import_module(name).__all__)
        text = (
            f"```{{eval-rst}}\n.. automodule:: {name}\n\n.. autosummary::\n   :nosignatures:\n\n{names}\n\n"
            f".. rubric:: In full\n\n.. automodule:: {name}\n   :members:\n   :no-index:\n```"
        )
        return self.parse_text_to_nodes(text)


def shorten_types(app, what, name, obj, options, signature, result):
    """Write types by their bare names: a signature is read, not resolved."""

    def short(text):
        return PREFIXES.sub("", text) if text else text

    return short(signature), short(result)


def setup(app):
    """Register the extension with Sphinx."""
    app.add_directive("room", Room)
    app.connect("autodoc-process-signature", shorten_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
