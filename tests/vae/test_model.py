import pytest
import torch

from genai_tutorial.vae import (
    VAE,
    BernoulliLikelihood,
    GaussianLikelihood,
    LatentGaussian,
    VAEConfig,
)


def small_vae(likelihood=None, dim=6, latent=2, hidden=(8,)):
    torch.manual_seed(0)
    return VAE(
        VAEConfig(dim=dim, latent=latent, hidden=hidden),
        likelihood or BernoulliLikelihood(),
    )


def all_images(pixels):
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * pixels)


def test_bernoulli_likelihood_sums_to_one_over_all_images():
    vae = small_vae()
    z = torch.randn(1, 2, generator=torch.Generator().manual_seed(0)).expand(64, 2)
    assert vae.log_likelihood(all_images(6), z).exp().sum().item() == pytest.approx(
        1, abs=1e-5
    )


@pytest.mark.parametrize(
    "likelihood", [BernoulliLikelihood(), GaussianLikelihood(scale=0.3)]
)
def test_likelihood_samples_have_the_stated_mean(likelihood):
    decoded = torch.tensor([[-1.0, 0.0, 2.0]]).expand(50_000, 3)
    draws = likelihood.sample(decoded, torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        draws.mean(dim=0), likelihood.mean(decoded)[0], rtol=0, atol=0.01
    )
    if isinstance(likelihood, BernoulliLikelihood):
        assert set(draws.unique().tolist()) == {0.0, 1.0}
    else:
        torch.testing.assert_close(
            draws.std(dim=0), torch.full((3,), 0.3), rtol=0.02, atol=0
        )


def test_gaussian_likelihood_scale_is_learned_unless_fixed():
    assert GaussianLikelihood().log_scale.requires_grad
    assert not GaussianLikelihood(0.1, learned=False).log_scale.requires_grad


def test_vae_outputs_have_the_expected_shapes():
    vae = small_vae()
    q = vae.encode(torch.zeros(5, 6))
    assert isinstance(q, LatentGaussian)
    assert q.mean.shape == q.log_variance.shape == (5, 2)
    assert vae.decode(q.mean).shape == (5, 6)
    assert ((vae.decode(q.mean) > 0) & (vae.decode(q.mean) < 1)).all()


def test_vae_samples_depend_on_the_generator_only():
    vae = small_vae()
    first, again = (vae.sample(4, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, vae.sample(4, torch.Generator().manual_seed(2)))


def test_vae_hidden_layers_are_mirrored():
    vae = small_vae(hidden=(8, 4))

    def widths(part):
        return [layer.weight.shape for layer in part if hasattr(layer, "weight")]

    assert widths(vae.encoder) == [(8, 6), (4, 8), (4, 4)]
    assert widths(vae.decoder) == [(4, 2), (8, 4), (6, 8)]
    assert len(small_vae(hidden=()).encoder) == 1


def test_invalid_arguments_raise_value_error():
    with pytest.raises(ValueError, match="this VAE takes rows of 6 pixels"):
        small_vae().encode(torch.zeros(2, 7))
    with pytest.raises(ValueError, match=r"has 2 numbers, got shape \(1, 3\)"):
        small_vae().decode(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="must be above 0, got 0"):
        GaussianLikelihood(0.0)
