"""Generation from known first frames: image to video, and video prediction."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.diffusion import Model


@dataclass(frozen=True)
class KnownFrames:
    """A video model conditioned on the first frames of each film: same interface.

    The known frames enter the network clean and with timestep 0, whatever the noise
    level of the other frames. The network must have been trained with known frames,
    see `draw_known_frames`.

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
        """Return the model's prediction, with known frames in place of noisy ones."""
        known = self.frames.shape[1]
        times = t[:, None].repeat(1, x.shape[1])
        times[:, :known] = 0
        return self.model(
            torch.cat((self.frames, x[:, known:]), dim=1), times, condition
        )


def draw_known_frames(
    clips: int, frames: int, share: float, generator: torch.Generator
) -> Bool[Tensor, "clips frames"]:
    """Choose known frames for training: in a share of the clips, the first frame or
    several, up to half of them.

    >>> draw_known_frames(2, 4, share=1.0, generator=torch.Generator().manual_seed(0))
    tensor([[ True, False, False, False],
            [ True,  True, False, False]])
    """
    known = torch.randint(1, frames // 2 + 1, (clips,), generator=generator)
    known[torch.rand(clips, generator=generator) >= share] = 0
    return torch.arange(frames) < known[:, None]
