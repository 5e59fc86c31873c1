"""The recipe of the paddle world's model and player."""

import dataclasses

import pytest
import torch

from genai_tutorial.recipes import card, load, paddle_world
from genai_tutorial.recipes.paddle_world import PADDLE_WORLD
from genai_tutorial.tasks.paddle_game import (
    PaddleWorld,
    read_positions,
    reflex_player,
    score_player,
)
from genai_tutorial.worldmodels import WorldModelConfig, learning, record_games
from tests.recipes.conftest import run_recipe

TINY = dataclasses.replace(
    PADDLE_WORLD,
    name="tiny",
    config=WorldModelConfig(groups=2, codes=3, hidden=8, memory=6),
    rounds=2,
    games=4,
    game_steps=30,
    updates=2,
    batch_size=2,
    length=4,
    steps=8,
    warmup_steps=2,
)


@pytest.mark.slow
def test_paddle_world_resumes_bit_for_bit(resumes):
    """A run that was stopped in the second round ends at the same weights."""
    resumes(TINY, learning, "world_model_loss")


@pytest.mark.slow
def test_paddle_world_later_rounds_are_played_by_the_learned_player(
    tmp_path, monkeypatch
):
    players = []

    def watched(world, player, steps):
        players.append(type(player).__name__)
        return record_games(world, player, steps)

    monkeypatch.setattr(paddle_world, "record_games", watched)
    notes = run_recipe(TINY, tmp_path).notes["rounds_of_training"]
    assert players == ["RandomPlayer", "ModelPlayer"]
    assert [note["real_steps"] for note in notes] == [120, 240]


def test_paddle_world_options_are_checked():
    with pytest.raises(ValueError, match="frames must be at least 1, got 0"):
        paddle_world.DreamOptions(frames=0, temperature=1)
    with pytest.raises(ValueError, match="temperature must be at least 0, got -1"):
        paddle_world.DreamOptions(temperature=-1)


def test_paddle_world_card_beats_the_reflex():
    """The player looks ahead: it catches more than one that only reacts."""
    reflex = score_player(reflex_player, 256).interval(0.999)
    assert card("paddle-world")["metrics"]["catches_per_episode"] > reflex.high


def test_paddle_world_film_begins_with_a_real_frame_and_keeps_its_ball():
    dreamer = load("paddle-world")
    films = PADDLE_WORLD.sample(dreamer, PADDLE_WORLD.options, count=20, seed=1).items
    assert films.shape == (20, 48, 3, 16, 16)
    assert torch.equal(films[:, :, 0], films[:, :, 2])
    assert read_positions(films[:, :24, 0]).complete.float().mean() > 0.9


def test_paddle_world_player_plays_the_real_world():
    dreamer = load("paddle-world")
    recording = record_games(PaddleWorld(32, seed=9), dreamer.player(), 40)
    assert (recording.rewards > 0).sum() > 2 * (recording.rewards < 0).sum()
