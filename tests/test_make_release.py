"""An edition: its commit, its tag, and the pyproject.toml of its two wheels."""

import importlib.util
import json
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location(
    "make_release", ROOT / "book" / "make_release.py"
)
release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(release)

HOME = "https://github.com/somebody/book"
CELL = f'%pip install -q "genai_tutorial[text] @ git+{HOME}"'
BADGE = (
    "https://colab.research.google.com/github/somebody/book/blob/{}/notebooks/1.ipynb"
)
FILES = {
    "pyproject.toml": (
        f'[project]\nversion = "1.0.0.dev0"\nurls = {{ Repository = "{HOME}" }}\n'
    ),
    "genai_tutorial/__init__.py": '__version__ = "1.0.0.dev0"\n',
    "CITATION.cff": "version: 0.9.0\ndate-released: 2025-01-01\n",
    "CHANGELOG.md": "# Changelog\n\n## 1.0.0\n\n- All of it.\n",
    "notebooks/1.ipynb": json.dumps({"cells": [BADGE.format("main"), CELL]}),
    "book/page.md": f"[a file]({HOME}/blob/main/a.py), [theirs](https://x.y/blob/main/)",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for words in (
        "init -q",
        "config user.name a",
        "config user.email a@b.c",
        "add .",
        "commit -qm draft",
    ):
        git(tmp_path, *words.split())
    return tmp_path


def git(tree: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=tree, check=True, capture_output=True, text=True
    ).stdout


def test_an_edition_is_frozen_and_the_draft_goes_on(tree: Path) -> None:
    release.tag(tree, "1.0.0")

    def tagged(name: str) -> str:
        return git(tree, "show", f"v1.0.0:{name}")

    assert 'version = "1.0.0"' in tagged("pyproject.toml")
    assert tagged("genai_tutorial/__init__.py") == '__version__ = "1.0.0"\n'
    assert tagged("CITATION.cff").startswith("version: 1.0.0\ndate-released: 20")
    badge, cell = json.loads(tagged("notebooks/1.ipynb"))["cells"]
    assert badge == BADGE.format("v1.0.0")
    assert cell == CELL.replace(HOME, f"{HOME}@v1.0.0")
    assert f"{HOME}/blob/v1.0.0/a.py), [theirs](https://x.y/blob/main/)" in tagged(
        "book/page.md"
    )

    for name in ("notebooks/1.ipynb", "book/page.md"):
        assert (tree / name).read_text() == FILES[name]
    assert '"1.1.0.dev0"' in (tree / "pyproject.toml").read_text()
    assert "## Unreleased\n\n## 1.0.0\n" in (tree / "CHANGELOG.md").read_text()
    assert git(tree, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("version", "message"),
    [("1.0", "not a version"), ("1.0.1", "no heading '## 1.0.1'"), ("0.9.0", "exists")],
)
def test_what_makes_no_edition_changes_nothing(tree, version, message) -> None:
    git(tree, "tag", "v0.9.0")
    with pytest.raises(release.ReleaseError, match=message):
        release.tag(tree, version)
    assert git(tree, "status", "--porcelain") == ""


def test_changes_that_are_not_committed_stop_an_edition(tree: Path) -> None:
    (tree / "new.txt").touch()
    with pytest.raises(release.ReleaseError, match="not committed"):
        release.tag(tree, "1.0.0")


def test_the_small_wheel_asks_for_the_models() -> None:
    whole = (ROOT / "pyproject.toml").read_text("utf8")
    code = tomllib.loads(release.without_models(whole))
    models = tomllib.loads(release.models_alone(whole))["project"]
    needed = f"{models['name']}=={models['version']}"
    assert needed in code["project"]["dependencies"]
    assert code["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"] == [
        "*.safetensors"
    ]
