"""Ready-made tools: a calculator, a table of facts, words, files, search and Python."""

import ast
import difflib
import operator
from collections.abc import Iterable, Sequence
from typing import Literal

from genai_tutorial.data import Fact
from genai_tutorial.retrieval import BM25Index, Passage
from genai_tutorial.sandbox import OutcomeKind, ProgramRunner

from .jail import FileJail
from .tools import Tool, ToolError

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LARGEST = 10**30
_LONGEST = 100  # characters of an expression


def calculator(expression: str) -> str:
    """Compute an arithmetic expression with + - * / and parentheses.

    Nothing is evaluated: the syntax tree is walked, and only numbers and operators are
    understood.

    Args:
        expression: The expression, such as 12 * (3 + 4).

    >>> calculator("12 * (3 + 4)"), calculator("7 / 2")
    ('84', '3.5')
    """
    try:
        if len(expression) > _LONGEST:
            raise ToolError(f"an expression has at most {_LONGEST} characters.")
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ToolError(f"{expression!r} is not an arithmetic expression.") from error
    except (ZeroDivisionError, OverflowError) as error:
        raise ToolError(f"{expression!r} has no value: {error}.") from error
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def count_letters(word: str) -> str:
    """Count the letters of a word.

    Args:
        word: The word.

    >>> count_letters("onomatopoeia")
    '12'
    """
    return str(sum(letter.isalpha() for letter in word))


def lookup_tool(facts: Iterable[Fact]) -> Tool:
    """Return a tool that looks up capitals, currencies and internet domains; its error
    names the nearest countries, so that the next call can be right.
    """
    known = {(fact.country, fact.relation): fact.answer for fact in facts}
    countries = {country.lower(): country for country, _ in known}

    def factbook_lookup(
        country: str, field: Literal["capital", "currency", "domain"]
    ) -> str:
        """Look up a fact about a country: its capital, currency or internet domain.

        Args:
            country: The country, such as Kenya.
            field: The kind of fact.
        """
        name = country.strip().removeprefix("the ").lower()
        if name not in countries:
            near = difflib.get_close_matches(name, countries, n=3, cutoff=0.5)
            found = ", ".join(countries[one] for one in near)
            hint = f" The nearest are: {found}." if near else ""
            raise ToolError(f"there is no country {country!r}.{hint}")
        answer = known.get((countries[name], field))
        if answer is None:
            raise ToolError(f"the {field} of {countries[name]} is not listed.")
        return answer

    return Tool.from_function(factbook_lookup)


def file_tools(jail: FileJail) -> tuple[Tool, ...]:
    """Return the tools for the files of a jail. Those that write and delete need
    consent.
    """

    def list_files() -> str:
        """List all files."""
        return "\n".join(jail.files()) or "There are no files."

    def read_file(path: str) -> str:
        """Read a file.

        Args:
            path: The file, such as notes.txt.
        """
        return jail.read(path).rstrip("\n")

    def count_lines(path: str) -> str:
        """Count the lines of a file.

        Args:
            path: The file, such as notes.txt.
        """
        return str(len(jail.read(path).splitlines()))

    def write_file(path: str, text: str) -> str:
        """Write a text into a file; what was in it is lost.

        Args:
            path: The file, such as notes.txt.
            text: The text.
        """
        jail.write(path, text)
        return f"{path} is written."

    def delete_file(path: str) -> str:
        """Delete a file for good.

        Args:
            path: The file, such as notes.txt.
        """
        jail.delete(path)
        return f"{path} is deleted."

    return (
        *map(Tool.from_function, (list_files, read_file, count_lines)),
        Tool.from_function(write_file, needs_consent=True),
        Tool.from_function(delete_file, needs_consent=True),
    )


def search_tool(passages: Sequence[Passage]) -> Tool:
    """Return a tool that searches passages by words, with BM25.

    Raises:
        ValueError: If there are no passages.
    """
    index = BM25Index([passage.text for passage in passages])

    def search(query: str) -> str:
        """Search the library for the passage that fits a question best.

        Args:
            query: The question, or a few words.
        """
        found = index.search(query, k=1)
        if not found or index.scores(query)[found[0]] <= 0:
            raise ToolError("nothing was found.")
        return passages[found[0]].text

    return Tool.from_function(search)


def python_tool(runner: ProgramRunner) -> Tool:
    """Return a tool that runs Python in an open sandbox."""

    def run_python(code: str) -> str:
        """Run Python code and return what it prints.

        Args:
            code: The code, such as print(sum(range(5))).
        """
        (outcome,) = runner.run([shown_value(code)])
        if outcome.kind is not OutcomeKind.PASSED:
            raise ToolError(f"the code was stopped ({outcome.kind}): {outcome.message}")
        return outcome.output.strip() or "The code printed nothing."

    return Tool.from_function(run_python)


def shown_value(code: str) -> str:
    """Return code that prints its last expression, as an interactive session does.

    >>> shown_value("2 + 3"), shown_value("print(2)"), shown_value("x = 1")
    ('print(2 + 3)', 'print(2)', 'x = 1')
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return code  # the sandbox reports the error
    if not body or not isinstance(body[-1], ast.Expr):
        return code
    value = body[-1].value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "print":
        return code
    shown = ast.parse(f"print({ast.unparse(value)})").body
    return ast.unparse(ast.Module([*body[:-1], *shown], []))


def _value(node: ast.expr) -> int | float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
        if abs(value) > _LARGEST:
            raise OverflowError(f"it is larger than {_LARGEST:.0e}")
        return value
    raise ValueError("only numbers and + - * / are understood")
