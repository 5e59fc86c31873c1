"""Tests of the recipes of the diffusion models of digits."""

import dataclasses

import pytest
import torch
from torch import nn

from genai_tutorial.diffusion import VELOCITY, UNet, UNetConfig, diffusion_loss
from genai_tutorial.recipes import SCHEDULE
from genai_tutorial.recipes import digit_models as image_diffusion
from genai_tutorial.recipes.digit_models import DigitOptions

TINY = dataclasses.replace(
    image_diffusion.LONGER,
    name="tiny",
    config=UNetConfig(
        channels=(8, 8), embedding_width=16, middle_blocks=1, heads=2, image_size=28
    ),
    batch_size=4,
    steps=6,
    warmup_steps=2,
    cooldown_steps=2,
)


@pytest.mark.slow
def test_resumed_run_ends_at_the_same_weights(resumes):
    expected = resumes(TINY, image_diffusion, "diffusion_loss").model.state_dict()
    fresh = UNet(TINY.config, TINY.seed).state_dict()
    assert any(not torch.equal(fresh[key], weight) for key, weight in expected.items())


class Recorder(nn.Module):
    """Records its inputs and outputs zero."""

    def forward(self, x, t, condition):
        self.inputs = (x, t, condition)
        return torch.zeros_like(x)


def test_loss_scales_pixels_and_drops_some_labels():
    images, labels = torch.rand(400, 28, 28), torch.arange(400) % 10
    plain = dataclasses.replace(TINY, augmentation_probability=0.0, label_dropout=0.0)
    recorder, other = Recorder(), Recorder()
    got = plain.loss(recorder, images, labels, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    torch.rand(400, generator=generator)  # which labels are dropped
    expected = diffusion_loss(
        other, SCHEDULE, VELOCITY, 2 * images[:, None] - 1, labels, generator=generator
    )
    assert torch.equal(got, expected)
    assert torch.equal(recorder.inputs[0], other.inputs[0])
    TINY.loss(recorder, images, labels, torch.Generator().manual_seed(3))
    is_dropped = recorder.inputs[2] == 10
    assert 0.04 < is_dropped.float().mean() < 0.18
    assert torch.equal(recorder.inputs[2][~is_dropped], labels[~is_dropped])


def test_augmentation_changes_half_of_the_images(monkeypatch):
    seen = []

    def record(model, path, prediction, x0, labels, generator):
        seen.append(x0)
        return torch.tensor(0.0)

    monkeypatch.setattr(image_diffusion, "diffusion_loss", record)
    images = torch.zeros(200, 28, 28)
    images[:, 8:20, 12:16] = 1.0
    TINY.loss(
        Recorder(), images, torch.zeros(200).long(), torch.Generator().manual_seed(0)
    )
    is_unchanged = (seen[0][:, 0] == 2 * images - 1).all(dim=(1, 2))
    assert 0.35 < is_unchanged.float().mean() < 0.65
    changed = (seen[0][~is_unchanged][:, 0] + 1) / 2
    assert (changed - images[~is_unchanged]).abs().sum(dim=(1, 2)).min() > 0.5
    # as much ink as before
    assert abs(changed.sum(dim=(1, 2)).mean() / images[0].sum() - 1) < 0.1


def test_draw_is_determined_by_seed_and_options():
    model = UNet(TINY.config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(
                0.1
                * torch.randn(
                    parameter.shape, generator=torch.Generator().manual_seed(1)
                )
            )
    few = dataclasses.replace(TINY.options, steps=2)
    images = TINY.sample(model, few, 12, seed=5).items
    assert images.shape == (12, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, TINY.sample(model, few, 12, seed=5).items)
    assert not torch.equal(images, TINY.sample(model, few, 12, seed=6).items)
    by_label = TINY.draw(model, torch.arange(12) % 10, few, seed=5)
    assert torch.equal(images, by_label)
    strong = DigitOptions(steps=2, digit=7, guidance=3.0)
    sevens = TINY.draw(model, torch.full((12,), 7), strong, seed=5)
    assert torch.equal(TINY.sample(model, strong, 12, seed=5).items, sevens)
    with pytest.raises(ValueError, match="digit must be from 0 to 9, got 10"):
        dataclasses.replace(TINY.options, digit=10)
