"""A chapter's notebook file as the rules read it, without executing it."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked_files(root: Path) -> frozenset[Path]:
    """Return the files that git tracks: a link to any other is dead for other users."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return frozenset(root / name for name in listed.split("\0") if name)


@dataclass(frozen=True)
class ChapterFile:
    path: Path
    text: str
    root: Path
    tracked: frozenset[Path]

    @classmethod
    @lru_cache(maxsize=3)  # the rules come one after the other to a chapter
    def read(cls, path: Path) -> "ChapterFile":
        return cls(path, path.read_text("utf8"), ROOT, tracked_files(ROOT))

    @cached_property
    def notebook(self) -> dict:
        return json.loads(self.text)

    @cached_property
    def facts(self) -> dict:
        return self.notebook["metadata"].get("genai_tutorial", {})

    @cached_property
    def cells(self) -> list[dict]:
        return self.notebook["cells"]

    def of_type(self, cell_type: str) -> list[tuple[int, dict, str]]:
        """Return (number, cell, source) for each cell; numbers start at 1."""
        return [
            (number, cell, text_of(cell["source"]))
            for number, cell in enumerate(self.cells, start=1)
            if cell["cell_type"] == cell_type
        ]

    @cached_property
    def outputs(self) -> list[tuple[int, dict]]:
        """Return each output with the number of its cell."""
        return [
            (number, output)
            for number, cell, _ in self.of_type("code")
            for output in cell["outputs"]
        ]

    def facts_in_outputs(self, kind: str) -> list[tuple[int, dict, dict]]:
        """Return (number, output, fact) for what the package noted of its outputs."""
        found = [
            (number, out, out.get("metadata", {}).get("genai_tutorial", {}))
            for number, out in self.outputs
        ]
        return [(n, out, facts[kind]) for n, out, facts in found if kind in facts]

    @cached_property
    def htmls(self) -> list[tuple[int, str]]:
        """Return the HTML of each output with the number of its cell."""
        return [
            (number, text_of(output.get("data", {}).get("text/html", "")))
            for number, output in self.outputs
        ]

    @cached_property
    def tokens(self) -> list[tuple[int, Token]]:
        """Return the CommonMark tokens of the Markdown cells, with tables and formulas;
        children follow their parents.
        """
        return [
            (n, token)
            for n, _, source in self.of_type("markdown")
            for token in markdown_tokens(source)
        ]

    @cached_property
    def headings(self) -> list[tuple[int, int, str]]:
        """Return the cell, level and text of each heading."""
        return [
            (number, int(token.tag[1]), content.content)
            for (number, token), (_, content) in zip(
                self.tokens, self.tokens[1:], strict=False
            )
            if token.type == "heading_open"
        ]


MARKDOWN = MarkdownIt("commonmark").enable("table")
dollarmath_plugin(MARKDOWN, double_inline=True)


@cache
def markdown_tokens(source: str) -> list[Token]:
    return [
        part
        for token in MARKDOWN.parse(source)
        for part in (token, *(token.children or ()))
    ]


def text_of(content: str | list[str]) -> str:
    """Return a source or an output as text: a notebook may store a list of lines."""
    return content if isinstance(content, str) else "".join(content)
