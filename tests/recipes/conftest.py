"""Shared by the tests of recipes: run a recipe, and kill it in between."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from genai_tutorial.recipes import Recipe, RunSettings, Trained
from genai_tutorial.training import Checkpoint, Process


class Killed(Exception):
    pass


@pytest.fixture
def follow(tmp_path):
    """Run a small recipe to its end with a save every two steps; the same folder
    resumes the same run.
    """

    def run(recipe: Recipe, folder: str = "whole", resume: bool = False) -> Trained:
        checkpoint = Checkpoint(
            Path(tmp_path, folder, "run.safetensors"), every=2, resume=resume
        )
        return recipe.fit(
            RunSettings(
                recipe.steps, torch.device("cpu"), Process(), checkpoint, progress=False
            )
        )

    return run


@pytest.fixture
def kill_and_resume(follow, monkeypatch):
    """Kill a recipe's run in its sixth step and resume it; `loss` is the function that
    its module calls in every step.
    """

    def run(recipe: Recipe, module: ModuleType, loss: str) -> Trained:
        calls, whole = iter(range(5)), getattr(module, loss)

        def dies(*arguments, **settings):
            if next(calls, None) is None:
                raise Killed
            return whole(*arguments, **settings)

        with monkeypatch.context() as patched:
            patched.setattr(module, loss, dies)
            with pytest.raises(Killed):
                follow(recipe, "stopped")
        return follow(recipe, "stopped", resume=True)

    return run
