"""Every mention of the repository's address agrees with `pyproject.toml`."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["urls"][
    "Repository"
]
OWNER, NAME = ADDRESS.removeprefix("https://github.com/").split("/")
# Repository addresses on GitHub, Colab, Binder and GitHub Pages, and in clone commands.
MENTION = re.compile(
    r"(?:github\.com[/:]|githubusercontent\.com/|colab\.research\.google\.com/github/|mybinder\.org/v2/gh/|/badge/)"
    r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?(?=[/\s\"'`)\]>,;?#@\\]|\.?$|\.\s)",
    re.MULTILINE,
)
PAGES = re.compile(r"(?<![\w-])(?P<owner>[\w-]+)\.github\.io/(?P<name>[\w.-]+)")
# Contexts in which an address must be that of this repository, whatever its name.
CERTAIN = re.compile(
    r"git\+https://github\.com/|git clone "
    r"https://github\.com/|colab\.research\.google\.com/github/|mybinder\.org/"
)


def tracked_files() -> list[Path]:
    """Return the files that git tracks or, without git, all files outside build
    folders.
    """
    try:
        names = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True,
            text=True,
        ).stdout  # fmt: skip
        return [
            ROOT / name
            for name in names.split("\0")
            if name and (ROOT / name).is_file()
        ]
    except (OSError, subprocess.CalledProcessError):
        left_out = {".git", ".venv", "_build"}
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not left_out & set(path.relative_to(ROOT).parts)
        ]


def wrong_mentions(text: str, owner: str, name: str) -> list[str]:
    """Return the mentions of this repository that differ from `owner/name`.

    Links to other repositories are ignored. A mention counts as ours if it has our name
    or owner, or if it is used to install, clone or open the repository.
    """
    wrong = []
    for match in (*MENTION.finditer(text), *PAGES.finditer(text)):
        if (match["owner"], match["name"]) == (owner, name):
            continue
        before = text[max(0, match.start() - 20) : match.end()]
        ours = match["name"] in (name, "genai-tutorial") or match["owner"] in (
            owner,
            "genai-tutorial",
        )
        if ours or CERTAIN.search(before):
            wrong.append(match[0])
    return wrong


@pytest.mark.parametrize(
    "text",
    [
        "git clone https://github.com/somebody/book",
        'pip install "genai_tutorial @ git+https://github.com/somebody/book"',
        "https://colab.research.google.com/github/somebody/book/blob/main/x.ipynb",
        "https://github.com/genai-tutorial/genai-tutorial/issues",
        "https://mybinder.org/v2/gh/somebody/book/main",
    ],
)
def test_outdated_repository_address_is_found(text):
    assert wrong_mentions(text, "new-owner", "new-name")


def test_links_to_other_repositories_are_allowed():
    assert not wrong_mentions(
        "see https://github.com/karpathy/nanoGPT and https://github.com/adobe-fonts.",
        OWNER,
        NAME,
    )


@pytest.mark.slow
def test_all_repository_addresses_match_pyproject():
    wrong, found = {}, 0
    for path in tracked_files():
        try:
            text = path.read_text("utf8")
        except UnicodeDecodeError:
            continue
        if ROOT / "tests" in path.parents:  # tests may use invented addresses
            continue
        found += text.count(f"{OWNER}/{NAME}")
        if mentions := wrong_mentions(text, OWNER, NAME):
            wrong[str(path.relative_to(ROOT))] = mentions
    assert wrong == {}
    assert found > 5
