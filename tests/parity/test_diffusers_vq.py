"""Parity of the quantizer and the latent Gaussian with diffusers, to 1e-5, with equal
codebooks.
"""

import pytest
import torch

from genai_tutorial.vae import LatentGaussian, VectorQuantizer

pytest.importorskip(
    "diffusers", reason='needs diffusers: pip install "genai_tutorial[images]"'
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.autoencoders.vae import VectorQuantizer as TheirQuantizer


def assert_equal(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("commitment", [0.25, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_vector_quantizer_equals_diffusers(seed, commitment):
    torch.manual_seed(seed)
    ours = VectorQuantizer(codes=16, dim=4, commitment=commitment)
    # `legacy` puts the weight on the other term, as diffusers says itself; the paper
    # has it on the encoder's.
    theirs = TheirQuantizer(16, 4, beta=commitment, legacy=False)
    ours.codebook.data.normal_()
    theirs.embedding.weight.data.copy_(ours.codebook.data)
    grid = torch.randn(3, 4, 5, 6)
    weights = torch.randn(3, 4, 5, 6)
    our_grid, their_grid = (grid.clone().requires_grad_() for _ in range(2))

    mine = ours(our_grid.movedim(1, -1))
    vectors, loss, (_, _, indices) = theirs(their_grid)
    assert_equal(mine.vectors.movedim(-1, 1), vectors)
    assert torch.equal(mine.indices.flatten(), indices)
    assert_equal(mine.loss, loss)

    ((mine.vectors.movedim(-1, 1) * weights).sum() + mine.loss).backward()
    ((vectors * weights).sum() + loss).backward()
    assert_equal(our_grid.grad, their_grid.grad)
    assert_equal(ours.codebook.grad, theirs.embedding.weight.grad)


def test_latent_gaussian_equals_diffusers():
    moments = torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = (
        LatentGaussian(*moments.chunk(2, dim=1)),
        DiagonalGaussianDistribution(moments),
    )
    assert_equal(ours.kl_to_prior().sum(dim=(1, 2, 3)), theirs.kl())
    assert_equal(ours.mean, theirs.mode())
    z = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    assert_equal(-ours.log_prob(z).sum(dim=(1, 2, 3)), theirs.nll(z))
    draws = (one.sample(torch.Generator().manual_seed(2)) for one in (ours, theirs))
    assert_equal(*draws)
