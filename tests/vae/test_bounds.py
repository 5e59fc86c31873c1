"""The bounds, on a model whose log p(x) is known: probabilistic PCA, whose exact
posterior is a LatentGaussian.
"""

import math

import pytest
import torch

from genai_tutorial.density import fit_ppca
from genai_tutorial.vae import (
    VAE,
    Bound,
    GaussianLikelihood,
    LatentGaussian,
    LatentVariableModel,
    VAEConfig,
    active_units,
    evidence_lower_bound,
    importance_weighted_bound,
    log_importance_weights,
    vae_loss,
)


class KnownModel:
    """Probabilistic PCA with a posterior of our choice: the exact one, moved and
    widened.
    """

    def __init__(self, ppca, moved=0.0, wider=1.0):
        self.ppca, self.moved, self.wider = ppca, moved, wider

    def encode(self, x):
        # The columns of W are orthogonal, so the exact posterior has independent
        # coordinates.
        mean = self.ppca.encode(x) + self.moved
        variance = self.ppca.latent_covariance().diagonal() * self.wider
        return LatentGaussian(mean, variance.log().expand_as(mean))

    def log_likelihood(self, x, z):
        error = (x - self.ppca.decode(z)).square().sum(dim=1)
        variance = self.ppca.noise_variance
        return -0.5 * (x.shape[1] * math.log(2 * math.pi * variance) + error / variance)


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(300, 3, generator=generator, dtype=torch.float64)
    mixing = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    noise = torch.randn(300, 6, generator=generator, dtype=torch.float64)
    return z @ mixing + 0.5 * noise


@pytest.fixture(scope="module")
def ppca(data):
    return fit_ppca(data, latent=2)


def mean_elbo(model, x, draws=400):
    generator = torch.Generator().manual_seed(0)
    elbo = evidence_lower_bound(model, x.repeat(draws, 1), generator).elbo
    return elbo.view(draws, -1).mean(dim=0)


def test_latent_variable_model_protocol_is_structural(ppca):
    assert isinstance(KnownModel(ppca), LatentVariableModel)
    assert not isinstance(ppca, LatentVariableModel)


def test_importance_weights_with_the_exact_posterior_equal_p_of_x(data, ppca):
    generator, exact = torch.Generator().manual_seed(0), ppca.log_prob(data)
    weights = log_importance_weights(KnownModel(ppca), data, 5, generator)
    torch.testing.assert_close(weights, exact.expand(5, -1), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("moved", "wider"), [(0.5, 1.0), (0.0, 3.0), (0.3, 0.5)])
def test_elbo_gap_is_the_kl_to_the_exact_posterior(data, ppca, moved, wider):
    model = KnownModel(ppca, moved, wider)
    variance = ppca.latent_covariance().diagonal()
    gap = 0.5 * (wider + moved**2 / variance - 1 - math.log(wider)).sum()
    measured = (ppca.log_prob(data) - mean_elbo(model, data)).mean()
    assert measured.item() == pytest.approx(gap.item(), abs=0.03)


def test_importance_weighted_bound_tightens_with_more_samples(data, ppca):
    model, truth = KnownModel(ppca, 0.5, 2.0), ppca.log_prob(data).mean().item()
    generator = torch.Generator().manual_seed(0)
    bounds = [
        importance_weighted_bound(model, data.repeat(20, 1), count, generator).mean()
        for count in (1, 4, 16, 64)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] < truth - 0.5
    assert truth - 0.05 < bounds[-1] < truth + 0.01


def test_importance_weighted_bound_agrees_across_chunk_sizes(data, ppca, monkeypatch):
    model = KnownModel(ppca)
    whole = importance_weighted_bound(model, data, 3, torch.Generator().manual_seed(0))
    monkeypatch.setattr("genai_tutorial.vae.bounds.DECODED_AT_ONCE", 7)
    parts = importance_weighted_bound(model, data, 3, torch.Generator().manual_seed(0))
    # the exact posterior: draws do not matter
    torch.testing.assert_close(whole, parts, rtol=0, atol=1e-9)
    assert whole.shape == (300,)


def test_vae_loss_is_the_negative_elbo():
    bound = Bound(torch.tensor([-3.0, -5.0]), torch.tensor([[1.0, 0.5], [3.0, 0.1]]))
    assert vae_loss(bound).item() == pytest.approx(-bound.elbo.mean().item())
    assert vae_loss(bound, beta=4.0).item() == pytest.approx(4 + 4 * 2.3)
    assert vae_loss(bound, free_nats=1.0).item() == pytest.approx(4 + 2 + 1)


def test_vae_loss_free_nats_have_no_gradient():
    divergence = torch.tensor([[1.0, 0.5], [3.0, 0.1]], requires_grad=True)
    vae_loss(Bound(torch.zeros(2), divergence), free_nats=1.0).backward()
    assert divergence.grad.tolist() == [[0.5, 0.0], [0.5, 0.0]]


@pytest.mark.slow
@pytest.mark.parametrize("latent", [1, 3])
def test_linear_vae_reaches_the_likelihood_of_ppca(data, latent):
    torch.manual_seed(0)
    x = data.float()
    vae = VAE(VAEConfig(dim=6, latent=latent, hidden=()), GaussianLikelihood())
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    rates = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=1500)
    for _ in range(1500):
        optimizer.zero_grad()
        vae_loss(evidence_lower_bound(vae, x, generator)).backward()
        optimizer.step()
        rates.step()
    best = fit_ppca(data, latent=latent)
    with torch.no_grad():
        elbo = evidence_lower_bound(vae, x.repeat(50, 1), generator).elbo.mean().item()
    assert elbo == pytest.approx(best.log_prob(data).mean().item(), abs=0.06)
    assert vae.likelihood.log_scale.exp().item() ** 2 == pytest.approx(
        best.noise_variance, rel=0.1
    )
    ours = torch.linalg.qr(vae.decoder[0].weight.detach().double()).Q
    theirs = torch.linalg.qr(best.loadings).Q
    # the cosine of the largest angle between the planes
    assert torch.linalg.svdvals(ours.T @ theirs).min() > 0.98


def test_active_units_are_those_whose_mean_varies():
    means = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    means *= torch.tensor([1.0, 0.05, 0.2])
    assert active_units(means).tolist() == [True, False, True]
    assert active_units(means + 10).tolist() == [True, False, True]


def test_invalid_arguments_raise_value_error(data, ppca):
    generator, model = torch.Generator(), KnownModel(ppca)
    with pytest.raises(ValueError, match="must not be negative, got beta=-1"):
        vae_loss(Bound(torch.zeros(1), torch.zeros(1, 1)), beta=-1.0)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        importance_weighted_bound(model, data, 0, generator)
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        active_units(torch.zeros(1, 3))
