"""Federated learning: the texts stay with the clients, and only changes of the weights
travel.

In each round a server sends its model to some clients. Each trains a copy for a few
steps on its own text and sends back its update, the difference of the weights. The
server adds the average of the updates to its model.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from genai_tutorial.training import (
    AdamW,
    CombinedOptimizer,
    PrivacySettings,
    TokenBatches,
    clip_and_noise,
    poisson_sample,
    train_step,
    training_loop,
)
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


@dataclass(frozen=True)
class FederatedSettings:
    """The settings of federated training.

    Attributes:
        local_steps: The number of steps that a client takes per round.
        batch_size: The number of windows per step of a client.
        context_length: The number of tokens in a window.
        privacy: Clipping and noise of the updates, and the probability with which a
            client takes part in a round; None for neither, with all clients in each
            round.

    Raises:
        ValueError: If a number is out of range.
    """

    rounds: int
    local_steps: int
    batch_size: int = 8
    context_length: int = 64
    privacy: PrivacySettings | None = None

    def __post_init__(self):
        counts = (self.rounds, self.local_steps, self.batch_size, self.context_length)
        if min(counts) < 1:
            raise ValueError(
                "rounds, local_steps, batch_size and context_length must be at least "
                f"1; got {', '.join(map(str, counts))}."
            )


def federated_average(
    states: Sequence[Mapping[str, Tensor]], weights: Sequence[float | int]
) -> Update:
    """Return the weighted average of clients' parameters, or of their updates.

    Args:
        states: The parameters of each client, by name.
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
    """Return what one client sends back, and the mean loss of its steps.

    Args:
        model: The server's model; it is copied.
        batches: The client's batches.
        make_optimizer: Makes the client's optimizer.
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


@torch.no_grad()
def apply_update(model: nn.Module, update: Mapping[str, Tensor]) -> None:
    """Add an update to a model's parameters, in place."""
    parameters = dict(model.named_parameters())
    for name, change in update.items():
        parameters[name].add_(change)


def private_average(
    updates: Sequence[Mapping[str, Tensor]],
    privacy: PrivacySettings,
    clients: int,
    generator: torch.Generator | None = None,
) -> Update:
    """Return the average of clipped updates with noise, which limits how much the model
    depends on any single client.

    This is DP-SGD with a client in place of a record: the same clipping, noise and
    accountant (`epsilon`, with a step per round) hold. All clients have equal weights,
    because the size of a client's text is itself private.

    Args:
        updates: The updates of the clients that take part.
        privacy: Clipping norm, noise and sampling rate.
        generator: Random generator of the noise.

    Raises:
        ValueError: If no client takes part.

    Source: McMahan et al., Learning Differentially Private Recurrent Language Models,
        algorithm 1, https://arxiv.org/abs/1710.06963
    """
    if not updates:
        raise ValueError("At least one client must take part in a round.")
    stacked = {
        name: torch.stack([update[name] for update in updates]) for name in updates[0]
    }
    return clip_and_noise(stacked, privacy, privacy.sampling_rate * clients, generator)


def train_federated(
    model: DecoderLM,
    clients: Sequence[Int[Tensor, " n"]],
    make_optimizer: MakeOptimizer,
    settings: FederatedSettings,
    *,
    seed: int,
    progress: bool = True,
) -> list[float]:
    """Train a model in place by rounds of federated averaging; return the mean training
    loss of all local steps, for each round in which a client took part.

    Without `privacy`, all clients take part in each round, weighted by the lengths of
    their texts.

    Args:
        model: The server's model.
        clients: The text of each client, as tokens.
        make_optimizer: Makes a client's optimizer, see `sgd` and `adamw`.
        settings: Rounds, local steps and privacy.
        seed: Seed of the batches, of the clients that take part, and of the noise.

    Raises:
        ValueError: If there is no client, or one has less than a window of text.
    """
    if not clients:
        raise ValueError("Federated training needs at least one client.")
    generator = torch.Generator().manual_seed(seed)
    sources = [
        TokenBatches(
            text, settings.context_length, settings.batch_size, 1000 * seed + n
        )
        for n, text in enumerate(clients)
    ]
    means, privacy = [], settings.privacy
    for _ in training_loop(settings.rounds, label="rounds", progress=progress):
        present = list(range(len(clients)))
        if privacy is not None:
            rate = privacy.sampling_rate
            present = poisson_sample(len(clients), rate, generator).tolist()
        sent = [
            local_update(model, sources[n], settings.local_steps, make_optimizer)
            for n in present
        ]
        if sent:
            updates = [update for update, _ in sent]
            average = (
                federated_average(updates, [len(clients[n]) for n in present])
                if privacy is None
                else private_average(updates, privacy, len(clients), generator)
            )
            apply_update(model, average)
            losses = [loss for _, loss in sent]
            means.append(sum(losses) / len(losses))
    model.eval()
    return means
