"""The recipe of the model that draws clips."""

import dataclasses

import pytest
import torch

from genai_tutorial.recipes import load_recipe
from genai_tutorial.recipes.files import build
from genai_tutorial.recipes.latent.diffusion import SHAPES_LATENT
from genai_tutorial.recipes.shapes import video
from genai_tutorial.recipes.shapes.video import SHAPES_VIDEO
from genai_tutorial.video import VideoUNetConfig

TINY = dataclasses.replace(
    SHAPES_VIDEO,
    name="tiny",
    config=VideoUNetConfig(frames=3, motion_width=8, frame_width=8),
    clips=10,
    batch_size=2,
    steps=6,
    warmup_steps=2,
    measured=4,
    sampler_steps=2,
)
PROMPT = "a small red circle moves left slowly"


def test_text_to_video_resumes_bit_for_bit_and_keeps_the_image_model(
    follow, kill_and_resume
):
    """A stopped and resumed run ends at the same weights; those of the image model are
    the published ones.
    """
    trained = follow(TINY).model
    expected = trained.state_dict()
    got = kill_and_resume(TINY, video, "diffusion_loss").model.state_dict()
    assert all(torch.equal(got[key], weight) for key, weight in expected.items())
    first = TINY.build_on_images()
    changed = {
        name
        for name, weight in first.state_dict().items()
        if not torch.equal(weight, expected[name])
    }
    assert {name.split(".")[0] for name in changed} == {"network", "motion_encoder"}
    assert not any("image" in name for name in changed if "to_image" not in name)
    published = load_recipe(SHAPES_LATENT).model.network.state_dict()
    assert all(
        torch.equal(expected[f"network.image.{name}"], weight)
        for name, weight in published.items()
    )
    restored = build(TINY, {"recipe": dataclasses.asdict(TINY)}).state_dict()
    assert {key: weight.shape for key, weight in restored.items()} == {
        key: weight.shape for key, weight in expected.items()
    }


def test_text_to_video_draws_films_of_a_prompt():
    loaded = TINY.wrap(TINY.build_on_images(), {})
    options = dataclasses.replace(TINY.options, prompt=PROMPT)
    films = TINY.film(loaded, options, 2, seed=4)
    assert films.shape == (2, 3, 3, 32, 32)
    assert films.min() >= 0
    assert films.max() <= 1
    assert torch.equal(films, TINY.film(loaded, options, 2, seed=4))
    with pytest.raises(ValueError, match="Give a prompt"):
        TINY.film(loaded, TINY.options, 1, seed=0)
    with pytest.raises(ValueError, match="draws no images"):
        TINY.draw(loaded, options, 1, seed=0)


def test_latent_video_decodes_what_it_encoded():
    loaded = TINY.wrap(TINY.build(), {})
    captions = TINY.captions(3, 0, "new motions")
    films = video.load_clips(3, 0, 3, "new motions").films
    latents = loaded.to_latents(films)
    assert latents.shape == (3, 3, 4, 8, 8)
    returned = loaded.to_films(latents)
    accuracy = video.motion_accuracy(captions, returned)
    assert accuracy.everything == 1
    denoised = loaded.denoiser(captions, guidance=2.0)(latents, 500)
    assert denoised.x0.shape == latents.shape


def test_text_to_video_untrained_metrics_show_nothing_that_was_asked():
    metrics = TINY.measure(TINY.build())
    assert metrics["captions_each"] == 4
    assert metrics["train"]["everything"] == metrics["new_motions"]["everything"] == 0
    assert "all frames" in TINY.summary(metrics)


def test_shift_timesteps_makes_late_timesteps_more_frequent():
    t = video.shift_timesteps(torch.arange(1000.0), 1000, 3)
    assert (t.min(), t.max()) == (0, 999)
    assert (t >= 600).float().mean() == pytest.approx(2 / 3, abs=0.01)
    assert torch.equal(video.shift_timesteps(t, 1000, 1), t)
    with pytest.raises(ValueError, match="shift must be above 0, got 0"):
        video.shift_timesteps(t, 1000, 0)
