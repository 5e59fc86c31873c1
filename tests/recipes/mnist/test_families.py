"""The families of chapter 11: one budget, recipes that resume, and measures that a
model without training fails.
"""

import dataclasses
import json
import math

import pytest
import torch

from genai_tutorial.data.levels import LEVELS, to_levels
from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.gan import DigitGANConfig
from genai_tutorial.recipes import RunSettings, Wishes, card
from genai_tutorial.recipes.mnist import family_networks, family_recipe
from genai_tutorial.recipes.mnist.classifier import split
from genai_tutorial.recipes.mnist.families import (
    FAMILIES,
    FLOW_FAMILY,
    PIXEL_FAMILY,
    VAE_FAMILY,
    family_record,
)
from genai_tutorial.recipes.mnist.family_recipe import COMPONENTS, measure_images
from genai_tutorial.training import Checkpoint, Process
from genai_tutorial.transformer import PixelConfig
from genai_tutorial.vae import VAEConfig

BUDGET = 300_000

SMALLER = {
    "VAE": VAEConfig(dim=784, latent=4, hidden=(16,)),
    "GAN": DigitGANConfig(
        latent=4, classes=1, generator_widths=(16,), discriminator_widths=(16,)
    ),
    "diffusion": UNetConfig(
        channels=(8, 8),
        embedding_width=16,
        middle_blocks=1,
        heads=2,
        image_size=28,
        classes=None,
    ),
    "pixel Transformer": PixelConfig(width=16, layers=1, heads=2, hidden=16),
}
SMALLER["flow matching"] = dataclasses.replace(SMALLER["diffusion"], time_scale=1000)
each_family = pytest.mark.parametrize(
    "one", FAMILIES, ids=[one.family for one in FAMILIES]
)


def small(one):
    return dataclasses.replace(
        one, config=SMALLER[one.family], steps=6, batch_size=4, warmup_steps=2
    )


def untrained(one):
    return one.build({"recipe": {"config": dataclasses.asdict(one.config)}}).eval()


def run(one, folder, resume=False):
    folder.mkdir(exist_ok=True)
    checkpoint = Checkpoint(folder / "run.safetensors", every=2, resume=resume)
    return one.fit(
        RunSettings(
            one.steps, torch.device("cpu"), Process(), checkpoint, progress=False
        )
    )


class Killed(Exception):
    pass


@each_family
def test_every_family_keeps_to_the_budget(one):
    assert one.weights_to_draw(untrained(one)) == pytest.approx(BUDGET, rel=0.1)


def test_so_do_the_components():
    numbers = 784 * COMPONENTS + 784 + 1
    assert numbers == pytest.approx(BUDGET, rel=0.1)


@each_family
def test_a_run_that_was_stopped_ends_at_the_same_weights(one, tmp_path, monkeypatch):
    one = small(one)
    expected = run(one, tmp_path / "whole").model.state_dict()
    batches, calls = family_recipe.TensorBatches, iter(range(5))
    monkeypatch.setattr(
        family_networks, "replace", lambda checkpoint, every: checkpoint
    )  # the GAN saves more rarely

    class Dying(batches):
        def __next__(self):
            if next(calls, None) is None:
                raise Killed
            return super().__next__()

    for module in (family_recipe, family_networks):
        monkeypatch.setattr(module, "TensorBatches", Dying)
    with pytest.raises(Killed):
        run(one, tmp_path / "stopped")
    for module in (family_recipe, family_networks):
        monkeypatch.setattr(module, "TensorBatches", batches)
    got = run(one, tmp_path / "stopped", resume=True).model.state_dict()
    assert all(torch.equal(got[key], weight) for key, weight in expected.items())
    other = run(dataclasses.replace(one, seed=1), tmp_path / "other").model.state_dict()
    assert any(not torch.equal(other[key], weight) for key, weight in expected.items())


