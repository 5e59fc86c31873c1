"""The gradient noise scale: the batch size beyond which more examples help little."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class GradientNoise:
    """The mean and the variance of the gradient, estimated from batches."""

    signal: float
    noise: float

    @property
    def scale(self) -> float:
        """The batch size at which signal and noise are equal (the simple noise
        scale).
        """
        if not self.signal > 0:
            raise ValueError(
                f"The signal is {self.signal:.3g}, lost in the noise: average over "
                "more or larger batches."
            )
        return self.noise / self.signal


def gradient_noise(
    model: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    micro_batches: int = 2,
) -> GradientNoise:
    """Compare the gradient of each batch with the gradients of its micro-batches.

    Source: McCandlish et al., An Empirical Model of Large-Batch Training, appendix A.1,
        https://arxiv.org/abs/1812.06162
    """
    if micro_batches < 2:
        raise ValueError(
            "micro_batches must be at least 2, because two batch sizes are compared; "
            f"got {micro_batches}."
        )
    parameters = [
        parameter for parameter in model.parameters() if parameter.requires_grad
    ]
    signals, noises = [], []
    for batch in batches:
        large = len(batch[0])
        if large % micro_batches:
            raise ValueError(
                f"micro_batches must divide the batch; got {micro_batches=}, {large} "
                "rows."
            )
        small = large // micro_batches
        gradients = [
            torch.autograd.grad(
                loss_fn(model, *micro_batch),
                parameters,
                allow_unused=True,
                materialize_grads=True,
            )
            for micro_batch in zip(
                *(tensor.chunk(micro_batches) for tensor in batch), strict=True
            )
        ]
        small_square = sum(_square(gradient) for gradient in gradients) / micro_batches
        large_square = _square(
            [torch.stack(same).mean(0) for same in zip(*gradients, strict=True)]
        )
        signals.append((large * large_square - small * small_square) / (large - small))
        noises.append((small_square - large_square) / (1 / small - 1 / large))
    if not signals:
        raise ValueError("There are no batches to measure.")
    return GradientNoise(sum(signals) / len(signals), sum(noises) / len(noises))


def _square(gradient: Iterable[Tensor]) -> float:
    return sum(part.double().square().sum().item() for part in gradient)
