"""Inpainting: keep a part of an image, and let any sampler draw the rest so that it fits."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.prediction import Denoised
from genai_tutorial.diffusion.schedule import Path, Time


@dataclass(frozen=True)
class KnownRegion:
    """A denoiser that need not guess where the image is known: there it answers with the image, at every step.

    The sampler does the rest. In the known region it draws the noisy image as the path says; the model sees that, and
    makes what lies beside it fit. In the end, the known region is the image's, to the last digit.

    It is a shortcut: the model sees the known region only through its noise, so that early on it takes less notice of
    it than Bayes' rule would. Where pixels far apart depend on each other, the drawn part can miss the known one.

    Attributes:
        denoise: Guesses where nothing is known.
        image: The known pixels; the others may hold anything.
        known: True where the image is known, for one image or for each of the batch.

    Raises:
        ValueError: Image and mask do not fit together, or everything or nothing is known.

    Source: Lugmayr et al., RePaint, equation 8, https://arxiv.org/abs/2201.09865 (there the noisy image itself is put
        in place, here what the model says about it, so that it works with every sampler)
    """

    denoise: Denoise
    image: Float[Tensor, "*image"]
    known: Bool[Tensor, "*mask"]

    def __post_init__(self):
        try:
            torch.broadcast_shapes(self.image.shape, self.known.shape)
        except RuntimeError as error:
            raise ValueError(
                f"known must fit the image, of shape {tuple(self.image.shape)}, got {tuple(self.known.shape)}."
            ) from error
        if self.known.all() or not self.known.any():
            raise ValueError("known must be True for some pixels and False for others: those are drawn.")

    @property
    def path(self) -> Path:
        """The way into noise."""
        return self.denoise.path

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Time) -> Denoised:
        """Guess the image and the noise in x, which is at time t, where they are not known."""
        signal, strength = self.path.level(t)
        parts = self.denoise(x, t)
        x0 = torch.where(self.known, self.image.to(x.dtype), parts.x0)
        noise = torch.where(self.known, (x - signal * x0) / strength, parts.noise)
        return Denoised(x0, noise)
