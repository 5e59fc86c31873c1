"""Clips whose first frames are known: image to video, and prediction."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.diffusion import Model


@dataclass(frozen=True)
class KnownFrames:
    """A video model that is given the first frames of each clip: same interface.

    Whatever the noise of the others, the known frames enter the network clean, with
    timestep 0 to say so. The network must have been trained on such clips, see
    `draw_known_frames`.

    Attributes:
        model: Called as `model(x, t, condition)`, with a timestep for each frame.
        frames: The known frames, or their latents.

    Source: Blattmann et al., Align your Latents, section 3.2,
        https://arxiv.org/abs/2304.08818; a timestep for each frame as in Chen et al.,
        Diffusion Forcing, https://arxiv.org/abs/2407.01392
    """

    model: Model
    frames: Float[Tensor, "batch known channel height width"]

    def __call__(
        self,
        x: Float[Tensor, "batch frame channel height width"],
        t: Float[Tensor, "batch"],
        condition: object,
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Predict as the model does, with the known frames in place of noisy ones."""
        known = self.frames.shape[1]
        times = t[:, None].repeat(1, x.shape[1])
        times[:, :known] = 0
        return self.model(
            torch.cat((self.frames, x[:, known:]), dim=1), times, condition
        )


def draw_known_frames(
    clips: int, frames: int, share: float, generator: torch.Generator
) -> Bool[Tensor, "clips frames"]:
    """Choose frames to give away in training: in a share of the clips the first one, or
    more, up to half of them.

    >>> draw_known_frames(2, 4, share=1.0, generator=torch.Generator().manual_seed(0))
    tensor([[ True, False, False, False],
            [ True,  True, False, False]])
    """
    known = torch.randint(1, frames // 2 + 1, (clips,), generator=generator)
    known[torch.rand(clips, generator=generator) >= share] = 0
    return torch.arange(frames) < known[:, None]
