"""AdamW: gradient descent with a step size for each parameter, set by how large its
gradients have been.
"""

from collections.abc import Iterable

import torch
from torch import nn


class AdamW(torch.optim.Optimizer):
    """Adam with weight decay that is decoupled from the gradient.

    The update of a parameter w with gradient g at step t:

        m = beta1 m + (1 - beta1) g          running mean of the gradients
        v = beta2 v + (1 - beta2) g^2        running mean of their squares
        w = w - lr * weight_decay * w
        w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    m and v start at zero; dividing by 1 - beta^t corrects this bias in the first steps.

    Args:
        parameters: The parameters to train, or groups of them with their own settings.
        lr: The learning rate: roughly how far each parameter moves in a step.
        betas: Decay rates of the running means m and v.
        epsilon: Keeps the division finite where gradients have been zero.
        weight_decay: The fraction of each parameter that a step removes, per unit of
            learning rate.

    Raises:
        ValueError: If a setting is out of range.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2,
        https://arxiv.org/abs/1711.05101

    >>> weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> optimizer = AdamW([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.tensor(
    ...     [0.001, -50.0]
    ... )  # the first step has the same size for both
    >>> optimizer.step()
    >>> weight.detach()
    tensor([ 0.9000, -1.9000])
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not lr >= 0 or not weight_decay >= 0 or not epsilon > 0:
            raise ValueError(
                "lr and weight_decay must be at least 0 and epsilon above 0; got "
                f"{lr=}, {weight_decay=}, {epsilon=}."
            )
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"betas must be two numbers from 0 to below 1, got {betas}."
            )
        super().__init__(
            parameters,
            {
                "lr": lr,
                "betas": betas,
                "epsilon": epsilon,
                "weight_decay": weight_decay,
            },
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state, gradient = self.state[parameter], parameter.grad
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(parameter)
                    state["mean_square"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["mean"].lerp_(gradient, 1 - beta1)
                state["mean_square"].mul_(beta2).addcmul_(
                    gradient, gradient, value=1 - beta2
                )
                corrected_mean_square = state["mean_square"] / (
                    1 - beta2 ** state["step"]
                )
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.addcdiv_(
                    state["mean"],
                    corrected_mean_square.sqrt_().add_(group["epsilon"]),
                    value=-group["lr"] / (1 - beta1 ** state["step"]),
                )