@each_family
def test_what_is_drawn_has_256_levels_and_keeps_its_seed(one):
    one = small(one)
    model, wishes = (
        untrained(one),
        Wishes(steps=2) if "steps" in one.takes else Wishes(),
    )
    images = one.draw(model, wishes, 3, seed=0)
    assert images.shape == (3, 28, 28)
    assert torch.allclose(images * (LEVELS - 1), to_levels(images).float(), atol=1e-3)
    assert torch.equal(images, one.draw(model, wishes, 3, seed=0))
    assert not torch.equal(images, one.draw(model, wishes, 3, seed=1))


@each_family
def test_bits_are_those_of_eight_bit_pixels(one):
    """Untrained, no family knows anything: what it then pays for a pixel can be
    computed.
    """
    model = untrained(small(one))
    levels = torch.randint(
        LEVELS, (4, 28, 28), generator=torch.Generator().manual_seed(0)
    )
    if one.family == "GAN":
        assert one.bits(model, levels, seed=0) is None
        return
    bits = one.bits(model, levels, seed=0)
    if one.family == "pixel Transformer":
        assert bits == pytest.approx(8, abs=1e-5)  # all levels are equally likely
    elif one.family == "VAE":
        assert (
            bits > 8
        )  # worse than guessing: its deviation of 0.2 has to stretch over all of 0 to 1
    else:
        # The network answers zero. On the circle nothing moves and nothing is squeezed:
        # the pixels, even from -1 to 1, are scored by a standard normal. On the
        # straight line the unit of length changes on the way and back again.
        squares = ((levels.double() + 0.5) / 128 - 1).square().mean().item()
        expected = (0.5 * math.log(2 * math.pi) + squares / 2) / math.log(
            2
        ) + math.log2(128)
        assert bits == pytest.approx(
            expected, abs=0.02 if one.family == "diffusion" else 0.1
        )


def test_the_measures_know_digits_from_noise():
    train, _ = split()
    real = measure_images(train.images[::4])
    noise = measure_images(
        torch.rand(1000, 28, 28, generator=torch.Generator().manual_seed(0))
    )
    assert real["frechet_distance"] < 20 < 300 < noise["frechet_distance"]
    assert real["recall"] > 0.5
    assert noise["recall"] == 0
    assert noise["precision"] > 0.3  # it is fooled: chapter 11 shows how


def test_the_record_holds_every_family_from_every_seed():
    record = family_record()
    assert list(record.runs) == ["PPCA", *(one.family for one in FAMILIES)]
    assert len(record.seeds) >= 3
    for family, runs in record.runs.items():
        assert len(runs) == len(record.seeds)
        for one in runs:
            assert one.weights == pytest.approx(BUDGET, rel=0.1)
            assert (one.bits_per_dimension is None) == (family == "GAN")
            assert one.copies < 10


@each_family
def test_the_record_and_the_card_tell_of_the_same_model(one):
    about, first = card(one.name), family_record().runs[one.family][0]
    assert about["metrics"]["frechet_distance"] == pytest.approx(
        first.frechet_distance, rel=0.02
    )
    assert about["metrics"]["recall"] == pytest.approx(first.recall, abs=0.02)
    assert about["recipe"] == json.loads(json.dumps(dataclasses.asdict(one)))
    assert "Fréchet distance of" in one.headline(about["metrics"])


def test_both_flows_share_their_network():
    assert FLOW_FAMILY.straight
    assert not FAMILIES[2].straight
    assert dataclasses.replace(FLOW_FAMILY.config, time_scale=1) == FAMILIES[2].config
    assert (FLOW_FAMILY.steps, FLOW_FAMILY.batch_size) == (
        FAMILIES[2].steps,
        FAMILIES[2].batch_size,
    )
    assert (
        VAE_FAMILY.config.hidden[::-1] == FAMILIES[1].config.generator_widths
    )  # and the VAE's decoder is the generator
    assert PIXEL_FAMILY.config.levels == LEVELS
