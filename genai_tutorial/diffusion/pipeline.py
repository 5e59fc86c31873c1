"""The sampling pipeline: from labels or texts to images."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .condition import TextCondition
from .guidance import GuidanceWeight, Guided
from .prediction import Prediction
from .samplers import Denoiser, Model, Sampler, ddim, last_sample
from .schedule import NoisePath

Conditions = TextCondition | Int[Tensor, "_ ..."] | None
"""For each image a label, the tokens of a text, or their features; or None."""

Decode = Callable[
    [Float[Tensor, "n *frame latent rows columns"]],
    Float[Tensor, "n *frame channel height width"],
]


@torch.no_grad()
def sample_images(
    model: Model,
    path: NoisePath,
    prediction: Prediction,
    condition: Conditions,
    shape: Sequence[int],
    *,
    steps: int,
    seed: int,
    guidance: GuidanceWeight = 1,
    negative: Conditions = None,
    sampler: Sampler = ddim,
    decode: Decode | None = None,
    batch_size: int | None = None,
) -> Float[Tensor, "n *frame channel height width"]:
    """Draw images or clips from noise, guided towards their conditions; pixels from 0
    to 1.

    Args:
        model: Called as `model(x, t, condition)`.
        prediction: The quantity that it was trained to output.
        condition: A label or a text per image, or None.
        shape: The shape of the noise: the number of images, for clips the number of
            frames, channels, height, width.
        guidance: The guidance weight, also as a function of the timestep; 1 for none.
        negative: A label or a text per image to move away from, or None.
        sampler: A deterministic sampler, such as `ddim` or `dpm_solver`.
        decode: The decoder that turns latents into images. None means that the model
            draws pixels from -1 to 1, to which predicted images are clipped.
        batch_size: The number of images that are drawn at a time; None for all.

    Raises:
        ValueError: If there is no image, not one condition per image, or a number is
            out of range.
    """
    _check_counts(shape[0], condition, negative)
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    noise = noise.to(_device_of(model, condition))
    limit = 1.0 if decode is None else None
    images, size = [], shape[0] if batch_size is None else batch_size
    for first in range(0, shape[0], size):
        rows = slice(first, first + size)
        guided = Guided(model, guidance, _select(negative, rows, noise.device))
        denoise = Denoiser(
            guided, path, prediction, _select(condition, rows, noise.device), limit
        )
        x = last_sample(sampler(denoise, noise[rows], path.timesteps(steps)))
        images.append(((x + 1) / 2).clamp(0, 1) if decode is None else decode(x))
    return torch.cat(images)


def _device_of(model: Model, condition: Conditions) -> torch.device:
    """Return the model's device; the conditions' device if the model is no network."""
    if isinstance(model, nn.Module):
        return next(model.parameters()).device
    return getattr(condition, "device", torch.device("cpu"))


def _select(condition: Conditions, rows: slice, device: torch.device) -> Conditions:
    part = None if condition is None else condition[rows]
    return part.to(device) if isinstance(part, Tensor) else part


def _check_counts(count: int, *conditions: Conditions) -> None:
    if count < 1:
        raise ValueError(f"shape must begin with at least one image, got {count}.")
    for condition in conditions:
        if condition is not None and len(condition) != count:
            raise ValueError(
                f"Give one condition per image: got {len(condition)} for {count} "
                "images."
            )
