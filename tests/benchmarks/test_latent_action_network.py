from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from benchmarks.latent_action_network import (
    LatentActions,
    frame_log_likelihoods,
    temperature_at,
    train_latent_actions,
)
from genai_tutorial.worldmodels import Recording, best_renaming
from tests.drawn import seeded


@pytest.fixture(scope="module")
def films():
    """One pixel moves along a row of ten: to the left, not at all, or to the right."""
    actions = torch.randint(0, 3, (60, 32), generator=seeded())
    places = [torch.full((32,), 5)]
    for pressed in actions[:-1]:
        places.append((places[-1] + pressed - 1).clamp(0, 9))
    frames = torch.zeros(60, 32, 5, 10, dtype=torch.uint8)
    frames[:, :, 2] = 255 * functional.one_hot(torch.stack(places), 10)
    never = torch.zeros(60, 32, dtype=torch.bool)
    return Recording(frames, actions, torch.zeros(60, 32), never, never)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_training_finds_the_buttons_without_seeing_them(films, seed):
    model = LatentActions(seed)
    train_latent_actions(model, films, 450, 60, seed=seed, progress=False)
    windows = films.windows(films.unbroken_starts(2), 2)
    # a press against the edge does nothing, so that not all can be told
    renaming = best_renaming(model.infer(windows.frames), windows.actions[1])
    assert renaming.agreement > 0.75  # chance: a third


def test_training_does_not_look_at_the_actions(films):
    blind = replace(films, actions=torch.zeros_like(films.actions))
    weights = []
    for recording in (films, blind):
        model = LatentActions()
        train_latent_actions(model, recording, 6, 3, progress=False)
        weights.append(model.differences[-1].weight)
    assert torch.equal(*weights)


def test_common_steps_leave_the_differences_as_they_are(films):
    model = LatentActions()
    before = model.differences[-1].weight.clone()
    train_latent_actions(model, films, 4, 3, progress=False)
    once = (model.differences[-1].weight - before).abs().max()
    assert 0 < once < 0.01  # one step of the optimizer, not four


def test_model_predicts_differences_on_top_of_what_is_common():
    model, frames = LatentActions(), torch.rand(2, 3, 5, 8)
    with torch.no_grad():
        model.differences[-1].weight.zero_()
    common = model.without_actions(*frames)
    assert torch.allclose(model(*frames), common.expand(-1, 3, -1, -1))


def test_frame_log_likelihoods_are_those_of_independent_pixels():
    logits = torch.randn(4, 3, 2, 2, generator=seeded())
    frames = (torch.rand(4, 2, 2, generator=seeded()) < 0.5).float()
    pixels = torch.distributions.Bernoulli(logits=logits)
    expected = pixels.log_prob(frames[:, None].expand_as(logits)).sum(dim=(-1, -2))
    assert torch.allclose(frame_log_likelihoods(logits, frames), expected, atol=1e-5)


def test_temperature_falls_from_the_start_to_one():
    at = [temperature_at(step, 100, 20) for step in range(100)]
    assert at[0] == at[20] == 4.0
    assert at[68:] == [1.0] * 32
    assert at[20:68] == sorted(at[20:68], reverse=True)
