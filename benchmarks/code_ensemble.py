"""An ensemble of predictions. Its members tend to disagree where the world model has
seen too little, so that dreams can be made to pay less there.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.alignment import masked_mean
from genai_tutorial.training import (
    History,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.worldmodels import RATES, Imagined, Recording, WorldModel


class CodeEnsemble(nn.Module):
    """Several networks that predict the next frame's codes from one memory. Each begins
    with different weights and is trained on a random half of the windows.

    Args:
        width: Width of their hidden layers.
        seed: Decides the first weights.

    Raises:
        ValueError: If there are fewer than two heads, which cannot disagree.

    Source: Sekar et al., Planning to Explore via Self-Supervised World Models, section
        3, https://arxiv.org/abs/2005.05960
    """

    def __init__(
        self,
        memory: int = 128,
        groups: int = 8,
        codes: int = 16,
        heads: int = 5,
        width: int = 64,
        seed: int = 0,
    ):
        super().__init__()
        if heads < 2:
            raise ValueError(f"Disagreement needs at least two heads, got {heads}.")
        self.groups = groups
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleList(
                nn.Sequential(
                    nn.Linear(memory, width),
                    nn.SiLU(),
                    nn.Linear(width, groups * codes),
                )
                for _ in range(heads)
            )

    def forward(
        self, memory: Float[Tensor, "*batch memory"]
    ) -> Float[Tensor, "head *batch group code"]:
        """Return each head's logits of the next codes."""
        logits = torch.stack([head(memory) for head in self.heads])
        return logits.unflatten(-1, (self.groups, -1))


def disagreement(
    logits: Float[Tensor, "head *batch group code"],
) -> Float[Tensor, "*batch"]:
    r"""Return the heads' disagreement: the mutual information of the next codes and the
    head, in nats, summed over the groups.

    $$H\left(\tfrac1n \sum_i p_i\right) - \tfrac1n \sum_i H(p_i)$$

    A world's own chance is no disagreement: if all heads expect the same four bounces,
    this is zero, however uncertain they are.

    Source: Depeweg et al., Decomposition of Uncertainty in Bayesian Deep Learning,
        section 3, https://arxiv.org/abs/1710.07283

    >>> agree = torch.zeros(2, 1, 2)  # both heads: half and half
    >>> apart = torch.tensor([[[50.0, 0.0]], [[0.0, 50.0]]])  # each is certain
    >>> disagreement(agree), disagreement(apart)
    (tensor(0.), tensor(0.6931))
    """
    log_probs = logits.log_softmax(dim=-1)
    log_mean = torch.logsumexp(log_probs, dim=0) - torch.tensor(len(logits)).log()
    of_mean = -(log_mean.exp() * log_mean).sum(dim=-1)
    of_heads = -(log_probs.exp() * log_probs).sum(dim=-1).mean(dim=0)
    return (of_mean - of_heads).clamp(min=0).sum(dim=-1)


def train_ensemble(
    ensemble: CodeEnsemble,
    model: WorldModel,
    recording: Recording,
    steps: int = 300,
    *,
    batch_size: int = 48,
    length: int = 16,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train the heads on real steps; the world model stays as it is.

    Args:
        model: The trained world model, whose memories the heads read.
        recording: The steps that the world model has learned from.
        length: The number of actions in a window.
        seed: Decides the batches, and which half of the windows each head learns from.
    """
    starts = recording.window_starts(length)
    generator = torch.Generator().manual_seed(seed)
    halves = torch.rand(len(starts), len(ensemble.heads), generator=generator) < 0.5

    def loss(ensemble: CodeEnsemble, starts: Tensor, learns: Tensor) -> Tensor:
        windows = recording.windows(starts, length)
        with torch.no_grad():
            codes = model.codes(windows.frames.flatten(end_dim=1))
            codes = codes.unflatten(0, windows.frames.shape[:2])
            memories = model.read(codes[:-1], windows.actions)
        targets = codes[1:].unflatten(-1, (ensemble.groups, -1))
        losses = -(ensemble(memories).log_softmax(dim=-1) * targets).sum(dim=(-1, -2))
        counts = windows.continues & learns.T[:, None]
        return masked_mean(losses.flatten(end_dim=1), counts.flatten(end_dim=1))

    return fit(
        ensemble,
        TensorBatches((starts, halves), batch_size, seed),
        loss,
        build_optimizer(ensemble, RATES),
        steps=steps,
        schedule=warmup_linear(steps, min(20, steps // 2)),
        progress=progress,
    )


@torch.no_grad()
def penalized(
    imagined: Imagined, ensemble: CodeEnsemble, weight: float | int
) -> Imagined:
    """Return the same dreams with rewards that are lower where the heads disagree.

    Args:
        weight: Reward per nat of disagreement.

    Source: Yu et al., MOPO: Model-based Offline Policy Optimization, section 4,
        https://arxiv.org/abs/2005.13239, which measures it by the heads' variances
    """
    apart = disagreement(ensemble(imagined.states.memory[1:]))
    return replace(imagined, rewards=imagined.rewards - weight * apart)
