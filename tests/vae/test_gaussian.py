import torch

from genai_tutorial.vae import LatentGaussian


def some_gaussian(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return LatentGaussian(
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64),
    )


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
