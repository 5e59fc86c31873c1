"""Muon: an optimizer that orthogonalizes the update of each matrix.

A few directions usually dominate the gradient of a matrix. Muon keeps the directions
and makes their singular values equal, so that all of them learn at the same speed. It
is for the matrices inside a network; AdamW trains embeddings, output layers and
vectors. The kernels of a convolution count as a matrix with one row per output feature.
"""

import math
from collections.abc import Iterable
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The polynomial's coefficients: they raise small singular values fast, but bring them
only near 1.
"""


def orthogonalize(
    matrices: Float[Tensor, "*batch rows columns"], iterations: int = 5
) -> Float[Tensor, "*batch rows columns"]:
    """Bring all singular values of each matrix near 1 and keep its singular vectors,
    without computing a singular value decomposition.

    Source: Jordan, Muon: An optimizer for hidden layers in neural networks,
        https://kellerjordan.github.io/posts/muon/
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # the smaller product is rows x rows
    # The sum of squared singular values becomes 1, so that none is above 1.
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalized momentum, for the matrices inside a network.

    The update of a matrix W with gradient G:

        B = momentum B + (1 - momentum) G  # a running mean of the gradients
        U = orthogonalize(momentum B + (1 - momentum) G)
        W = W - lr * weight_decay * W
        W = W - lr * sqrt(max(1, rows / columns)) * U

    Matrices of the same shape are orthogonalized as one stack, in fewer, larger matrix
    products. A parameter with more than two dimensions, such as the kernels of a
    convolution, is flattened to a matrix: kernels of shape (out, in, height, width)
    have `out` rows and `in * height * width` columns.

    Args:
        parameters: The matrices and kernels to train, or groups of them with their own
            settings.
        lr: The learning rate: roughly how much a step changes a matrix's effect on a
            vector.
        momentum: Decay rate of the running mean.
        weight_decay: The fraction of each parameter that a step removes, per unit of
            learning rate.
        iterations: Number of times that the Newton-Schulz polynomial is applied.

    Raises:
        ValueError: If a parameter has fewer than two dimensions, or a setting is out of
            range.

    Source: Jordan, Muon: An optimizer for hidden layers in neural networks,
    https://kellerjordan.github.io/posts/muon/
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ):
        if not lr >= 0 or not weight_decay >= 0 or not 0 <= momentum < 1:
            raise ValueError(
                "lr and weight_decay must be at least 0 and momentum from 0 to below "
                f"1; got {lr=}, "
                f"{weight_decay=}, {momentum=}."
            )
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}.")
        settings = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "iterations": iterations,
        }
        super().__init__(parameters, settings)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() < 2:
                    raise ValueError(
                        "Muon trains only matrices and kernels, got a parameter of "
                        f"shape {tuple(parameter.shape)}: "
                        "give it to AdamW, as build_optimizer does."
                    )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            parameters = [
                parameter for parameter in group["params"] if parameter.grad is not None
            ]
            for shape, same_shape in groupby(
                sorted(parameters, key=_shape), key=_shape
            ):
                self._step_stack(list(same_shape), shape, group)

    def _step_stack(
        self, parameters: list[nn.Parameter], shape: tuple[int, ...], group: dict
    ) -> None:
        directions = []
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["mean"] = torch.zeros_like(parameter)
            state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
            # Nesterov momentum: look one step ahead
            directions.append(parameter.grad.lerp(state["mean"], group["momentum"]))
        updates = orthogonalize(torch.stack(directions).flatten(2), group["iterations"])
        # In a tall matrix, the same change is spread over more numbers.
        step_size = group["lr"] * max(1.0, shape[0] / math.prod(shape[1:])) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(update.view(shape), alpha=step_size)


def _shape(parameter: nn.Parameter) -> tuple[int, ...]:
    return tuple(parameter.shape)
