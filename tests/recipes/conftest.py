"""Shared by the tests of recipes: run a recipe, and kill it in between."""

from itertools import count
from pathlib import Path

import pytest
import torch

from genai_tutorial.recipes import Recipe, RunSettings, Trained
from genai_tutorial.runtime import seed_everything
from genai_tutorial.training import Checkpoint, Process
from tests.cli.conftest import command  # noqa: F401


class Killed(Exception):
    pass


def run_recipe(
    recipe: Recipe, folder: Path, resume: bool = False, steps: int | None = None
) -> Trained:
    """Run a small recipe to its end or for some steps, with a save every two."""
    checkpoint = Checkpoint(folder / "run.safetensors", every=2, resume=resume)
    cpu = torch.device("cpu")
    seed_everything(recipe.seed)  # for dropout
    run = RunSettings(steps or recipe.steps, cpu, Process(), checkpoint, progress=False)
    return recipe.fit(run)


@pytest.fixture
def kill(monkeypatch):
    """Run something that dies in the sixth call of `owner.name`."""

    def run(owner: object, name: str, what, after: int = 5) -> None:
        calls, whole = count(), getattr(owner, name)

        def dies(*arguments, **settings):
            if next(calls) == after:
                raise Killed
            return whole(*arguments, **settings)

        with monkeypatch.context() as patched:
            patched.setattr(owner, name, dies)
            with pytest.raises(Killed):
                what()

    return run


@pytest.fixture
def resumes(tmp_path, kill):
    """Check that a recipe's run ends at the same weights and notes if it is killed when
    it calls `owner.name`, and resumed; return what it has trained.
    """

    def check(recipe: Recipe, owner: object, name: str) -> Trained:
        whole = run_recipe(recipe, tmp_path / "whole")
        kill(owner, name, lambda: run_recipe(recipe, tmp_path / "stopped"))
        resumed = run_recipe(recipe, tmp_path / "stopped", resume=True)
        weights = resumed.model.state_dict()
        for key, weight in whole.model.state_dict().items():
            assert torch.equal(weight, weights[key]), key
        timed = {"cpu_seconds": 0}
        assert dict(whole.notes) | timed == dict(resumed.notes) | timed
        return whole

    return check
