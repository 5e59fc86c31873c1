"""Federated learning: the texts stay with the clients, and only changes of the weights
travel.

In each round a server sends its model to some clients. Each trains a copy for a few
steps on its own text and sends back its update, the difference of the weights. The
server adds the average of the updates to its model.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from genai_tutorial.training import AdamW, CombinedOptimizer, TokenBatches, train_step
from genai_tutorial.transformer import DecoderLM, language_model_loss

Update = dict[str, Tensor]
"""The change of each parameter, by the parameter's name."""

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer | CombinedOptimizer]
"""Makes the optimizer of a client's local steps."""


def sgd(learning_rate: float) -> MakeOptimizer:
    """Return a maker of plain stochastic gradient descent, which has no state to lose
    between rounds.
    """
    return lambda model: torch.optim.SGD(model.parameters(), lr=learning_rate)


def adamw(learning_rate: float) -> MakeOptimizer:
    """Return a maker of AdamW, whose running means restart in each round."""
    return lambda model: AdamW(model.parameters(), lr=learning_rate)


def federated_average(
    states: Sequence[Mapping[str, Tensor]], weights: Sequence[float | int]
) -> Update:
    """Return the weighted average of clients' parameters, or of their updates.

    Args:
        weights: The weight of each client, usually the size of its text.

    Raises:
        ValueError: If there is no client, the numbers of clients differ, a weight is
            negative, all are zero, or the clients have different parameters.

    Source: McMahan et al., Communication-Efficient Learning of Deep Networks from
        Decentralized Data, algorithm 1, https://arxiv.org/abs/1602.05629

    >>> clients = [{"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([4.0, 0.0])}]
    >>> federated_average(clients, weights=[3, 1])
    {'w': tensor([1., 3.])}
    """
    if not states or len(states) != len(weights):
        raise ValueError(
            "There must be as many weights as clients, at least one; got "
            f"{len(states)} clients and {len(weights)} weights."
        )
    total = sum(weights)
    if min(weights) < 0 or not total > 0:
        raise ValueError(
            f"Weights must be 0 or more, and not all 0; got {list(weights)}."
        )
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes):
        raise ValueError("All clients must have the same parameters as the first one.")
    return {
        name: sum(
            weight / total * state[name]
            for state, weight in zip(states, weights, strict=True)
        )
        for name in states[0]
    }


def local_update(
    model: DecoderLM,
    batches: TokenBatches,
    steps: int,
    make_optimizer: MakeOptimizer,
) -> tuple[Update, float]:
    """Return what one client sends back, and the mean loss of its steps on a copy of
    the server's model.
    """
    copy = deepcopy(model).train()
    device = next(copy.parameters()).device
    optimizer = make_optimizer(copy)
    losses = [
        train_step(
            copy,
            tuple(part.to(device) for part in next(batches)),
            language_model_loss,
            optimizer,
            clip_norm=None,
        )
        for _ in range(steps)
    ]
    before = dict(model.named_parameters())
    update = {
        name: (after - before[name]).detach()
        for name, after in copy.named_parameters()
        if after.requires_grad
    }
    return update, sum(losses) / steps
