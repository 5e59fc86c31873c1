"""Static analysis of the instructor's code: imports and defined names."""

import ast

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
