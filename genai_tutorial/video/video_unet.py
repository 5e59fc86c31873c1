"""An image U-Net inflated to video, and the timesteps that it trains on."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.diffusion import TextCondition, UNet
from genai_tutorial.runtime import torch_seed

from .temporal import (
    Displacement,
    FrameEmbedding,
    SpaceTimeAttention,
    TemporalAttention,
)


def logit_normal_timesteps(
    count: int,
    length: int,
    mean: float | int,
    deviation: float | int,
    generator: torch.Generator,
) -> Float[Tensor, "count"]:
    """Draw timesteps whose logits are normally distributed: few near clean images, few
    near pure noise, and most in between.

    Near the clean end there is little to learn for an inflated image model, which
    already draws sharp edges; at the other end, even all frames together show
    nothing.

    Args:
        length: The number of timesteps of the schedule.
        mean: The mean of the logit; 0 puts the median in the middle of the schedule, a
            positive number closer to pure noise.
        deviation: The standard deviation of the logit; about 1.7 is nearly uniform.

    Source: Esser et al., Scaling Rectified Flow Transformers, section 3.1, equation 19,
        https://arxiv.org/abs/2403.03206

    >>> generator = torch.Generator().manual_seed(0)
    >>> t = logit_normal_timesteps(1000, 1000, 0.7, 1.0, generator)
    >>> bool(650 < t.median() < 690)
    True
    """
    logits = mean + deviation * torch.randn(count, generator=generator)
    return (length * torch.sigmoid(logits)).floor().clamp(0, length - 1)


@dataclass(frozen=True)
class VideoUNetConfig:
    """The settings of the layers that are added to an image U-Net.

    Attributes:
        frame_width: The number of features of a frame's embedding.
        product: If true, frame embeddings include motion × time, see `FrameEmbedding`.
        connected: If true, frames attend to each other; otherwise, each frame is drawn
            independently, with the same weights.
        follow: If true, frames are shifted by a learned displacement before attention,
            see `Displacement`; otherwise, attention at the lowest resolution is full.
    """

    frames: int = 8
    motion_width: int = 64
    frame_width: int = 128
    heads: int = 4
    product: bool = True
    connected: bool = True
    follow: bool = True


class VideoUNet(nn.Module):
    """An image U-Net inflated to video: each of its blocks is followed by a layer in
    which the frames attend to each other.

    Source: Blattmann et al., Align your Latents, section 3.1,
        https://arxiv.org/abs/2304.08818; Guo et al., AnimateDiff, section 4,
        https://arxiv.org/abs/2307.04725
    """

    def __init__(self, image: UNet, config: VideoUNetConfig, seed: int = 0):
        super().__init__()
        self.image, self.config = image, config
        with torch_seed(seed):
            self._build(image, config)

    def _build(self, image: UNet, config: VideoUNetConfig) -> None:
        *upper, lowest = image.config.channels
        side = image.config.image_size // image.config.downsampling_factor
        settings = config.heads, config.frame_width
        factorized = partial(_layers, TemporalAttention, image.config.blocks)
        self.frame = FrameEmbedding(
            config.frames, config.motion_width, config.frame_width, config.product
        )
        self.frame_to_image = nn.Linear(
            config.frame_width, image.config.embedding_width
        )
        nn.init.zeros_(self.frame_to_image.weight)
        nn.init.zeros_(self.frame_to_image.bias)
        groups = image.config.groups
        self.down = nn.ModuleList(
            factorized(channels, *settings, groups) for channels in upper
        )
        self.displacement = (
            Displacement(config.frames, config.motion_width) if config.follow else None
        )
        middle = image.config.middle_blocks
        self.middle = (
            _layers(TemporalAttention, middle, lowest, *settings, groups)
            if config.follow
            else _layers(SpaceTimeAttention, middle, lowest, *settings, side, groups)
        )
        self.up = nn.ModuleList(
            factorized(channels, *settings, groups) for channels in reversed(upper)
        )

    def forward(
        self,
        x: Float[Tensor, "batch frame channel height width"],
        t: Float[Tensor, "batch"] | Float[Tensor, "batch frame"],
        text: TextCondition,
        motion: Float[Tensor, "batch motion_width"],
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Return the prediction for noisy clips."""
        image, (batch, count) = self.image, x.shape[:2]
        if count != self.config.frames:
            raise ValueError(
                f"This network draws clips of {self.config.frames} frames, got {count}."
            )
        frames = self.frame(motion)
        connect = partial(self._connect, frames=frames, displacement=self.moved(motion))
        text = TextCondition(
            text.tokens.repeat_interleave(count, dim=0),
            text.mask.repeat_interleave(count, dim=0),
        )
        images = x.flatten(0, 1)
        times = t if t.ndim == 2 else t[:, None].expand(batch, count)
        embedding, text = image.embed(images, times.flatten(), text)
        embedding = embedding + self.frame_to_image(frames).flatten(0, 1)

        hidden, skips = image.stem(images), []
        for blocks, layers, downsample in zip(
            image.down, self.down, image.downsample, strict=True
        ):
            for block, layer in zip(blocks, layers, strict=True):
                hidden = connect(layer, block(hidden, embedding))
                skips.append(hidden)
            hidden = downsample(hidden)
        hidden = hidden + image.positions
        for block, layer in zip(image.middle, self.middle, strict=True):
            hidden = connect(layer, block(hidden, embedding, text))
        for upsample, blocks, layers in zip(
            image.upsample, image.up, self.up, strict=True
        ):
            hidden = upsample(hidden)
            for block, layer in zip(blocks, layers, strict=True):
                both = torch.cat((hidden, skips.pop()), dim=1)
                hidden = connect(layer, block(both, embedding))
        output = image.head(functional.silu(image.norm(hidden)))
        return output.unflatten(0, (batch, count))

    def _connect(
        self,
        layer: TemporalAttention | SpaceTimeAttention,
        hidden: Float[Tensor, "image channel height width"],
        frames: Float[Tensor, "batch frame features"],
        displacement: Float[Tensor, "batch frame 2"] | None,
    ) -> Float[Tensor, "image channel height width"]:
        """Apply an added layer to the frames of each clip, or to each frame as a
        separate clip.
        """
        if not self.config.connected:
            return layer(hidden[:, None], frames.flatten(0, 1)[:, None]).flatten(0, 1)
        clips = hidden.unflatten(0, frames.shape[:2])
        moved = () if displacement is None else (displacement,)
        return layer(clips, frames, *moved).flatten(0, 1)

    def moved(
        self, motion: Float[Tensor, "batch motion_width"]
    ) -> Float[Tensor, "batch frame 2"] | None:
        """Return the learned displacement of each frame; None without `follow`."""
        return None if self.displacement is None else self.displacement(motion)

    def added_parameters(self) -> dict[str, nn.Parameter]:
        """Return the weights of the added layers, by name."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if not name.startswith("image.")
        }


def _layers(kind: type[nn.Module], count: int, *settings: int) -> nn.ModuleList:
    return nn.ModuleList(kind(*settings) for _ in range(count))
