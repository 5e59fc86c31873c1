"""environment.yml and constraints.txt agree with the dependencies in pyproject.toml."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = [
    "text",
    "images",
    "alignment",
    "code",
    "music",
    "audio",
    "science",
    "worlds",
    "export",
    "retrieval",
    "agents",
    "safety",
    "models",
    "serve",
    "book",
    "teach",
    "test",
]
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
