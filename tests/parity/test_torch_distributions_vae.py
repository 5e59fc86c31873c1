"""Parity of latent Gaussians and likelihoods with torch.distributions: values and
gradients to 1e-5.
"""

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from genai_tutorial.vae import (
    BernoulliLikelihood,
    GaussianLikelihood,
    LatentGaussian,
    gaussian_kl,
)


@pytest.fixture(params=[0, 1, 2])
def numbers(request):
    generator = torch.Generator().manual_seed(request.param)
    return [torch.randn(40, 7, generator=generator).requires_grad_() for _ in range(4)]


def assert_equal(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_gaussian_kl_and_its_gradient_equal_torch(numbers):
    mean, log_variance, other_mean, other_log_variance = numbers
    ours = gaussian_kl(
        LatentGaussian(mean, log_variance),
        LatentGaussian(other_mean, other_log_variance),
    )
    theirs = kl_divergence(
        Normal(mean, (0.5 * log_variance).exp()),
        Normal(other_mean, (0.5 * other_log_variance).exp()),
    )
    assert_equal(ours, theirs)
    for one, other in zip(
        torch.autograd.grad(ours.sum(), numbers),
        torch.autograd.grad(theirs.sum(), numbers),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_kl_to_prior_equals_torch(numbers):
    mean, log_variance, *_ = numbers
    theirs = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    assert_equal(LatentGaussian(mean, log_variance).kl_to_prior(), theirs)


def test_latent_gaussian_log_prob_and_rsample_equal_torch(numbers):
    mean, log_variance, z, _ = numbers
    normal = Normal(mean, (0.5 * log_variance).exp())
    assert_equal(LatentGaussian(mean, log_variance).log_prob(z), normal.log_prob(z))
    torch.manual_seed(0)
    theirs = normal.rsample()
    ours = LatentGaussian(mean, log_variance).sample(torch.Generator().manual_seed(0))
    assert_equal(ours, theirs)


def test_likelihoods_equal_torch(numbers):
    decoded, x, *_ = numbers
    ink = (x > 0).float()
    assert_equal(
        BernoulliLikelihood().log_prob(decoded, ink),
        Independent(Bernoulli(logits=decoded), 1).log_prob(ink),
    )
    assert_equal(
        GaussianLikelihood(scale=0.7).log_prob(decoded, x),
        Independent(Normal(decoded, 0.7), 1).log_prob(x),
    )
