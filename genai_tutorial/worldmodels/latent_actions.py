"""Latent actions: the buttons of a world, found in films of it that have no labels.

A network predicts several possible next frames, one for each latent action. The real
next frame makes some of them more probable than others, and each learns from it in that
proportion, as the components of a mixture do.
"""

from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

ACTIONS = 3


def latent_action_loss(
    log_likelihoods: Float[Tensor, "batch action"], temperature: float | int = 1.0
) -> Float[Tensor, ""]:
    r"""Return the negative log-likelihood of a mixture with equal weights, per frame.

    $$-T \log \frac1K \sum_k p(x \mid k)^{1/T}$$

    The gradient divides each frame among the latent actions in proportion to their
    posterior probabilities. Above 1, the temperature softens these, so that no action
    takes all frames before the others have learned anything (deterministic annealing).

    Raises:
        ValueError: If the temperature is not above 0.

    Source: Ueda and Nakano, Deterministic annealing EM algorithm (1998),
        https://doi.org/10.1016/S0893-6080(97)00133-0

    >>> latent_action_loss(torch.tensor([[-1.0, -1.0, -1.0]]))
    tensor(1.)
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    scaled = log_likelihoods / temperature
    log_count = torch.tensor(float(scaled.shape[1])).log()
    return -temperature * (torch.logsumexp(scaled, dim=1) - log_count).mean()


@dataclass(frozen=True)
class Renaming:
    """Names of the latent actions: the button that each stands for.

    Attributes:
        buttons: The button of each latent action.
        agreement: The share of steps at which the named button is the pressed one.
    """

    buttons: tuple[int, ...]
    agreement: float


def best_renaming(
    latent: Int[Tensor, "step"], buttons: Int[Tensor, "step"]
) -> Renaming:
    """Name each latent action after another button, so that they agree with the pressed
    ones as often as possible. Chance reaches a little more than one divided by the
    number of buttons.

    Raises:
        ValueError: If there is no step.

    >>> best_renaming(torch.tensor([2, 2, 0, 1]), torch.tensor([0, 0, 1, 1]))
    Renaming(buttons=(1, 2, 0), agreement=0.75)
    """
    if len(latent) < 1:
        raise ValueError("There must be at least one step to compare, got none.")
    latent, buttons = latent.cpu(), buttons.cpu()  # counted there

    def agreement(names: tuple[int, ...]) -> float:
        named = torch.tensor(names)[latent]
        return int((named == buttons).sum()) / len(latent)

    best = max(permutations(range(ACTIONS)), key=agreement)
    return Renaming(best, agreement(best))
