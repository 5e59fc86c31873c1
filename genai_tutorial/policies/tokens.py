"""A policy that sees an image, reads an instruction and chooses one action of a few."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_CHANNELS = 32
_MAPS = 8
_CONTEXT = 96
_CELL = 8  # pixels


class ActionTokenPolicy(nn.Module):
    """Images and instructions to a distribution over action tokens.

    A patch per cell of the image; two layers over each cell alone, whose feature maps
    the words scale and shift (FiLM); and two layers over all cells together.

    Args:
        side: Pixels of the image, a multiple of 8.

    Source: Perez et al., FiLM, equation 1, https://arxiv.org/abs/1709.07871
    """

    def __init__(self, side: int, words: int, actions: int, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.patches = nn.Conv2d(3, _CHANNELS, kernel_size=_CELL, stride=_CELL)
            self.film = nn.Linear(words, 4 * _CHANNELS)
            self.first = nn.Conv2d(_CHANNELS, _CHANNELS, kernel_size=1)
            self.second = nn.Conv2d(_CHANNELS, _CHANNELS, kernel_size=1)
            self.output = nn.Sequential(
                nn.Conv2d(_CHANNELS, _MAPS, kernel_size=1),
                nn.Flatten(),
                nn.Linear((side // _CELL) ** 2 * _MAPS, _CONTEXT),
                nn.ReLU(),
                nn.Linear(_CONTEXT, actions),
            )

    def forward(
        self,
        images: Float[Tensor, "batch 3 side side"],
        words: Float[Tensor, "batch word"],
    ) -> Float[Tensor, "batch action"]:
        """Return the logits of the action tokens.

        Args:
            images: Red, green and blue from 0 to 1.
            words: 1 for each word of the instruction, else 0.
        """
        film = self.film(words)[:, :, None, None].chunk(4, dim=1)
        scale1, scale2, shift1, shift2 = film
        maps = torch.relu(self.patches(images))
        maps = torch.relu(self.first(maps) * (1 + scale1) + shift1)
        maps = maps + torch.relu(self.second(maps) * (1 + scale2) + shift2)
        return self.output(maps)

    @torch.no_grad()
    def act(
        self,
        images: Float[Tensor, "batch 3 side side"],
        words: Float[Tensor, "batch word"],
        generator: torch.Generator,
    ) -> Int[Tensor, "batch"]:
        """Draw an action token for each image."""
        chances = self(images, words).softmax(dim=1).cpu()
        drawn = torch.multinomial(chances, 1, generator=generator)[:, 0]
        return drawn.to(images.device)
