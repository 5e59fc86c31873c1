import inspect
from pathlib import Path

import pytest

from genai_tutorial.notebook import Frames, show_source
from genai_tutorial.notebook.source import source_text
from genai_tutorial.runtime import repository_address, repository_branch, require
from genai_tutorial.transformer import DecoderConfig, RMSNorm
from tests.notebook.shown import displayed


def test_show_source_prints_file_contents_and_path():
    ((data, metadata),) = displayed(lambda: show_source(RMSNorm))
    assert data["text/plain"] == inspect.getsource(RMSNorm).rstrip()
    assert f"```python\n{data['text/plain']}\n```" in data["text/markdown"]
    file = "genai_tutorial/transformer/layers.py"
    address = f"{repository_address()}/blob/{repository_branch()}/{file}"
    assert (
        f"`RMSNorm` in [`genai_tutorial/transformer/layers.py`]({address})"
        in data["text/markdown"]
    )
    fact = {
        "module": "genai_tutorial.transformer.layers",
        "name": "RMSNorm",
        "docstring": True,
    }
    assert metadata == {"genai_tutorial": {"source": fact}}


def test_show_source_dedents_method():
    ((data, metadata),) = displayed(lambda: show_source(RMSNorm.forward))
    assert data["text/plain"].startswith("def forward(")
    assert metadata["genai_tutorial"]["source"]["name"] == "RMSNorm.forward"


def test_show_source_prints_no_absolute_path():
    ((data, _),) = displayed(lambda: show_source(require))
    assert str(Path(inspect.getfile(require)).parents[2]) not in data["text/markdown"]


def test_show_source_lengthens_fence_around_fences():
    ((data, _),) = displayed(lambda: show_source(show_source))
    assert "\n````python\n" in data["text/markdown"]


def test_show_source_without_docstrings_keeps_code():
    whole, bare = source_text(Frames), source_text(Frames, docstring=False)
    assert '"""' in whole
    assert '"""' not in bare
    compile(bare, "bare", "exec")
    assert [line for line in whole.splitlines() if "def " in line] == [
        line for line in bare.splitlines() if "def " in line
    ]
    assert "\n\n\n" not in bare


def test_source_of_a_class_begins_with_its_decorators():
    assert source_text(Frames) == inspect.getsource(Frames).rstrip()
    assert source_text(DecoderConfig).startswith("@dataclass(frozen=True)\nclass Dec")


@pytest.mark.parametrize("thing", [Path, len, "RMSNorm", 3, lambda: 0])
def test_show_source_rejects_objects_outside_package(thing: object):
    with pytest.raises(TypeError, match="of genai_tutorial itself"):
        show_source(thing)
