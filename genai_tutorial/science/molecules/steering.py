"""Steering a molecule model by reward: REINVENT's augmented likelihood.

Chapter 14's objective, reward minus a KL penalty with coefficient beta, is maximized by
the policy p(x) exp(score(x) / beta) / Z, where p is the prior. REINVENT's target for a
molecule's log-likelihood, log p(x) + sigma score(x), is the logarithm of that policy
with sigma = 1 / beta, without the constant log Z.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.alignment import answer_log_probs, implicit_reward
from genai_tutorial.training import clip_gradients

from .metrics import uniqueness, validity
from .model import MoleculeModel
from .properties import canonical_smiles, qed

MoleculeScore = Callable[[Sequence[str]], Float[Tensor, "molecule"]]
"""A function that scores SMILES strings; an invalid string scores 0."""


def valid_scores(
    samples: Sequence[str], score: Callable[[list[str]], Sequence[float] | Tensor]
) -> Float[Tensor, "molecule"]:
    """Return the scores of the valid strings, and 0 for the others.

    Args:
        samples: SMILES strings.
        score: Called once, with the canonical SMILES of the valid ones.

    >>> valid_scores(["OCC", "C1CC"], lambda molecules: [2.0] * len(molecules))
    tensor([2., 0.])
    """
    canonical = [canonical_smiles(smiles) for smiles in samples]
    valid = [smiles for smiles in canonical if smiles is not None]
    places = [place for place, smiles in enumerate(canonical) if smiles is not None]
    scores = torch.zeros(len(samples))
    if valid:
        scores[places] = torch.as_tensor(score(valid), dtype=torch.float32)
    return scores


def qed_score(samples: Sequence[str]) -> Float[Tensor, "molecule"]:
    """Score drug-likeness, from 0 to 1."""
    return valid_scores(samples, lambda valid: [qed(smiles) for smiles in valid])


LEARNING_RATE = 5e-4

Diversity = Callable[[Sequence[str], Tensor], Tensor]
"""Changes the scores of molecules by what was found before."""


@dataclass(frozen=True)
class SteeringSettings:
    """The settings of a run.

    Attributes:
        batch_size: The number of molecules sampled for each.
        sigma: The weight of the score, in nats: one over the KL coefficient.

    Raises:
        ValueError: If a number is out of range.
    """

    steps: int = 50
    batch_size: int = 64
    sigma: float | int = 60.0
    seed: int = 0

    def __post_init__(self):
        if min(self.steps, self.batch_size) < 1 or not self.sigma > 0:
            raise ValueError(
                f"steps and batch_size must be at least 1, sigma above 0; got {self}."
            )


@dataclass(frozen=True)
class SteeringStep:
    """The molecules of one step, sampled before its update.

    Attributes:
        samples: The SMILES strings.
        score: The mean score of all strings, before a diversity filter.
        validity: The share of valid strings.
        uniqueness: The share of different molecules among those.
        kl: The estimated KL divergence from the prior, in nats per molecule.
    """

    samples: tuple[str, ...]
    score: float
    validity: float
    uniqueness: float
    kl: float

    @classmethod
    def of(cls, samples: Sequence[str], scores: Tensor, kl: float) -> "SteeringStep":
        """Return the averages of some samples with their scores."""
        mean = float(scores.mean())
        return cls(tuple(samples), mean, validity(samples), uniqueness(samples), kl)


@dataclass(frozen=True)
class Steered:
    """The result of steering.

    Attributes:
        steps: The molecules and averages of each step.
    """

    model: MoleculeModel
    steps: tuple[SteeringStep, ...]


def augmented_likelihood_loss(
    log_probs: Float[Tensor, "molecule"],
    prior_log_probs: Float[Tensor, "molecule"],
    scores: Float[Tensor, "molecule"],
    sigma: float | int,
) -> Float[Tensor, ""]:
    """Return the mean squared difference between log p(x) + sigma score(x) and the
    agent's log-likelihood.

    Written with DPO's implicit reward beta log(agent / prior), it is a regression of
    that reward on the score: the squared error, divided by beta squared.

    Args:
        log_probs: The agent's log-probability of each molecule.
        sigma: The weight of the score, one over beta.

    Source: Olivecrona et al., Molecular de-novo design through deep reinforcement
        learning, section "The augmented episodic likelihood",
        https://doi.org/10.1186/s13321-017-0235-x

    >>> augmented_likelihood_loss(
    ...     torch.tensor([-9.0]), torch.tensor([-20.0]), torch.tensor([0.5]), sigma=20
    ... )
    tensor(1.0000)
    """
    implicit = implicit_reward(log_probs, prior_log_probs, beta=1 / sigma)
    return (sigma * (scores - implicit)).square().mean()


def steer(
    prior: MoleculeModel,
    score: MoleculeScore,
    settings: SteeringSettings,
    diversity: Diversity | None = None,
) -> Steered:
    """Train a copy of a model towards molecules with high scores.

    Args:
        prior: The model to begin with; it does not change.
        diversity: Changes the scores of molecules like those found before; None for no
            change.
    """
    agent = MoleculeModel(deepcopy(prior.decoder), prior.tokenizer)
    optimizer = torch.optim.AdamW(
        agent.decoder.parameters(), LEARNING_RATE, betas=(0.9, 0.99)
    )
    generator = torch.Generator().manual_seed(settings.seed)
    steps = []
    for _ in range(settings.steps):
        drawn = agent.rollouts(settings.batch_size, generator=generator)
        samples = agent.strings(drawn)
        scores = score(samples)
        kept = scores if diversity is None else diversity(samples, scores)
        with torch.no_grad():
            before = answer_log_probs(prior.decoder, drawn.ids, drawn.is_answer)
        log_probs = answer_log_probs(agent.decoder, drawn.ids, drawn.is_answer)
        loss = augmented_likelihood_loss(
            log_probs, before, kept.to(log_probs.device), settings.sigma
        )
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(agent.decoder.parameters(), 1.0)
        optimizer.step()
        kl = float((log_probs.detach() - before).mean())
        steps.append(SteeringStep.of(samples, scores, kl))
    return Steered(agent, tuple(steps))
