"""The exponential moving average of the weights, which is often better than the
weights of the last step.
"""

import copy

import torch
from torch import nn


class EMA:
    r"""The exponential moving average of a model's weights.

    After step $t$, the average is a weighted mean of the weights after steps 1 to $t$,
    where each step further back counts $d$ times as much ($d$ is the decay). The
    factors sum to 1 from the first step on, so the initial weights do not contribute.
    The update after each step is

    $$\bar w_t = \bar w_{t-1} + \frac{1 - d}{1 - d^t}\,(w_t - \bar w_{t-1})$$

    Buffers, such as running statistics and counters, are copied.

    Args:
        model: The model, already on its device.
        decay: The decay, from 0 to below 1. The average covers about 1 / (1 - decay)
            steps.

    Raises:
        ValueError: If the decay is out of range.

    Source: Kingma and Ba (2015), Adam, section 3, for the correction of the start,
        https://arxiv.org/abs/1412.6980; Polyak and Juditsky (1992), Acceleration of
        stochastic approximation by averaging.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> average = EMA(model, decay=0.5)
    >>> for value in (3.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     average.update(model)
    >>> average.model.weight.item()  # 3 counts a third and 6 two thirds
    5.0
    """

    def __init__(self, model: nn.Module, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(
                f"decay must be from 0 to below 1, such as 0.999, got {decay}."
            )
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Include the current weights; call it after each optimizer step."""
        self.updates += 1
        rate = (1 - self.decay) / (1 - self.decay**self.updates)
        for mean, weight in zip(
            self.model.parameters(), model.parameters(), strict=True
        ):
            mean.lerp_(weight, rate)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict:
        """Return the state for a checkpoint."""
        return {
            "decay": self.decay,
            "updates": self.updates,
            "model": self.model.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore the result of `state_dict`.

        Raises:
            ValueError: If it is the state of an average with another decay.
            RuntimeError: If it is the state of another model.
        """
        if state["decay"] != self.decay:
            raise ValueError(
                f"This average has the decay {self.decay}, and the saved one "
                f"{state['decay']}."
            )
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
