import math

import pytest
import torch

from genai_tutorial.vae import LatentGaussian, gaussian_kl


def some_gaussian(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return LatentGaussian(
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64),
    )


def test_gaussian_kl_is_the_mean_of_the_log_ratio():
    q, p = some_gaussian(3), some_gaussian(3, seed=1)
    many = LatentGaussian(q.mean.expand(400_000, 3), q.log_variance.expand(400_000, 3))
    z = many.sample(torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        (q.log_prob(z) - p.log_prob(z)).mean(dim=0),
        gaussian_kl(q, p),
        rtol=0.01,
        atol=0.01,
    )


def test_gaussian_kl_is_zero_only_for_equal_distributions():
    q = some_gaussian(50)
    torch.testing.assert_close(
        gaussian_kl(q, q), torch.zeros(50, dtype=torch.float64), rtol=0, atol=1e-12
    )
    assert (gaussian_kl(q, some_gaussian(50, seed=1)) > 0).all()
    assert (q.kl_to_prior() > 0).all()


def test_gaussian_kl_by_hand():
    # Variance 1 and mean 3 against the standard normal: 9 / 2.
    moved = LatentGaussian(torch.tensor([3.0]), torch.zeros(1))
    assert moved.kl_to_prior().item() == pytest.approx(4.5)
    # Variance e², mean 0: (e² - 1 - 2) / 2.
    wide = LatentGaussian(torch.zeros(1), torch.tensor([2.0]))
    assert wide.kl_to_prior().item() == pytest.approx((math.exp(2) - 3) / 2)


def test_latent_gaussian_samples_have_the_mean_and_variance():
    q = some_gaussian(4)
    many = LatentGaussian(q.mean.expand(200_000, 4), q.log_variance.expand(200_000, 4))
    z = many.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(dim=0), q.mean, rtol=0, atol=0.02)
    torch.testing.assert_close(z.var(dim=0), q.log_variance.exp(), rtol=0.02, atol=0)


def test_latent_gaussian_sample_has_the_reparameterized_gradient():
    mean = torch.tensor([1.0, 2.0], requires_grad=True)
    log_variance = torch.tensor([0.0, 1.0], requires_grad=True)
    z = LatentGaussian(mean, log_variance).sample(torch.Generator().manual_seed(0))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(2))
    torch.testing.assert_close(log_variance.grad, ((z - mean) / 2).detach())


def test_latent_gaussian_sample_depends_on_the_generator_only():
    q = some_gaussian(2, 5)
    first, again = (q.sample(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.dtype == torch.float64
