"""Dreams: steps, horizons, and the dream as a world."""

import pytest
import torch

from genai_tutorial.tasks.paddle_game import PaddleWorld, RandomPlayer
from genai_tutorial.worldmodels import (
    Dream,
    DreamState,
    Imagined,
    ModelPlayer,
    Recording,
    World,
    WorldModel,
    WorldModelConfig,
    dream_beside_reality,
    dream_starts,
    imagine,
    record_games,
    state_after,
)
from genai_tutorial.worldmodels.dream import sample_codes

TINY = WorldModelConfig(groups=3, codes=4, hidden=16, memory=12)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record_games(PaddleWorld(16), RandomPlayer(0, 0.7), 60)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel(TINY, seed=1)


def stay(features):
    return torch.ones(len(features), dtype=torch.int64)


def test_sample_codes_temperature_divides_the_logits():
    logits = torch.tensor([2.0, 0.0]).expand(20_000, 1, 2)
    generator = torch.Generator().manual_seed(0)
    for temperature, expected in ((0.5, 0.982), (1.0, 0.881), (2.0, 0.731)):
        share = sample_codes(logits, temperature, generator)[:, 0].mean()
        assert float(share) == pytest.approx(expected, abs=0.01)
    assert sample_codes(logits, 0)[:, 0].all()
    with pytest.raises(ValueError, match="temperature must be at least 0, got -1"):
        sample_codes(logits, -1.0)


def test_imagine_chains_steps_of_the_model(model, recording):
    """At temperature 0, a dream is what the model predicts again and again."""
    start = dream_starts(model, recording, 6, torch.Generator().manual_seed(0))
    imagined = imagine(model, start, stay, horizon=4, temperature=0)
    memory, codes = start.memory, start.codes
    for time in range(4):
        torch.testing.assert_close(imagined.states.memory[time], memory)
        memory = model.remember(memory, codes, stay(codes))
        expected = model.predict(memory)
        codes = sample_codes(expected.codes, 0)
        assert torch.equal(imagined.states.codes[time + 1], codes)
        chances = expected.rewards.softmax(dim=-1)
        rewards, end = chances[:, 2] - chances[:, 0], torch.sigmoid(expected.end)
        torch.testing.assert_close(imagined.rewards[time], rewards)
        torch.testing.assert_close(imagined.continues[time], 1 - end)
    assert imagined.features.shape == (5, 6, 24)
    with pytest.raises(ValueError, match="at least one step, got 0"):
        imagine(model, start, stay, horizon=0)


def test_imagined_weights_are_the_chance_to_get_there():
    states = DreamState(torch.zeros(4, 1, 2), torch.zeros(4, 1, 3))
    imagined = Imagined(
        states,
        torch.zeros(3, 1, dtype=torch.int64),
        torch.tensor([[1.0], [1.0], [1.0]]),
        torch.tensor([[0.5], [0.2], [0.9]]),
    )
    assert imagined.weights[:, 0].tolist() == pytest.approx([1.0, 0.5, 0.1])
    assert imagined.total_reward == pytest.approx(1.6)


def test_dream_starts_come_from_stretches_without_an_end(model, recording):
    """And with the memory of the frames before them."""
    starts = recording.window_starts(8)
    whole = starts[recording.windows(starts, 8).continues[-1]]
    states = state_after(model, recording, whole, 8)
    drawn = dream_starts(model, recording, 20, torch.Generator().manual_seed(0))
    gaps = (drawn.features[:, None] - states.features).abs().amax(dim=-1)
    assert gaps.amin(dim=1).max() < 1e-5


def test_dreams_need_an_episode_that_is_long_enough(model, recording):
    games = recording.ended[:-1].any(dim=0)  # in which an episode ends before
    short = Recording(*(part[:, games] for part in vars(recording).values()))
    with pytest.raises(ValueError, match="has 60 frames in a row"):
        dream_beside_reality(model, short, steps=51, count=1)


def test_dream_starts_memory_is_that_of_a_player_who_saw_the_frames(model, recording):
    """`ModelPlayer` in the real world and `state_after` on its recording agree."""
    seen = []

    def remembers(features):
        seen.append(features)
        return stay(features)

    played = record_games(PaddleWorld(4), ModelPlayer(model, remembers), 10)
    assert not played.ended[:9].any()
    starts = torch.tensor([[0, game] for game in range(4)])
    torch.testing.assert_close(state_after(model, played, starts, 8).features, seen[8])


def test_model_player_forgets_at_the_start_of_an_episode(model):
    seen = []
    player = ModelPlayer(
        model, lambda features: (seen.append(features), stay(features))[1]
    )
    frames = PaddleWorld(2).frames
    player(frames, torch.tensor([True, True]))
    player(frames, torch.tensor([True, False]))
    assert torch.equal(seen[1][0], seen[0][0])
    assert not torch.equal(seen[1][1], seen[0][1])


def test_dream_is_a_world_for_any_player(model, recording):
    start = dream_starts(model, recording, 5, torch.Generator().manual_seed(0))
    dream = Dream(model, start, seed=1)
    assert isinstance(dream, World)
    played = record_games(dream, RandomPlayer(), 30)
    assert played.frames.shape == (30, 5, 16, 16)
    again = record_games(Dream(model, start, seed=1), RandomPlayer(), 30)
    assert torch.equal(played.frames, again.frames)


def test_dream_that_ends_begins_again_at_its_start(recording):
    model = WorldModel(TINY, seed=1)
    with torch.no_grad():
        model.head.bias[-1] = 50.0  # every step is an end
    start = dream_starts(model, recording, 5, torch.Generator().manual_seed(0))
    dream = Dream(model, start)
    step = dream.step(torch.ones(5, dtype=torch.int64))
    assert step.ended.all()
    assert step.terminated.all()
    assert torch.equal(dream.state.features, start.features)
    assert torch.equal(step.frames, model.decode(start.codes))
    assert not torch.equal(step.frames, step.last_frames)


def test_dream_beside_reality_presses_the_recorded_buttons(model, recording):
    films = dream_beside_reality(model, recording, steps=5, count=7)
    assert films.seen.shape == (9, 7, 16, 16)
    assert films.real.shape == films.dreamed.shape == (5, 7, 16, 16)
    moved = (films.real[:-1, :, 15] != films.real[1:, :, 15]).any(dim=-1)
    assert not moved[films.actions[1:] == 1].any()


def test_dream_beside_reality_depends_on_its_seed_only(recording):
    films = dream_beside_reality(WorldModel(TINY), recording, steps=3, count=9)
    again = dream_beside_reality(WorldModel(TINY), recording, steps=3, count=9)
    assert torch.equal(films.real, again.real)
    assert torch.equal(films.dreamed, again.dreamed)
    other = dream_beside_reality(WorldModel(TINY), recording, steps=3, count=9, seed=1)
    assert not torch.equal(films.real, other.real)
