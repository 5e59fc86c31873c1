"""A VAE whose decoder also sees the pixels before the one that it predicts: powerful, and prone to ignore its code."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.vae.gaussian import LatentGaussian
from genai_tutorial.vae.model import VAE


def neighbours_before(height: int, width: int, reach: int) -> Bool[Tensor, "pixel seen"]:
    """Which pixels each pixel may look at: those before it in reading order, at most `reach` rows and columns away.

    >>> neighbours_before(height=2, width=3, reach=1).int()[4]  # the second row's middle: above and left
    tensor([1, 1, 1, 1, 0, 0], dtype=torch.int32)
    """
    if min(height, width, reach) < 1:
        raise ValueError(f"height, width and reach must be at least 1, got {height=}, {width=}, {reach=}")
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    near = ((rows[:, None] - rows).abs() <= reach) & ((columns[:, None] - columns).abs() <= reach)
    return near.tril(diagonal=-1)


class AutoregressiveVAE(nn.Module):
    """A VAE with a second source of knowledge: each pixel's logit also gets a weighted sum of the pixels before it.

    A weighted sum of the neighbours is already a fair model of ink. Early in training, when the code still is noise,
    it is the better source by far, so that the decoder learns to do without the code.

    Args:
        vae: The encoder, the decoder and the likelihood.
        mask: Which pixels each pixel may look at; none at or after itself.

    Raises:
        ValueError: A pixel would see itself or a later one, or the mask has another size.

    Source: Chen et al., Variational Lossy Autoencoder, https://arxiv.org/abs/1611.02731; the weighted sums are those
        of the fully visible belief net, Frey, Hinton and Dayan (1995), Does the wake-sleep algorithm produce good
        density estimators?
    """

    def __init__(self, vae: VAE, mask: Bool[Tensor, "dim dim"]):
        super().__init__()
        if mask.shape != (vae.config.dim, vae.config.dim):
            raise ValueError(f"mask must have a row and a column for each of {vae.config.dim} pixels, got {mask.shape}")
        if mask.triu().any():
            raise ValueError("mask lets a pixel see itself or a later one: to predict it would be to copy it")
        self.vae = vae
        self.weight = nn.Parameter(torch.zeros(mask.shape))
        self.register_buffer("mask", mask)

    def encode(self, x: Float[Tensor, "n dim"]) -> LatentGaussian:
        """q(z | x), the same as without neighbours."""
        return self.vae.encode(x)

    def logits(self, x: Float[Tensor, "n dim"], z: Float[Tensor, "n latent"]) -> Float[Tensor, "n dim"]:
        """What the code says and what the pixels before say, added up."""
        return self.vae.decoder(z) + nn.functional.linear(x, self.weight * self.mask)

    def log_likelihood(self, x: Float[Tensor, "n dim"], z: Float[Tensor, "n latent"]) -> Float[Tensor, "n"]:
        """log p(x | z): by the chain rule the sum over the pixels, each given those before it."""
        return self.vae.likelihood.log_prob(self.logits(x, z), x)

    @torch.no_grad()
    def sample(self, z: Float[Tensor, "n latent"], generator: torch.Generator) -> Float[Tensor, "n dim"]:
        """Draw the pixels one after another, in reading order, for given codes."""
        from_code, weight = self.vae.decoder(z), self.weight * self.mask
        x = torch.zeros_like(from_code)
        for pixel in range(x.shape[1]):
            logit = from_code[:, pixel] + x @ weight[pixel]
            x[:, pixel] = self.vae.likelihood.sample(logit[:, None], generator)[:, 0]
        return x
