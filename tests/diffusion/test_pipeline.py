"""The sampling pipeline: equal to its parts written out, with labels, with texts and in
latents.
"""

import pytest
import torch

from genai_tutorial.diffusion import (
    FLOW,
    VELOCITY,
    Denoiser,
    Guided,
    StraightPath,
    TextCondition,
    cosine_schedule,
    ddim,
    dpm_solver,
    flow_euler,
    last_sample,
    sample_images,
)

SCHEDULE = cosine_schedule(1000)
LABELS = torch.tensor([0, 3, 1, 2, 2])
SHAPE = (5, 2, 4, 4)


def model(x, t, condition):
    """A prediction that depends on all inputs; without a condition, on label 0."""
    labels = torch.zeros(len(x)) if condition is None else condition
    return torch.tanh(x + 0.001 * t.view(-1, 1, 1, 1)) + labels.view(-1, 1, 1, 1)


def start(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def draw(condition=LABELS, shape=SHAPE, **settings):
    settings = {"steps": 4, "seed": 3} | settings
    return sample_images(model, SCHEDULE, VELOCITY, condition, shape, **settings)


def test_sample_images_is_denoiser_and_sampler_written_out():
    guided = Guided(model, 2.0, LABELS.flip(0))
    denoise = Denoiser(guided, SCHEDULE, VELOCITY, condition=LABELS, limit=1.0)
    x = last_sample(dpm_solver(denoise, start(seed=3), SCHEDULE.timesteps(4)))
    images = draw(guidance=2.0, negative=LABELS.flip(0), sampler=dpm_solver)
    assert torch.equal(images, ((x + 1) / 2).clamp(0, 1))
    assert not torch.equal(images, draw(guidance=2.0, sampler=dpm_solver))
    assert not torch.equal(images, draw(guidance=2.0, negative=LABELS.flip(0)))


def test_sample_images_decodes_latents_without_clipping_them():
    denoise = Denoiser(model, SCHEDULE, VELOCITY, condition=LABELS)
    latents = last_sample(ddim(denoise, start(seed=3), SCHEDULE.timesteps(4)))
    assert latents.abs().max() > 1
    assert torch.equal(draw(decode=lambda latents: 10 * latents), 10 * latents)


def test_sample_images_without_condition_on_the_straight_path():
    path = StraightPath()
    denoise = Denoiser(model, path, FLOW, limit=1.0)
    x = last_sample(flow_euler(denoise, start(seed=1), path.timesteps(3)))
    images = sample_images(
        model, path, FLOW, None, SHAPE, steps=3, seed=1, sampler=flow_euler
    )
    assert torch.equal(images, ((x + 1) / 2).clamp(0, 1))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batch_size_keeps_each_image_with_its_condition(batch_size):
    sizes = []

    def decode(latents):
        sizes.append(len(latents))
        return latents

    settings = {"guidance": 1.5, "negative": LABELS.flip(0)}
    whole = draw(decode=lambda latents: latents, **settings)
    torch.testing.assert_close(
        draw(decode=decode, batch_size=batch_size, **settings), whole
    )
    assert max(sizes) == min(batch_size, 5)
    assert sum(sizes) == 5


def test_batch_size_splits_texts():
    """The mean of a text's tokens, without padding, serves as its label."""
    tokens = torch.stack([LABELS.float(), torch.full((5,), 99.0)], dim=1)[..., None]
    mask = torch.tensor([[True, False]]).expand(5, 2)

    def reads_text(x, t, text):
        return model(x, t, (text.tokens[..., 0] * text.mask).sum(dim=1))

    images = sample_images(
        reads_text,
        SCHEDULE,
        VELOCITY,
        TextCondition(tokens, mask),
        SHAPE,
        steps=4,
        seed=3,
        batch_size=2,
    )
    torch.testing.assert_close(images, draw())


def test_sample_images_keeps_no_gradients():
    weight = torch.ones((), requires_grad=True)
    images = sample_images(
        lambda x, t, condition: weight * x,
        SCHEDULE,
        VELOCITY,
        None,
        SHAPE,
        steps=2,
        seed=0,
        decode=lambda latents: weight * latents,
    )
    assert not images.requires_grad


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: draw(LABELS[:3]), "one condition per image: got 3 for 5 images"),
        (lambda: draw(negative=LABELS[:1]), "got 1 for 5 images"),
        (lambda: draw(None, (0, 1, 4, 4)), "at least one image, got 0"),
        (lambda: draw(steps=0), "steps must be from 1 to 1000"),
    ],
)
def test_wrong_arguments_of_sample_images_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
