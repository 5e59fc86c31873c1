from dataclasses import replace

import pytest
import torch

from genai_tutorial.gan import DigitGANConfig, DigitGenerator
from genai_tutorial.recipes import digit_models
from genai_tutorial.recipes.digit_models import MNIST_GAN, AugmentedBatches, GANOptions

SMALL = replace(
    MNIST_GAN,
    config=DigitGANConfig(latent=4, generator_widths=(16,), discriminator_widths=(16,)),
    batch_size=8,
    steps=6,
    warmup_steps=1,
)


def test_resumed_run_ends_at_the_same_weights(resumes, monkeypatch):
    monkeypatch.setattr(digit_models, "SAVE_FACTOR", 1)
    resumes(SMALL, AugmentedBatches, "__next__")


def test_augmented_batches_differ_in_every_epoch():
    images = torch.zeros(4, 28, 28)
    images[:, 10:18, 13:15] = 1
    batches = AugmentedBatches(images, torch.arange(4), batch_size=4, seed=0)
    rounds = [
        dict(zip(labels.tolist(), moved, strict=True))
        for moved, labels in (next(batches), next(batches))
    ]
    assert rounds[0].keys() == rounds[1].keys() == {0, 1, 2, 3}
    for label in range(4):
        assert not torch.equal(rounds[0][label], rounds[1][label])
        # the ink stays about the same
        assert rounds[0][label].sum().item() == pytest.approx(16, rel=0.25)


def test_draw_takes_digits_in_turn_or_the_given_one():
    generator = DigitGenerator(SMALL.config)
    in_turn = SMALL.sample(generator, SMALL.options, count=12, seed=3).items
    expected = SMALL.draw(generator, torch.arange(12) % 10, SMALL.options, seed=3)
    assert torch.equal(in_turn, expected)
    sevens = SMALL.sample(generator, GANOptions(digit=7), count=2, seed=3).items
    expected = SMALL.draw(generator, torch.tensor([7, 7]), SMALL.options, seed=3)
    assert torch.equal(sevens, expected)
    with pytest.raises(ValueError, match="digit must be from 0 to 9, got 10"):
        GANOptions(digit=10)


@pytest.mark.slow
def test_measure_reads_the_drawn_images():
    metrics = MNIST_GAN.measure(DigitGenerator(MNIST_GAN.config))
    assert metrics["digit_as_ordered"] < 0.3  # nothing was learned yet
    assert metrics["frechet_distance"] > 20
    assert metrics["recall"] < 0.2
    assert "Fréchet distance" in MNIST_GAN.summary(metrics)
