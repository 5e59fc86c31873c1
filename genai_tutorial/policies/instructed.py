"""A policy that sees an image and reads an instruction: one trunk, three heads."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .heads import FlowHead, MixtureHead, RegressionHead


@dataclass(frozen=True)
class InstructedPolicyConfig:
    """The sizes of an `InstructedPolicy`.

    Attributes:
        channels: The number of feature maps, each of which finds one point.
        context: The width of the context that all heads read.
        scale: One unit of the heads' actions in pixels.
    """

    words: int
    chunk: int = 16
    channels: int = 32
    context: int = 128
    components: int = 4
    scale: float = 1.0


class InstructedPolicy(nn.Module):
    """Images, instructions and the gripper's position to chunks of moves.

    The words scale and shift feature maps (FiLM), and a softmax over positions turns
    each map into one point of the image. All heads are trained together on one trunk,
    so that only the heads differ.

    Source: Perez et al., FiLM, equation 1, https://arxiv.org/abs/1709.07871; Levine et
        al., End-to-End Training of Deep Visuomotor Policies, section 5.2,
        https://arxiv.org/abs/1504.00702
    """

    def __init__(self, config: InstructedPolicyConfig, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build(config)
        self.config = config

    def _build(self, config: InstructedPolicyConfig) -> None:
        channels, actions = config.channels, 2 * config.chunk
        self.stem = nn.Conv2d(3, 24, kernel_size=4, stride=2, padding=1)
        self.convolution = nn.Conv2d(24, channels, kernel_size=3, padding=1)
        self.mix = nn.Conv2d(channels, channels, kernel_size=1)
        self.film = nn.Linear(config.words, 4 * channels)
        self.sharpness = nn.Parameter(torch.tensor(5.0))
        self.trunk = nn.Sequential(
            nn.Linear(3 * channels + config.words + 2, config.context),
            nn.SiLU(),
            nn.Linear(config.context, config.context),
            nn.SiLU(),
        )
        self.heads = nn.ModuleDict(
            {
                "regression": RegressionHead(config.context, actions),
                "mixture": MixtureHead(config.context, actions, config.components),
                "flow": FlowHead(config.context, actions),
            }
        )

    def context(
        self,
        images: Float[Tensor, "batch 3 height width"],
        words: Float[Tensor, "batch word"],
        gripper: Float[Tensor, "batch 2"],
    ) -> Float[Tensor, "batch context"]:
        """Return what the heads read.

        Args:
            images: Red, green and blue from 0 to 1.
            words: 1 for each word of the instruction, else 0.
            gripper: Pixels from the left and from the top.
        """
        scales, shifts = self.film(words)[:, :, None, None].chunk(2, dim=1)
        (scale1, scale2), (shift1, shift2) = scales.chunk(2, 1), shifts.chunk(2, 1)
        maps = torch.relu(self.stem(2 * images - 1))
        maps = torch.relu(self.convolution(maps) * (1 + scale1) + shift1)
        maps = self.mix(maps) * (1 + scale2) + shift2
        place = torch.linspace(-1, 1, maps.shape[-1], device=maps.device)
        weights = (self.sharpness * maps).flatten(2).softmax(2).view_as(maps)
        x, y = (weights.sum(2) * place).sum(2), (weights.sum(3) * place).sum(2)
        side = images.shape[-1]
        found = [x, y, maps.amax(dim=(2, 3)), words, 4 * gripper / side - 2]
        return self.trunk(torch.cat(found, dim=1))

    def loss(
        self,
        images: Float[Tensor, "batch 3 height width"],
        words: Float[Tensor, "batch word"],
        gripper: Float[Tensor, "batch 2"],
        chunks: Float[Tensor, "batch length 2"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the sum of the heads' losses; `chunks` are moves in pixels."""
        context = self.context(images, words, gripper)
        actions = chunks.flatten(1) / self.config.scale
        losses = {
            name: head.loss(context, actions, generator)
            for name, head in self.heads.items()
        }
        return losses["regression"] + 0.3 * losses["mixture"] + losses["flow"]

    @torch.no_grad()
    def act(
        self,
        head: str,
        images: Float[Tensor, "batch 3 height width"],
        words: Float[Tensor, "batch word"],
        gripper: Float[Tensor, "batch 2"],
        generator: torch.Generator,
    ) -> Float[Tensor, "batch length 2"]:
        """Return a chunk of moves in pixels for each image.

        Raises:
            ValueError: If there is no such head.
        """
        if head not in self.heads:
            raise ValueError(f"head must be one of {list(self.heads)}, got {head!r}.")
        context = self.context(images, words, gripper)
        actions = self.heads[head].sample(context, generator)
        return self.config.scale * actions.unflatten(1, (self.config.chunk, 2))
