"""The recipe of the model that draws clips."""

import dataclasses

import pytest
import torch

from genai_tutorial.recipes import load_recipe, shapes_video
from genai_tutorial.recipes.latent_diffusion import SHAPES_LATENT
from genai_tutorial.recipes.shapes_video import SHAPES_VIDEO
from genai_tutorial.tasks.motion import MOTIONS, Clip, Motion
from genai_tutorial.tasks.shapes import SceneObject
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


@pytest.mark.slow
def test_text_to_video_resumes_bit_for_bit_and_keeps_the_image_model(resumes):
    """A stopped and resumed run ends at the same weights; those of the image model are
    the published ones.
    """
    expected = resumes(TINY, shapes_video, "drop_texts").model.state_dict()
    first = TINY.build_on_images().state_dict()
    changed = {key for key in first if not torch.equal(first[key], expected[key])}
    assert {key.split(".")[0] for key in changed} == {"network", "motion_encoder"}
    assert not any("image" in key for key in changed if "to_image" not in key)
    published = load_recipe(SHAPES_LATENT).model.network.state_dict()
    for key, weight in published.items():
        assert torch.equal(expected[f"network.image.{key}"], weight)


def test_text_to_video_draws_films_of_a_prompt():
    loaded = TINY.wrap(TINY.build_on_images(), {})
    options = dataclasses.replace(TINY.options, prompt=PROMPT)
    films = TINY.sample(loaded, options, 2, seed=4).items
    assert films.shape == (2, 3, 3, 32, 32)
    assert films.min() >= 0
    assert films.max() <= 1
    assert torch.equal(films, TINY.sample(loaded, options, 2, seed=4).items)
    with pytest.raises(ValueError, match="Give a prompt"):
        TINY.sample(loaded, TINY.options, 1, seed=0)


def test_latent_video_decodes_what_it_encoded():
    loaded = TINY.wrap(TINY.build(), {})
    captions = TINY.captions(3, 0, "new motions")
    films = shapes_video.load_clips(3, 0, 3, "new motions").films
    latents = loaded.to_latents(films)
    assert latents.shape == (3, 3, 4, 8, 8)
    returned = loaded.to_films(latents)
    accuracy = shapes_video.motion_accuracy(captions, returned)
    assert accuracy.everything == 1
    denoised = loaded.denoiser(captions, guidance=2.0)(latents, 500)
    assert denoised.x0.shape == latents.shape


@pytest.mark.slow
def test_text_to_video_untrained_metrics_show_nothing_that_was_asked():
    metrics = TINY.measure(TINY.build())
    assert metrics["captions_each"] == 4
    assert metrics["train"]["everything"] == metrics["new_motions"]["everything"] == 0
    assert "all frames" in TINY.summary(metrics)


def test_encode_scenes_encodes_each_scene_once_and_finds_it_in_every_clip():
    """A clip and the same clip backwards are eight pictures, not sixteen."""
    there = Clip(SceneObject("red", "circle", 3, 5, 8), Motion("right", "slowly"))
    back = Clip(SceneObject("red", "circle", 10, 5, 8), Motion("left", "slowly"))
    latents, rows = shapes_video.encode_scenes(
        shapes_video.load_recipe(shapes_video.EMOJI_AUTOENCODER), [there, back], seed=0
    )
    assert len(latents) == 8
    assert torch.equal(rows[0], rows[1].flip(0))
    films = TINY.wrap(TINY.build(), {}).to_films(SHAPES_VIDEO.to_latents([there, back]))
    captions = [there.caption, back.caption]
    assert shapes_video.motion_accuracy(captions, films).everything == 1


def test_text_to_video_loss_gives_known_frames_away_and_does_not_count_them():
    """The model receives clean frames with timestep 0; an error there costs nothing."""
    latents = torch.randn(6, 4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    texts = shapes_video.encode_motion_captions([PROMPT] * 6)
    recipe = dataclasses.replace(SHAPES_VIDEO, known_share=1.0)
    seen = {}

    class Model(torch.nn.Module):
        def forward(self, x, t, texts):
            seen.update(x=x, t=t)
            return torch.where((t == 0)[..., None, None, None], torch.nan, 0.0) * x

    model = Model()
    loss = recipe.loss(model, latents, texts, torch.Generator().manual_seed(1))
    known = seen["t"] == 0
    assert known.any(dim=1).all()
    assert not known[:, 2:].any()
    assert torch.equal(seen["x"][known], latents[known])
    assert loss.isfinite()
    nothing = dataclasses.replace(recipe, known_share=0.0)
    nothing.loss(model, latents, texts, torch.Generator().manual_seed(1))
    assert (seen["t"] == seen["t"][:, :1]).all()


def test_continue_films_keeps_the_known_frames_and_draws_the_others():
    loaded = TINY.wrap(TINY.build_on_images(), {})
    given = shapes_video.load_clips(2, 0, 3).films[:, :2]
    films = loaded.continue_films(given, [PROMPT] * 2, steps=2, guidance=2.0, seed=0)
    assert films.shape == (2, 3, 3, 32, 32)
    assert torch.equal(films[:, :2], given)
    with pytest.raises(ValueError, match="from 1 to 2 of the 3 frames, got 3"):
        loaded.continue_films(films, [PROMPT] * 2, steps=2, guidance=2.0, seed=0)
    with pytest.raises(ValueError, match="one caption per clip: got 1 for 2"):
        loaded.continue_films(given, [PROMPT], steps=2, guidance=2.0, seed=0)


def test_published_model_has_learned_how_far_each_motion_goes_in_a_frame():
    """Nobody told it: `slowly` is one pixel and `fast` two."""
    model = load_recipe(SHAPES_VIDEO).model
    texts = shapes_video.encode_motion_captions(
        [f"a circle {m.text()}" for m in MOTIONS]
    )
    with torch.no_grad():
        learned = model.network.displacement.pixels_per_frame(model.read(texts)[1], 32)
    true = torch.tensor([motion.velocity for motion in MOTIONS])
    assert (learned - true).abs().max() < 0.3
