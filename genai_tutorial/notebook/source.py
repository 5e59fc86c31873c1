"""Source listings of functions and classes, read from the package so that they cannot
become outdated.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable

from genai_tutorial.runtime import repository_address, repository_branch

from .figures import put


def source_text(thing: type | Callable, *, docstring: bool = True) -> str:
    """Return the dedented source of a function or class, with or without docstrings."""
    source = (
        _class_source(thing) if inspect.isclass(thing) else inspect.getsource(thing)
    )
    text = textwrap.dedent(source).rstrip()
    return text if docstring else _without_docstrings(text)


def show_source(thing: object, *, docstring: bool = True) -> None:
    """Show the source of a function, method or class of `genai_tutorial`, with a link
    to its file.

    Args:
        thing: Function, method or class.
        docstring: If true, include docstrings. Leave them out where the chapter has
            just said the same.

    Raises:
        TypeError: If `thing` has no source, or is not part of `genai_tutorial`.
    """
    thing = inspect.unwrap(thing)
    module, name = (
        getattr(thing, "__module__", None),
        getattr(thing, "__qualname__", None),
    )
    if not name or module is None or module.partition(".")[0] != "genai_tutorial":
        raise TypeError(
            "show_source takes a function or class of genai_tutorial itself, got "
            f"{thing!r}."
        )
    text = source_text(thing, docstring=docstring)
    file = module.replace(".", "/") + (
        "/__init__.py" if inspect.getfile(thing).endswith("__init__.py") else ".py"
    )
    link = f"[`{file}`]({repository_address()}/blob/{repository_branch()}/{file})"
    fence = "```" if "```" not in text else "````"
    put(
        {
            "text/plain": text,
            # Fenced blocks are highlighted by every notebook viewer, in its light and
            # dark theme.
            "text/markdown": f"`{name}` in {link}\n\n{fence}python\n{text}\n{fence}",
        },
        {
            "genai_tutorial": {
                "source": {"module": module, "name": name, "docstring": docstring}
            }
        },
    )


def _class_source(thing: type) -> str:
    """Return the source of a class with its decorators, which `inspect` leaves out in
    Python 3.13 if a shape checker has added another.
    """
    lines, found = inspect.findsource(thing)
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, ast.ClassDef):
            first = min(part.lineno for part in (node, *node.decorator_list))
            if first <= found + 1 <= node.lineno:
                return "".join(lines[first - 1 : node.end_lineno])
    raise OSError(f"The source of {thing.__qualname__} was not found.")


def _without_docstrings(text: str) -> str:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) or not ast.get_docstring(node):
            continue
        first, last = node.body[0].lineno, node.body[0].end_lineno
        # Remove the empty line after a docstring too, unless there is no other code.
        if len(node.body) == 1:
            lines[first - 1 : last] = [" " * node.body[0].col_offset + "..."] + [
                None
            ] * (last - first)
            continue
        if not (lines[last] or "").strip():
            last += 1
        lines[first - 1 : last] = [None] * (last - first + 1)
    return "\n".join(line for line in lines if line is not None)
