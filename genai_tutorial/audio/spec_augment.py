"""SpecAugment: mask random mel bands and frames of each training spectrogram."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def mask_spectrograms(
    features: Float[Tensor, "batch mel frame"],
    lengths: Int[Tensor, "batch"],
    generator: torch.Generator,
    most_mels: int = 8,
    most_frames: int = 25,
) -> Float[Tensor, "batch mel frame"]:
    """Return spectrograms in which up to `most_mels` neighbouring bands and up to
    `most_frames` neighbouring frames are zero.

    Source: Park et al., SpecAugment, section 2, https://arxiv.org/abs/1904.08779
    """
    if most_mels < 0 or most_frames < 0:
        raise ValueError(
            "most_mels and most_frames must not be negative, got "
            f"{most_mels}, {most_frames}."
        )
    batch, mels, frames = features.shape
    sizes = torch.full_like(lengths, mels), lengths
    hidden = []
    for size, most, count in zip(
        sizes, (most_mels, most_frames), (mels, frames), strict=True
    ):
        width = torch.randint(most + 1, (batch,), generator=generator).to(size.device)
        room = (size - width).clamp(min=0) + 1
        start = (torch.rand(batch, generator=generator).to(size.device) * room).long()
        place = torch.arange(count, device=size.device)
        hidden.append((place >= start[:, None]) & (place < (start + width)[:, None]))
    return features.masked_fill(hidden[0][:, :, None] | hidden[1][:, None], 0.0)
