"""A page that continues a chapter begins with copies of the chapter's functions,
classes and constants. The copies stay equal.
"""

import ast
import json
from pathlib import Path

import pytest

from genai_tutorial.notebook import chapters
from genai_tutorial.notebook.chapters import continuations
from tests.notebooks.chapter_file import ROOT, text_of
from tests.notebooks.code_rules import without_magic

PAIRS = {
    page.stem: (chapter.path, page)
    for chapter in chapters(ROOT)
    for page in continuations(chapter)
}
# Names under which a page has something else, or a version with more options.
VARIED = {
    "05a_mixture_of_experts": {"train"},
    "06a_vae_further": {"negative_elbo"},
    "07a_gan_further": {"watch_gradients"},
    "08a_diffusion_further": {"train_on_moons"},
    "09a_text_to_image_further": {"draw"},
    "12a_pre_training_further": {"mixed_batches", "validation_loss"},
    "14a_human_feedback_further": {"watch"},
    "21a_retrieval_further": {"consult"},
    "22a_long_context_further": {"SHOWN", "loss_by_position", "stream_losses"},
    "26a_agents_further": {"trainings"},
}


def definitions(notebook: Path) -> dict[str, set[str]]:
    """Return the code of each function, class and constant, without docstrings."""
    found = {}
    for cell in json.loads(notebook.read_text("utf8"))["cells"]:
        if cell["cell_type"] != "code" or "nbgrader" in cell["metadata"]:
            continue
        for node in ast.parse(without_magic(text_of(cell["source"]))).body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    drop_docstrings(node)
                    found.setdefault(name, set()).add(ast.dump(node))
                case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper():
                    found.setdefault(name, set()).add(ast.dump(node.value))
    return found


def drop_docstrings(node: ast.AST) -> None:
    for inner in ast.walk(node):
        kinds = ast.FunctionDef | ast.ClassDef
        if isinstance(inner, kinds) and ast.get_docstring(inner):
            inner.body = inner.body[1:]


@pytest.mark.parametrize("page", PAIRS)
def test_copies_agree_with_chapter(page: str):
    original, copy = map(definitions, PAIRS[page])
    both = original.keys() & copy.keys()
    changed = {name for name in both if not original[name] & copy[name]}
    assert changed == VARIED.get(page, set())
