"""Static analysis of the instructor's code: imports and defined names."""

import ast
import base64
import marshal
import secrets
from dataclasses import dataclass

from genai_tutorial.sandbox.integrity import TESTS
from genai_tutorial.teaching.exercises import Chapter, TeachingError


def modules_needed(chapter: Chapter) -> list[str]:
    """Return the modules that the instructor's exercise cells import."""
    code = [text for exercise in chapter.exercises for text in exercise.setup]
    code += [
        p.cell.source
        for exercise in chapter.exercises
        for p in exercise.parts
        if p.cell.cell_type == "code"
    ]
    names: dict[str, None] = {}
    for node in (node for text in code for node in ast.walk(_tree(text))):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names[node.module] = None
    return list(names)


def plain_python(source: str) -> str:
    """Convert a notebook cell to plain Python: magics and shell escapes become calls,
    as in IPython.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(plain_python(source))
    except SyntaxError as error:
        raise TeachingError(
            f"A cell of the chapter's exercises is not Python ({error})."
        ) from error


def imports_of(source: str) -> list[str]:
    """Return the import statements of a cell, outside its functions."""
    return [
        ast.unparse(node)
        for node in _tree(source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def names_bound(source: str) -> list[str]:
    """Return the names that a cell of the instructor assigns at the top level, without
    imports.
    """
    names: dict[str, None] = {}
    waiting: list[ast.AST] = list(_tree(source).body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif not isinstance(
            node,
            ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        ):
            waiting += ast.iter_child_nodes(node)
    return list(names)


@dataclass(frozen=True)
class CompiledTests:
    """A test cell as code for the worker, and the marks that show that it ran.

    The code comes from the grader and not from the student's process, where a student's
    code could replace `ast.parse` or `compile`. Each top-level line adds a random
    number to the worker's reply; a reply without all of them is forged.
    """

    codes: list[str]
    value: str
    marks: list[int]


def compile_tests(source: str, imports: list[str]) -> CompiledTests:
    """Compile a test cell. Every value that a call returns passes through `__answer__`
    before it is compared; if the cell ends with an expression, that is the credit.
    """
    tree = _WrapCalls().visit(ast.parse(plain_python(source), TESTS))
    value: ast.expr = ast.Constant(None)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        value = tree.body.pop().value
    marked, marks = [], []
    for line in [*tree.body, value]:
        marks.append(secrets.randbits(50))
        seen, mark = ast.Name("__seen__", ast.Load()), ast.Constant(marks[-1])
        if line is value:
            value = ast.Call(seen, [mark, value], [])
        else:
            marked += [line, ast.Expr(ast.Call(seen, [mark], []))]
    body = ast.fix_missing_locations(ast.Module(marked, []))
    end = ast.fix_missing_locations(ast.Expression(value))
    codes = [_dumped("\n".join(imports), "exec"), _dumped(body, "exec")]
    return CompiledTests(codes, _dumped(end, "eval"), marks)


def _dumped(source: str | ast.AST, mode: str) -> str:
    return base64.b64encode(marshal.dumps(compile(source, TESTS, mode))).decode()


class _WrapCalls(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        return ast.copy_location(
            ast.Call(ast.Name("__answer__", ast.Load()), [node], []), node
        )
