import ast

import pytest

from genai_tutorial.data import load_functions
from genai_tutorial.data.python_code import LONGEST, functions_in


@pytest.fixture(scope="module")
def functions():
    return load_functions()


@pytest.mark.slow
def test_functions_are_documented_ascii_and_parse(functions):
    assert len(functions) > 1000
    for function in functions[::20]:
        (node,) = ast.parse(function.source).body
        assert node.name == function.name
        assert ast.get_docstring(node)
        assert function.source.isascii()
        assert len(function.source) <= LONGEST


@pytest.mark.slow
def test_functions_are_split_by_module_without_duplicates(functions):
    train, held_out = (load_functions(part) for part in ("train", "held-out"))
    assert len(train) + len(held_out) == len(functions)
    assert not {f.module for f in train} & {f.module for f in held_out}
    assert len(held_out) > 100
    assert len({function.source for function in functions}) == len(functions)


def test_files_are_parsed_and_never_run(tmp_path):
    path = tmp_path / "harmful.py"
    path.write_text(
        f"open({str(tmp_path / 'written')!r}, 'w')\n"
        "class A:\n"
        "    @property\n"
        "    def f(self):\n"
        '        """Return one."""\n'
        "        def inner():\n"
        '            """Return two."""\n'
        "        return 1\n"
        "def undocumented():\n    pass\n"
    )
    (function,) = functions_in(path, "harmful")
    assert function.source.startswith(
        'def f(self):\n    """Return one."""\n    def inner'
    )
    assert not (tmp_path / "written").exists()
    path.write_text("def f(:\n")
    assert list(functions_in(path, "harmful")) == []
