import pytest
import torch

from genai_tutorial.density import fit_gaussian, fit_ppca


def hidden_plane(n=500, noise=0.1, seed=0):
    """Points near a plane in five dimensions."""
    generator = torch.Generator().manual_seed(seed)
    loadings = torch.tensor(
        [[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, -1.0], [0.5, 0.0]]
    )
    z = torch.randn(n, 2, generator=generator)
    off = noise * torch.randn(n, 5, generator=generator)
    return (z @ loadings.T + off + torch.arange(5.0)).double()


def covariance_of(ppca):
    return ppca.loadings @ ppca.loadings.T + ppca.noise_variance * torch.eye(5).double()


def test_ppca_has_the_variance_of_the_data_along_its_directions():
    x = hidden_plane()
    covariance = fit_gaussian(x).covariance
    ppca = fit_ppca(x, latent=2)
    model = covariance_of(ppca)
    for direction in ppca.loadings.T:
        unit = direction / direction.norm()
        torch.testing.assert_close(unit @ model @ unit, unit @ covariance @ unit)
    assert model.trace().item() == pytest.approx(covariance.trace().item())
    assert ppca.noise_variance == pytest.approx(0.01, rel=0.1)


def test_ppca_reconstruction_is_close():
    x = hidden_plane()
    ppca = fit_ppca(x, latent=2)
    assert (ppca.decode(ppca.encode(x)) - x).square().mean().sqrt() < 0.12
    latent = ppca.encode(x)
    torch.testing.assert_close(
        latent.T @ latent / len(x), torch.eye(2).double(), rtol=0, atol=0.02
    )


def test_ppca_samples_have_the_covariance_of_the_model():
    ppca = fit_ppca(hidden_plane(), latent=2)
    samples = ppca.sample(50_000, torch.Generator().manual_seed(0))
    refitted = fit_gaussian(samples)
    torch.testing.assert_close(refitted.mean, ppca.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(
        refitted.covariance, covariance_of(ppca), rtol=0, atol=0.1
    )


def test_fit_ppca_with_more_dimensions_than_examples():
    # 10 examples span 9 directions: the other 11 have no variance, which lowers the
    # mean of what is left.
    x = torch.randn(
        10, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    ppca = fit_ppca(x, latent=3)
    variances = torch.linalg.eigvalsh(fit_gaussian(x).covariance)
    assert ppca.noise_variance == pytest.approx(variances[:-3].mean().item())
    assert torch.isfinite(ppca.log_prob(x)).all()


def test_ppca_loadings_have_fixed_signs():
    loadings = fit_ppca(hidden_plane(), latent=2).loadings
    assert (loadings.gather(0, loadings.abs().argmax(dim=0, keepdim=True)) > 0).all()


def test_ppca_parameter_count():
    assert fit_ppca(hidden_plane(), latent=2).parameter_count() == 5 + 1 + 10 - 1


def test_fit_ppca_invalid_input_raises():
    with pytest.raises(ValueError, match=r"latent must be from 1 to 4, .* got 5"):
        fit_ppca(hidden_plane(), latent=5)
    with pytest.raises(ValueError, match="does not vary beyond 3 directions"):
        fit_ppca(hidden_plane(n=4), latent=3)
    with pytest.raises(ValueError, match="rows of 2 numbers, got rows of 5"):
        fit_ppca(hidden_plane(), latent=2).decode(hidden_plane())
