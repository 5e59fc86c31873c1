"""`{room} transformer`: the API reference of one room, generated from its docstrings,
and `{data-sources}`: the book's data sets, from `genai_tutorial.data.SOURCES`.

The reference shows the room's docstring, a table of its public names, and each name
with its signature, its documentation and a link to its source.
"""

import ast
import importlib
import inspect
import re
import typing
from types import ModuleType
from urllib.parse import urlparse

from sphinx.util.docutils import SphinxDirective

# Module names in Sphinx's representation of types, such as jaxtyping.Float[Tensor,
# 'batch width'].
MODULES = re.compile(
    r"~?\b(?:jaxtyping|torch|numpy|collections\.abc|typing|pathlib|PIL\.Image|genai_tutorial(?:\.\w+)*)\.(?=[A-Z])"
)
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
LONG_NAME = re.compile(r"(?<=>)genai_tutorial(?:\.[a-z_]+)+\.([A-Z]\w+)(?=</a>)")
NAME_IN_CODE = re.compile(r'<code class="[^"]*"><span class="pre">(\w+)</span></code>')
DRAWING = re.compile("[─│└┘┌┐┬┴├┤┼]")


def public_names(room: ModuleType) -> list[str]:
    """Return the names that a room offers: constants first, then classes, then
    functions. A room that is one module offers what it defines.
    """
    used = set()
    if not (hasattr(room, "__path__") or room.__spec__ is None):
        used = {
            alias.name
            for node in ast.parse(inspect.getsource(room)).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
    names = [
        name
        for name, thing in vars(room).items()
        if not (name.startswith("_") or name in used or isinstance(thing, ModuleType))
    ]
    # SHAPES, Shape, shape
    return sorted(names, key=lambda name: (name[0].islower(), not name.isupper(), name))


class Room(SphinxDirective):
    required_arguments = 1

    def run(self):
        name = f"genai_tutorial.{self.arguments[0]}"
        room = importlib.import_module(name)
        things = {public: getattr(room, public) for public in public_names(room)}
        lines = [
            "```{eval-rst}",
            f".. module:: {name}",
            "",
            inspect.cleandoc(room.__doc__),
            "",
            ".. list-table::",
            "   :class: room",
            "",
        ]
        for public, thing in things.items():
            lines += [
                f"   * - :py:obj:`{public} <{name}.{public}>`",
                f"     - {_sentence(thing)}",
            ]
        lines += ["", ".. rubric:: In full", ""]
        for public, thing in things.items():
            if _kind(thing) == "data":
                lines += [f".. py:data:: {public}"]
                if not _is_alias(thing):
                    lines += [f"   :type: {type(thing).__name__}"]
                lines += ["", f"   {_sentence(thing)}", ""]
            else:
                members = ["   :members:"] if inspect.isclass(thing) else []
                if fields := _fields(thing):
                    members.append(f"   :exclude-members: {', '.join(fields)}")
                lines += [f".. auto{_kind(thing)}:: {public}", *members, ""]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def _is_alias(thing: object) -> bool:  # such as Callable[[int], bool]
    return typing.get_origin(thing) is not None


def _fields(thing: object) -> list[str]:
    """Return the fields that autodoc would describe a second time, after the docstring:
    those of a named tuple, and those of a dataclass whose default is a function.
    """
    fields = getattr(thing, "__dataclass_fields__", {}).values()
    return [
        *getattr(thing, "_fields", ()),
        *(field.name for field in fields if callable(field.default)),
    ]


def _kind(thing: object) -> str:
    if _is_alias(thing):
        return "data"
    if inspect.isclass(thing):
        return "exception" if issubclass(thing, BaseException) else "class"
    return "function" if callable(thing) else "data"


def _sentence(thing: object) -> str:
    """Return the first paragraph of an object's docstring; of a constant, its size, and
    of a name for a type, the type.
    """
    if _is_alias(thing):
        return f"A type: ``{MODULES.sub('', str(thing))}``."
    if _kind(thing) == "data":
        return (
            f"A constant of {len(thing)} entries."
            if hasattr(thing, "__len__")
            else "A constant."
        )
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].split())


def shorten_types(app, what, name, obj, options, signature, result):
    """Remove the module names from types in signatures."""
    return tuple(text and MODULES.sub("", text) for text in (signature, result))


def tidy_docstring(app, what, name, obj, options, lines):
    """Keep line breaks in sources and drawings of docstrings, which are written as
    plain text.
    """
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


def stars_as_stars(app, what, name, obj, options, lines):
    """Escape the star in shapes such as "batch *shape", which is not the start of
    emphasis.
    """
    lines[:] = [
        line.replace("*", r"\*") if line.lstrip().startswith(":type:") else line
        for line in lines
    ]


def lighten_page(app, pagename, templatename, context, doctree):
    """Write long signatures as lines, because Sphinx's definition list without terms is
    invalid HTML, and the names in the sidebar of a room without markup.
    """

    def lines(signature):
        text = signature[0]
        for old, new in (("dl", "sig-lines"), ("dd", "sig-line")):
            text = text.replace(f"<{old}>", f'<span class="{new}">').replace(
                f"</{old}>", "</span>"
            )
        return text

    if pagename.startswith("book/api/") and "toc" in context:
        # Hundreds of names stand in these sidebars: markup would be most of their size.
        context["toc"] = NAME_IN_CODE.sub(r"\1", context["toc"])
    if "body" in context:
        context["body"] = LONG_NAME.sub(r"\1", SIGNATURE.sub(lines, context["body"]))


def leave_out_builtins(app):
    """Take names for types, such as `Masks = dict[str, Tensor]`, out of the list of
    source pages: Python's own types have none.
    """
    app.env._viewcode_modules.pop("builtins", None)
    return ()


class DataSources(SphinxDirective):
    """Every data set with its origin and licence."""

    def run(self):
        from genai_tutorial.data import SOURCES

        lines = []
        for source in SOURCES:
            lines += [
                f"### {source.name}",
                "",
                "| | |",
                "| --- | --- |",
                f"| What it holds | {_as_sentence(source.contents)} |",
                f"| How to load it | `genai_tutorial.data.{source.loader}()` |",
                "| Comes inside | "
                f"[{source.package}](https://pypi.org/project/{source.package}/), "
                f"which `{source.install}` installs |",
                f"| Origin | [{urlparse(source.url).netloc}]({source.url}) |",
                f"| Licence | {_as_sentence(source.licence)} |",
                f"| Credit | {_as_sentence(source.attribution)} |",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _as_sentence(text: str) -> str:
    return (text[0].upper() + text[1:].rstrip(".") + ".").replace("|", r"\|")


def setup(app):
    app.add_directive("room", Room)
    app.add_directive("data-sources", DataSources)
    # before viewcode writes the pages
    app.connect("html-collect-pages", leave_out_builtins, priority=400)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("html-page-context", lighten_page)
    # before napoleon reads sections
    app.connect("autodoc-process-docstring", tidy_docstring, priority=400)
    # after it has named the attributes' types
    app.connect("autodoc-process-docstring", stars_as_stars, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
