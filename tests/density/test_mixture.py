import pytest
import torch

from genai_tutorial.density import (
    DiagonalGaussian,
    Mixture,
    fit_bernoulli,
    fit_diagonal_gaussian,
    fit_gaussian,
    fit_mixture,
    fit_ppca,
    maximization_step,
    start_responsibilities,
)


def two_clouds(n=300, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    x[: n // 3] += torch.tensor([6.0, 0.0])
    x[n // 3 :] *= torch.tensor([0.5, 2.0])
    return x


def bells(weights, means):
    """Return a mixture of Gaussians of variance 1 on a line."""
    variance = torch.ones(1, dtype=torch.float64)
    components = (DiagonalGaussian(torch.tensor([m]).double(), variance) for m in means)
    return Mixture(torch.tensor(weights).double(), tuple(components))


def fitted(x, components, fit_component=fit_gaussian, seed=0, **settings):
    start = start_responsibilities(x, components, seed)
    return fit_mixture(x, start, fit_component, **settings)


def test_mixture_log_prob_does_not_underflow():
    found = bells([0.5, 0.5], [0.0, 1.0]).log_prob(torch.tensor([[1e3]])).item()
    assert found == pytest.approx(-0.5 * 999**2, rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "fit_component",
    [
        fit_gaussian,
        fit_diagonal_gaussian,
        lambda x, weights: fit_ppca(x, weights, latent=1),
    ],
    ids=["gaussian", "diagonal", "ppca"],
)
def test_em_never_lowers_the_likelihood(fit_component, seed):
    fit = fitted(two_clouds(seed=seed), 3, fit_component, seed, steps=30)
    gains = torch.tensor(fit.log_likelihoods).diff()
    assert (gains > -1e-10).all()
    assert gains[0] > 1e-4  # and the first one gains something


def test_em_recovers_two_gaussians():
    mixture = fitted(two_clouds(n=3000), 2, seed=1).mixture
    order = torch.stack([part.mean[0] for part in mixture.components]).argsort()
    near, far = (mixture.components[index] for index in order)
    assert mixture.weights[order].tolist() == pytest.approx([2 / 3, 1 / 3], abs=0.02)
    assert far.mean.tolist() == pytest.approx([6, 0], abs=0.15)
    assert near.covariance.diagonal().tolist() == pytest.approx([0.25, 4], rel=0.12)


def test_bernoulli_mixture_recovers_two_patterns():
    stencils = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9]])
    x = torch.bernoulli(
        stencils.repeat_interleave(200, dim=0),
        generator=torch.Generator().manual_seed(0),
    ).double()
    mixture = fitted(x, 2, fit_bernoulli).mixture
    found = torch.stack([component.probability for component in mixture.components])
    found = found[found[:, 0].argsort(descending=True)]
    torch.testing.assert_close(found, stencils.double(), rtol=0, atol=0.08)


def test_mixture_of_one_component_equals_the_component():
    x = two_clouds()
    mixture = fit_mixture(x, torch.ones(len(x), 1), fit_gaussian, steps=1).mixture
    torch.testing.assert_close(mixture.log_prob(x), fit_gaussian(x).log_prob(x))


def test_mixture_samples_follow_the_weights():
    mixture = bells([0.2, 0.8], [-10.0, 10.0])
    samples = mixture.sample(5000, torch.Generator().manual_seed(0)).flatten()
    assert (samples > 0).double().mean().item() == pytest.approx(0.8, abs=0.02)
    # in no order
    assert (samples[:2500] > 0).double().mean().item() == pytest.approx(0.8, abs=0.03)
    assert samples[samples > 0].std().item() == pytest.approx(1, abs=0.05)


def test_start_responsibilities_assign_each_point_to_one_centre():
    x = two_clouds()
    start = start_responsibilities(x, components=2, seed=0)
    assert start.sum(dim=1).unique().tolist() == [1]
    assert start.sum(dim=0).sort().values.tolist() == pytest.approx([100, 200], abs=5)
    assert torch.equal(start, start_responsibilities(x, components=2, seed=0))


def test_mixture_parameter_count():
    mixture = fitted(two_clouds(), 3, steps=1).mixture
    assert mixture.parameter_count() == 2 + 3 * (2 + 3)


def test_mixture_invalid_input_raises():
    x = two_clouds()
    start = start_responsibilities(x, components=2, seed=0)
    with pytest.raises(ValueError, match="rows of shares that add up to one"):
        fit_mixture(x, 2 * start, fit_gaussian)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        fit_mixture(x, start, fit_gaussian, steps=0)
    with pytest.raises(ValueError, match="1 of 2 components have lost all their point"):
        maximization_step(x, torch.tensor([[1.0, 0.0]]).repeat(len(x), 1), fit_gaussian)
    with pytest.raises(ValueError, match="the number of examples, got 301"):
        start_responsibilities(x, components=301, seed=0)
    with pytest.raises(ValueError, match="only 1 different points, too few for 2"):
        start_responsibilities(torch.ones(5, 2), components=2, seed=0)
