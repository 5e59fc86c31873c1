"""Adversarial training, shared by the recipes for the digit generators."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genai_tutorial.gan import (
    NON_SATURATING,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    r1_penalty,
)
from genai_tutorial.training import (
    EMA,
    AdamW,
    AdversarialHistory,
    Players,
    fit_adversarial,
)

from ..recipe import Recipe, RunSettings

SAVE_FACTOR = 10
"""These runs save checkpoints this many times less often than others: their steps are
short, and a checkpoint contains both players.
"""


@dataclass(frozen=True, kw_only=True)
class GANRecipe(Recipe):
    """Base class for recipes that train a generator with the non-saturating loss and an
    R1 penalty.
    """

    config: DigitGANConfig
    learning_rate: float
    weight_decay: float
    penalty: float
    penalty_every: int

    def build(self) -> DigitGenerator:
        """Return the untrained generator."""
        return DigitGenerator(self.config, self.seed)

    def fit_players(
        self, run: RunSettings, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[DigitGenerator, AdversarialHistory]:
        """Train both players in one process, or resume a run that was stopped; return
        the averaged generator and the history.
        """
        generator = self.build().to(run.device)
        discriminator = DigitDiscriminator(self.config, self.seed + 1).to(run.device)
        average = EMA(generator, self.ema_decay)
        players = Players(
            generator,
            discriminator,
            NON_SATURATING,
            AdamW(
                generator.parameters(),
                self.learning_rate,
                betas=(0.0, 0.99),
                weight_decay=self.weight_decay,
            ),
            AdamW(discriminator.parameters(), self.learning_rate, betas=(0.0, 0.99)),
            torch.Generator().manual_seed(self.seed),
            penalty=lambda judge, real, _, labels: (
                self.penalty * r1_penalty(judge, real, labels)
            ),
            penalty_every=self.penalty_every,
        )
        history = fit_adversarial(
            players,
            batches,
            steps=run.steps,
            schedule=self.schedule().over(run.steps),
            ema=average,
            checkpoint=replace(
                run.checkpoint, every=SAVE_FACTOR * run.checkpoint.every
            ),
            progress=run.progress,
        )
        return average.model, history
