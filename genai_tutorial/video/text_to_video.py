"""Text to video: a text-to-image model with layers that connect the frames, and an
encoder for the words that describe a motion.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.diffusion import Model, TextCondition
from genai_tutorial.multimodal import TextToImage
from genai_tutorial.runtime import torch_seed
from genai_tutorial.tokenization import WordTokenizer

from .temporal import MotionEncoder
from .video_unet import VideoUNet, VideoUNetConfig


class TextToVideo(nn.Module):
    """A text-to-image model inflated to video, conditioned on captions as token ids.

    The words before `moves` describe the object and are encoded by the image model's
    own text encoder. The words after it describe the motion and are encoded by a new
    encoder.

    Args:
        image: The text-to-image model; it becomes part of this one.
        config: The settings of the added layers.
        vocab_size: The number of tokens: the image model's, followed by new ones.
        moves: The token between the object and its motion.
        seed: Seed of the initial weights of the added layers.
    """

    def __init__(
        self,
        image: TextToImage,
        config: VideoUNetConfig,
        vocab_size: int,
        moves: int,
        seed: int = 0,
    ):
        super().__init__()
        self.moves = moves
        self.encoder = image.encoder
        self.network = VideoUNet(image.network, config, seed)
        with torch_seed(seed):
            self.motion_encoder = MotionEncoder(vocab_size, config.motion_width)

    def forward(
        self,
        x: Float[Tensor, "batch frame channel height width"],
        t: Float[Tensor, "batch"] | Float[Tensor, "batch frame"],
        condition: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Return the prediction for noisy clips.

        Args:
            t: The timestep of each clip, or of each frame.
            condition: The tokens of each caption with its end token; None for the empty
                caption, which is just the end token.
        """
        if condition is None:
            end = self.encoder.config.end
            condition = torch.full((len(x), 1), end, device=x.device)
        text, motion = self.read(condition)
        return self.network(x, t, text, motion)

    def read(
        self, ids: Int[Tensor, "batch token"]
    ) -> tuple[TextCondition, Float[Tensor, "batch motion_width"]]:
        """Return the text condition of the image network, and a vector for each
        motion.

        A caption without `moves` describes an image and leaves the motion unspecified.
        """
        end = self.encoder.config.end
        is_moves = ids == self.moves
        after = is_moves.cumsum(dim=1) > 0
        shown = ids.masked_fill(after, WordTokenizer.PADDING).masked_fill(is_moves, end)
        features = self.encoder(shown)
        is_motion = after & ~is_moves & (ids != end) & (ids != WordTokenizer.PADDING)
        return (
            TextCondition(features.tokens, features.mask),
            self.motion_encoder(ids, is_motion),
        )

    def freeze_image_model(self) -> "TextToVideo":
        """Freeze the image model, so that only the added layers are trained; return the
        model.
        """
        self.requires_grad_(True)
        self.encoder.requires_grad_(False)
        self.network.image.requires_grad_(False)
        return self


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
        """Return the model's prediction, with known frames instead of noisy ones."""
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
