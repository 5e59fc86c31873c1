import pytest
import torch

from genai_tutorial.density import (
    DiagonalGaussian,
    fit_diagonal_gaussian,
    fit_gaussian,
)


def tilted_cloud(n=400, seed=0):
    generator = torch.Generator().manual_seed(seed)
    stretch = torch.tensor(
        [[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-0.3, 0.2, 0.1]], dtype=torch.float64
    )
    noise = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return noise @ stretch.T + torch.tensor([1.0, -2.0, 0.5])


def test_gaussian_log_prob_equals_torch_distributions():
    x = tilted_cloud()
    gaussian = fit_gaussian(x)
    reference = torch.distributions.MultivariateNormal(
        gaussian.mean, gaussian.covariance
    )
    torch.testing.assert_close(
        gaussian.log_prob(x), reference.log_prob(x), rtol=0, atol=1e-9
    )


def test_diagonal_gaussian_log_prob_equals_torch_distributions():
    x = tilted_cloud()
    gaussian = fit_diagonal_gaussian(x)
    reference = torch.distributions.Normal(gaussian.mean, gaussian.variance.sqrt())
    expected = reference.log_prob(x).sum(dim=1)
    torch.testing.assert_close(gaussian.log_prob(x), expected, rtol=0, atol=1e-9)


def test_ridge_is_added_to_variances_only():
    x = tilted_cloud()
    difference = fit_gaussian(x, ridge=0.5).covariance - fit_gaussian(x).covariance
    torch.testing.assert_close(difference, 0.5 * torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(
        fit_diagonal_gaussian(x, ridge=0.5).variance,
        fit_diagonal_gaussian(x).variance + 0.5,
    )


@pytest.mark.parametrize("fit", [fit_gaussian, fit_diagonal_gaussian])
def test_gaussian_samples_have_the_mean_and_covariance_of_the_model(fit):
    fitted = fit(tilted_cloud())
    samples = fitted.sample(40_000, torch.Generator().manual_seed(2))
    refitted = fit(samples)
    torch.testing.assert_close(refitted.mean, fitted.mean, rtol=0, atol=0.05)
    spread, expected = (
        (refitted.variance, fitted.variance)
        if isinstance(fitted, DiagonalGaussian)
        else (refitted.covariance, fitted.covariance)
    )
    torch.testing.assert_close(spread, expected, rtol=0, atol=0.15)


def test_gaussian_sample_is_reproducible():
    gaussian = fit_gaussian(tilted_cloud())
    first, second, other = (
        gaussian.sample(5, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_gaussian_parameter_count():
    x = tilted_cloud()
    assert fit_gaussian(x).parameter_count() == 3 + 6
    assert fit_diagonal_gaussian(x).parameter_count() == 3 + 3


def test_gaussian_singular_covariance_raises():
    """The message suggests a larger ridge."""
    x = tilted_cloud()[:, [0, 0]]
    with pytest.raises(ValueError, match="larger ridge"):
        fit_gaussian(x).log_prob(x)
    with pytest.raises(ValueError, match="1 of 2 coordinates never vary"):
        fit_diagonal_gaussian(torch.tensor([[0.0, 1.0], [0.0, 2.0]]))


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (torch.zeros(0, 3), {}, "one example per row"),
        (torch.tensor([[float("nan")]]), {}, "NaN"),
        (torch.ones(2, 3), {"ridge": -1.0}, "zero or a positive number, got -1.0"),
        (torch.ones(2, 3), {"weights": torch.tensor([1.0, -1.0])}, "none negative"),
        (torch.ones(2, 3), {"weights": torch.zeros(2)}, "not all zero"),
    ],
)
def test_fit_gaussian_invalid_input_raises(data, settings, message):
    with pytest.raises(ValueError, match=message):
        fit_gaussian(data, **settings)


def test_gaussian_log_prob_wrong_dimension_raises():
    with pytest.raises(ValueError, match="rows of 3 numbers, got rows of 2"):
        fit_gaussian(tilted_cloud()).log_prob(torch.zeros(1, 2))
