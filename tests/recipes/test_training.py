import dataclasses
import json

import pytest
import torch

from genai_tutorial.data import load_shakespeare
from genai_tutorial.data.shakespeare import ALPHABET
from genai_tutorial.recipes import card, load, train
from genai_tutorial.recipes import catalogue as recipes
from genai_tutorial.recipes import shakespeare as language
from genai_tutorial.training import load_checkpoint
from tests.recipes.spot_check import write

LOSS = "language_model_loss"


@pytest.fixture(autouse=True)
def tiny_recipe(monkeypatch):
    """Shrink the live recipe to milliseconds per step, on a part of the plays."""
    live = recipes.recipe("shakespeare-live")
    small = dataclasses.replace(
        live.config,
        context_length=16,
        width=8,
        layers=1,
        attention=dataclasses.replace(
            live.config.attention, heads=2, key_value_heads=2
        ),
        local=dataclasses.replace(live.config.local, pair_features=2),
    )
    tiny = dataclasses.replace(
        live, name="tiny", config=small, batch_size=4, steps=8, warmup_steps=2
    )
    monkeypatch.setattr(recipes, "RECIPES", (tiny,))
    monkeypatch.setattr(recipes, "SAVE_EVERY", 3)
    plays = load_shakespeare()
    pages = dataclasses.replace(
        plays, train=ALPHABET + plays.train[:9000], validation=plays.validation[:3000]
    )
    monkeypatch.setattr(language, "load_shakespeare", lambda: pages)


@pytest.mark.slow
def test_train_resumes_to_the_same_bytes(tmp_path, kill):
    expected = train("tiny", folder=tmp_path / "whole", progress=False)
    stopped = tmp_path / "stopped"
    kill(language, LOSS, lambda: train("tiny", folder=stopped, progress=False))
    assert load_checkpoint(stopped / "tiny.run.safetensors")["step"] == 3
    weights = train("tiny", resume=True, folder=stopped, progress=False)
    assert weights.read_bytes() == expected.read_bytes()
    assert card("tiny", stopped)["metrics"] == card("tiny", expected.parent)["metrics"]


def test_train_without_resume_starts_again(tmp_path, kill, monkeypatch):
    kill(language, LOSS, lambda: train("tiny", folder=tmp_path, progress=False))
    calls, loss = [], language.language_model_loss
    counted = lambda *arguments: calls.append(1) or loss(*arguments)  # noqa: E731
    monkeypatch.setattr(language, "language_model_loss", counted)
    train("tiny", folder=tmp_path, progress=False)
    assert len(calls) == 8


def test_train_writes_a_card_that_describes_the_file(tmp_path):
    weights = train("tiny", steps=3, folder=tmp_path, progress=False)
    about = card("tiny", tmp_path)
    assert about["command"] == "genai-tutorial train tiny --steps 3"
    assert about["steps"] == 3
    assert about["bytes"] == weights.stat().st_size
    expected = dataclasses.asdict(recipes.recipe("tiny"))
    assert about["recipe"] == json.loads(json.dumps(expected))
    model, tokenizer = load("tiny", tmp_path)
    held_out = torch.tensor(tokenizer.encode(language.load_shakespeare().validation))
    assert language.held_out_loss(model, held_out) == pytest.approx(
        about["metrics"]["held_out_nats_per_character"], abs=1e-4
    )
    assert len(write("tiny", prompt="ROMEO:\n", tokens=12, folder=tmp_path)) == 19


def test_train_refuses_to_resume_a_run_of_another_length(tmp_path):
    train("tiny", steps=3, folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="from a run with the schedule"):
        train("tiny", steps=4, resume=True, folder=tmp_path, progress=False)


def test_train_refuses_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="no recipe 'none'"):
        train("none", folder=tmp_path)
    with pytest.raises(ValueError, match="no device 'cuda:77'"):
        train("tiny", device="cuda:77", folder=tmp_path)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        train("tiny", steps=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_train_writes_to_the_users_data_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / name)
    assert (
        train("tiny", steps=1, progress=False)
        == tmp_path / "genai_tutorial" / "trained" / "tiny.safetensors"
    )
