"""Make an edition of the book.

`python book/make_release.py tag 1.0.0` freezes whatever names the branch, so that a
notebook of this edition always opens and installs this edition, commits and tags it,
and opens the next draft. `python book/make_release.py wheels dist` builds the commit
that is checked out: one wheel with the code, and one with the trained models.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from datetime import date
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODELS = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "genai_tutorial_checkpoints"
version = "{version}"
description = "The trained models of Generative AI Explained, in Running Code."
readme = "README.md"
requires-python = ">=3.11"
license = "MIT"
urls = {{ Repository = "{address}" }}

[tool.hatch.build.targets.wheel]
include = ["genai_tutorial/pretrained/checkpoints/*.safetensors"]
"""


class ReleaseError(Exception):
    """An edition cannot be made; the message says why."""


def freeze(root: Path, version: str, day: date) -> None:
    """Turn the draft into an edition: its version and date, and addresses that stay.

    Raises:
        ReleaseError: If the version is not of the form 1.2.3 or has no heading in the
            changelog.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"{version} is not a version such as 1.2.3")
    if f"\n## {version}" not in (root / "CHANGELOG.md").read_text("utf8"):
        raise ReleaseError(
            f"CHANGELOG.md has no heading '## {version}': rename 'Unreleased'"
        )
    _set_version(root, version)
    citation = root / "CITATION.cff"
    _replace(citation, r"(?m)^version: .*$", f"version: {version}")
    _replace(citation, r"(?m)^date-released: .*$", f"date-released: {day}")
    _point(root, "main", f"v{version}")


def reopen(root: Path, version: str) -> str:
    """Turn an edition into the draft of the next one, and return its version."""
    major, minor, _ = version.split(".")
    following = f"{major}.{int(minor) + 1}.0.dev0"
    _set_version(root, following)
    _replace(
        root / "CHANGELOG.md",
        rf"\n## {re.escape(version)}",
        f"\n## Unreleased\n\n## {version}",
    )
    _point(root, f"v{version}", "main")
    return following


def _set_version(root: Path, version: str) -> None:
    pattern = r'(?m)^version = "[^"]*"$'
    _replace(root / "pyproject.toml", pattern, f'version = "{version}"')
    face = root / "genai_tutorial" / "__init__.py"
    _replace(face, "(?m)^__version__ = .*$", f'__version__ = "{version}"')


def _replace(path: Path, pattern: str, new: str) -> None:
    text, number = re.subn(pattern, new, path.read_text("utf8"), count=1)
    if number != 1:
        raise ReleaseError(f"{path.name} has no {pattern}")
    path.write_text(text, "utf8")


def _point(root: Path, old: str, new: str) -> None:
    """Point the repository's addresses in notebooks and pages to a branch or a tag."""
    address = _project(root)["urls"]["Repository"]
    name = address.removeprefix("https://github.com/")
    pin = {ref: "" if ref == "main" else f"@{ref}" for ref in (old, new)}
    changes = {
        f"{name}/blob/{old}/": f"{name}/blob/{new}/",
        f"{name}/raw/{old}/": f"{name}/raw/{new}/",
        f'git+{address}{pin[old]}\\"': f'git+{address}{pin[new]}\\"',  # in JSON
    }
    for path in (*root.glob("notebooks/*.ipynb"), *root.glob("book/*.md")):
        text = changed = path.read_text("utf8")
        for before, after in changes.items():
            changed = changed.replace(before, after)
        if changed != text:
            path.write_text(changed, "utf8")


def _project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]


def tag(root: Path, version: str) -> None:
    """Commit and tag an edition, then commit the next draft."""
    if _git(root, "status", "--porcelain"):
        raise ReleaseError("there are changes that are not committed")
    if f"v{version}" in _git(root, "tag").split():
        raise ReleaseError(f"the tag v{version} exists already")
    freeze(root, version, date.today())
    _git(root, "commit", "--all", "--message", f"Edition {version}")
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Edition {version}")
    draft = reopen(root, version)
    _git(root, "commit", "--all", "--message", f"The draft of {draft}")
    print(f"Tagged v{version}. Publish it with: git push --follow-tags")


def wheels(root: Path, folder: Path) -> None:
    """Build the wheels of the commit that is checked out, without the working tree."""
    parts = ("genai_tutorial", "pyproject.toml", "README.md", "LICENSE")
    call = ["git", "archive", "HEAD", *parts]
    archive = subprocess.run(call, cwd=root, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as copy:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(copy, filter="data")
        project = Path(copy) / "pyproject.toml"
        whole = project.read_text("utf8")
        for text in (without_models(whole), models_alone(whole)):
            project.write_text(text, "utf8")
            build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
            subprocess.run(
                [*build, "--wheel-dir", str(folder.resolve()), copy], check=True
            )


def without_models(project: str) -> str:
    """Return the `pyproject.toml` of the wheel with the code, which asks for the other:
    both install into the same folders.
    """
    version = tomllib.loads(project)["project"]["version"]
    needed = f'dependencies = [\n    "genai_tutorial_checkpoints=={version}",\n'
    packages = 'packages = ["genai_tutorial"]\n'
    return project.replace("dependencies = [\n", needed, 1).replace(
        packages, f'{packages}exclude = ["*.safetensors"]\n', 1
    )


def models_alone(project: str) -> str:
    """Return the `pyproject.toml` of the wheel with the trained models."""
    read = tomllib.loads(project)["project"]
    return MODELS.format(version=read["version"], address=read["urls"]["Repository"])


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    command, argument = sys.argv[1:]
    try:
        if command == "tag":
            tag(ROOT, argument)
        else:
            wheels(ROOT, Path(argument))
    except ReleaseError as error:
        sys.exit(f"No edition was made: {error}.")
