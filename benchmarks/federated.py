"""Rounds of federated averaging, with and without privacy, and the text behind one
client's gradient, for `edge.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genai_tutorial.edge import (
    MakeOptimizer,
    Update,
    best_match,
    federated_average,
    local_update,
    ngram_rows_in,
    texts_from_rows,
)
from genai_tutorial.training import (
    PrivacySettings,
    TokenBatches,
    clip_and_noise,
    poisson_sample,
)
from genai_tutorial.transformer import DecoderLM


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
    """

    rounds: int
    local_steps: int
    batch_size: int = 8
    context_length: int = 64
    privacy: PrivacySettings | None = None


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

    Source: McMahan et al., Learning Differentially Private Recurrent Language Models,
        algorithm 1, https://arxiv.org/abs/1710.06963
    """
    stacked = {
        name: torch.stack([update[name] for update in updates]) for name in updates[0]
    }
    return clip_and_noise(stacked, privacy, privacy.sampling_rate * clients, generator)


def train_federated(
    model: DecoderLM,
    clients: Sequence[Tensor],
    make_optimizer: MakeOptimizer,
    settings: FederatedSettings,
    *,
    seed: int,
) -> list[float]:
    """Train a model in place by rounds of federated averaging; return the mean training
    loss of all local steps, for each round in which a client took part.

    Without `privacy`, all clients take part in each round, weighted by the lengths of
    their texts.
    """
    generator = torch.Generator().manual_seed(seed)
    sources = [
        TokenBatches(
            text, settings.context_length, settings.batch_size, 1000 * seed + n
        )
        for n, text in enumerate(clients)
    ]
    means, privacy = [], settings.privacy
    for _ in range(settings.rounds):
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
            with torch.no_grad():
                for name, change in average.items():
                    model.get_parameter(name).add_(change)
            losses = [loss for _, loss in sent]
            means.append(sum(losses) / len(losses))
    model.eval()
    return means


def recover_text(
    model: DecoderLM, gradient: Mapping[str, Tensor], length: int
) -> Tensor:
    """Return the text that a gradient came from, without its last token, which the
    model never read: of the texts that the rows of n-grams allow, the one whose own
    gradient is nearest.
    """
    read = texts_from_rows(model, ngram_rows_in(gradient), length - 1)
    with torch.no_grad():  # what came last is not known: the likeliest stands in for it
        ends = model(read)[:, -1:].argmax(dim=-1)
    return best_match(model, torch.cat((read, ends), dim=1), gradient)[0][:-1]
