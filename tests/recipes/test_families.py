"""Tests of the families of chapter 11: one budget, recipes that resume, and metrics
that reject an untrained model.
"""

import dataclasses
import json
import math

import pytest
import torch

from genai_tutorial.data import LEVELS, load_mnist_split, to_levels
from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.gan import DigitGANConfig
from genai_tutorial.recipes import (
    DIGIT_FAMILIES,
    PPCA_COMPONENTS,
    card,
    digit_models,
    family_record,
    measure_digits,
)
from genai_tutorial.recipes.families import FLOW_FAMILY, PIXEL_FAMILY, VAE_FAMILY
from genai_tutorial.recipes.family_networks import CODES, LIKELIHOOD_STEPS, FamilyFlow
from genai_tutorial.training import TensorBatches
from genai_tutorial.transformer import PixelConfig
from genai_tutorial.vae import VAEConfig
from tests.recipes.conftest import run_recipe

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
    "chosen", DIGIT_FAMILIES, ids=[chosen.family for chosen in DIGIT_FAMILIES]
)


def small(chosen):
    return dataclasses.replace(
        chosen, config=SMALLER[chosen.family], steps=6, batch_size=4, warmup_steps=2
    )


def untrained(chosen):
    return chosen.build().eval()


@each_family
def test_families_stay_within_the_parameter_budget(chosen):
    assert chosen.weights_to_draw(untrained(chosen)) == pytest.approx(BUDGET, rel=0.1)


def test_ppca_components_stay_within_the_parameter_budget():
    numbers = 784 * PPCA_COMPONENTS + 784 + 1
    assert numbers == pytest.approx(BUDGET, rel=0.1)


@pytest.mark.slow
@each_family
def test_resumed_run_ends_at_the_same_weights(chosen, resumes, tmp_path, monkeypatch):
    monkeypatch.setattr(digit_models, "SAVE_FACTOR", 1)
    chosen = small(chosen)
    expected = resumes(chosen, TensorBatches, "__next__").model.state_dict()
    seeded = run_recipe(dataclasses.replace(chosen, seed=1), tmp_path / "other")
    other = seeded.model.state_dict()
    assert any(not torch.equal(other[key], weight) for key, weight in expected.items())


@pytest.mark.slow
@each_family
def test_draw_has_256_levels_and_is_determined_by_its_seed(chosen):
    chosen = small(chosen)
    model, options = untrained(chosen), chosen.options
    if hasattr(options, "steps"):
        options = dataclasses.replace(options, steps=2)
    images = chosen.sample(model, options, 3, seed=0).items
    assert images.shape == (3, 28, 28)
    assert torch.allclose(images * (LEVELS - 1), to_levels(images).float(), atol=1e-3)
    assert torch.equal(images, chosen.sample(model, options, 3, seed=0).items)
    assert not torch.equal(images, chosen.sample(model, options, 3, seed=1).items)


@pytest.mark.slow
@each_family
def test_bits_per_dimension_of_untrained_families(chosen):
    """An untrained model has learned nothing: what it pays per pixel can be
    computed.
    """
    model = untrained(small(chosen))
    levels = torch.randint(
        LEVELS, (4, 28, 28), generator=torch.Generator().manual_seed(0)
    )
    if chosen.family == "GAN":
        assert chosen.bits(model, levels, seed=0) is None
        return
    bits = chosen.bits(model, levels, seed=0)
    if chosen.family == "pixel Transformer":
        assert bits == pytest.approx(8, abs=1e-5)  # all levels are equally likely
    elif chosen.family == "VAE":
        # worse than guessing: its deviation of 0.2 has to stretch over all of 0 to 1
        assert bits > 8
    else:
        # The network outputs zero. On the circle nothing moves and nothing contracts:
        # the pixels, even from -1 to 1, are scored by a standard normal. On the
        # straight path the unit of length changes on the way and back again.
        squares = ((levels.double() + 0.5) / 128 - 1).square().mean().item()
        expected = (0.5 * math.log(2 * math.pi) + squares / 2) / math.log(
            2
        ) + math.log2(128)
        assert bits == pytest.approx(
            expected, abs=0.02 if chosen.family == "diffusion" else 0.1
        )


@pytest.mark.slow
def test_metrics_distinguish_digits_from_noise():
    train, _ = load_mnist_split()
    real = measure_digits(train.images[::4])
    noise = measure_digits(
        torch.rand(1000, 28, 28, generator=torch.Generator().manual_seed(0))
    )
    assert real["frechet_distance"] < 20 < 300 < noise["frechet_distance"]
    assert real["recall"] > 0.5
    assert noise["recall"] == 0
    assert noise["precision"] > 0.3  # it is fooled: chapter 11 shows how


def test_record_has_every_family_and_seed():
    record = family_record()
    assert list(record.runs) == ["PPCA", *(chosen.family for chosen in DIGIT_FAMILIES)]
    assert len(record.seeds) >= 3
    for family, runs in record.runs.items():
        assert len(runs) == len(record.seeds)
        for chosen in runs:
            assert chosen.weights == pytest.approx(BUDGET, rel=0.1)
            assert (chosen.bits_per_dimension is None) == (family == "GAN")


@each_family
def test_record_and_card_agree(chosen):
    about, first = card(chosen.name), family_record().runs[chosen.family][0]
    assert about["metrics"]["frechet_distance"] == pytest.approx(
        first.frechet_distance, rel=0.02
    )
    assert about["metrics"]["recall"] == pytest.approx(first.recall, abs=0.02)
    settings = json.loads(json.dumps(dataclasses.asdict(chosen)))
    settings |= {"codes": CODES, "likelihood_steps": LIKELIHOOD_STEPS}
    settings |= {"sampler_steps": FamilyFlow.options.steps}
    assert about["recipe"] == {key: settings[key] for key in about["recipe"]}
    assert "Fréchet distance of" in chosen.summary(about["metrics"])


def test_diffusion_and_flow_matching_share_their_network():
    assert FLOW_FAMILY.straight
    assert not DIGIT_FAMILIES[2].straight
    assert (
        dataclasses.replace(FLOW_FAMILY.config, time_scale=1)
        == DIGIT_FAMILIES[2].config
    )
    assert (FLOW_FAMILY.steps, FLOW_FAMILY.batch_size) == (
        DIGIT_FAMILIES[2].steps,
        DIGIT_FAMILIES[2].batch_size,
    )
    # and the VAE's decoder is the generator
    assert VAE_FAMILY.config.hidden[::-1] == DIGIT_FAMILIES[1].config.generator_widths
    assert PIXEL_FAMILY.config.levels == LEVELS
