"""Densities, autoencoders, GANs, diffusion, texts with images and films."""

import pytest
import torch
from both import check, ints, rand, seeded, step
from torch import nn

from genai_tutorial import density, diffusion, gan, metrics, multimodal, vae, video
from genai_tutorial.training import (
    EMA,
    discriminator_step,
    draw_noise,
    fit_adversarial,
    generator_step,
)

CASES: dict = {}

# --- density --------------------------------------------------------------------------

X = rand(12, 3)
LABELS = torch.arange(12) % 2
BITS = (X > 0.5).float()


def use(model, x):
    """Return the log densities of a fitted model, and points drawn from it."""
    return model, model.log_prob(x), model.sample(4, seeded())


def use_classifier(model, x):
    drawn = model.sample(1, 4, seeded())
    return model, model.log_prob(x), model.probabilities(x), model.predict(x), drawn


def mixture(x, fit):
    start = density.start_responsibilities(x, components=2, seed=0)
    return density.fit_mixture(x, start, fit, steps=3)


CASES |= {
    "fit_gaussian": (lambda x: use(density.fit_gaussian(x, ridge=0.1), x), X),
    "fit_diagonal_gaussian": (lambda x: use(density.fit_diagonal_gaussian(x), x), X),
    "fit_bernoulli": (lambda x: use(density.fit_bernoulli(x), x), BITS),
    "fit_ppca": (
        lambda x: (
            use(ppca := density.fit_ppca(x, latent=2), x),
            ppca.decode(ppca.encode(x)),
            ppca.to_gaussian(),
        ),
        X,
    ),
    "fit_mixture": (
        lambda x: (
            fit := mixture(x, density.fit_diagonal_gaussian),
            use(fit.mixture, x),
            fit.mixture.responsibilities(x),
        ),
        X,
    ),
    "fit_bayes_classifier": (
        lambda x, y: use_classifier(
            density.fit_bayes_classifier(x, y, density.fit_diagonal_gaussian), x
        ),
        X,
        LABELS,
    ),
    "fit_bernoulli_naive_bayes": (
        lambda x, y: use_classifier(density.fit_bernoulli_naive_bayes(x, y), x),
        BITS,
        LABELS,
    ),
    "fit_shared_gaussian_naive_bayes": (
        lambda x, y: use_classifier(density.fit_shared_gaussian_naive_bayes(x, y), x),
        X,
        LABELS,
    ),
    "fit_logistic_regression": (
        lambda x, y: density.fit_logistic_regression(x, y).predict(x),
        X,
        LABELS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    check(*CASES[name])
