"""Adversarial training: discriminator and generator take alternating steps."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.gan import AdversarialLoss

from .checkpoint import Checkpoint, RunState
from .fit import is_due, next_batch, training_loop
from .optimizers import CombinedOptimizer
from .schedules import EMA

Penalty = Callable[..., Float[Tensor, ""]]
"""Called as `penalty(discriminator, real, fake, *labels)`, added to the loss."""


@dataclass
class AdversarialHistory:
    """The losses of both players, each against an opponent that changes, so that they
    do not measure the quality of the samples.

    Attributes:
        discriminator_losses: The discriminator's loss at each step, without penalty.
    """

    discriminator_losses: list[float] = field(default_factory=list)
    generator_losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


def draw_noise(
    generator: nn.Module, count: int, source: torch.Generator
) -> Float[Tensor, "count latent"]:
    """Draw the noise for `count` generated examples: standard normal numbers."""
    device = next(generator.parameters()).device
    return torch.randn(count, generator.latent, generator=source).to(device)


def discriminator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    real: Float[Tensor, "batch *shape"],
    labels: Sequence[Tensor],
    loss: AdversarialLoss,
    optimizer: torch.optim.Optimizer,
    noise: torch.Generator,
    penalty: Penalty | None = None,
) -> float:
    """Update the discriminator on one batch of real examples and as many generated
    ones, and return its loss.
    """
    with torch.no_grad():  # the generator does not learn in this step
        fake = generator(draw_noise(generator, len(real), noise), *labels)
    value = loss.discriminator(
        discriminator(real, *labels), discriminator(fake, *labels)
    )
    total = value
    if penalty is not None:
        total = value + penalty(discriminator, real, fake, *labels)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return value.item()


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    count: int,
    labels: Sequence[Tensor],
    loss: AdversarialLoss,
    optimizer: torch.optim.Optimizer,
    noise: torch.Generator,
) -> float:
    """Update the generator on the discriminator's scores of its samples, and return
    its loss.
    """
    # the gradient passes through the discriminator but does not change it
    discriminator.requires_grad_(False)
    value = loss.generator(
        discriminator(generator(draw_noise(generator, count, noise), *labels), *labels)
    )
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    discriminator.requires_grad_(True)
    return value.item()


@dataclass(frozen=True)
class Players:
    """Both players of a GAN, and what a step of each needs.

    Attributes:
        generator: Called as `generator(z, *labels)`; its attribute `latent` is the size
            of the noise vector.
        discriminator: Called as `discriminator(x, *labels)`; returns a score for each
            example.
        loss: The losses of the two players.
        noise: Random generator of the noise.
        penalty: Added to the discriminator's loss; None for no penalty.
        penalty_every: With 8, the penalty is multiplied by 8 at every eighth step and
            omitted at the others, which is cheaper and has about the same effect.

    Raises:
        ValueError: If `penalty_every` is below 1.

    Source: Karras et al. (2020), Analyzing and improving the image quality of StyleGAN,
        section 3.1 (lazy regularization, for `penalty_every`),
        https://arxiv.org/abs/1912.04958
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: AdversarialLoss
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    noise: torch.Generator
    penalty: Penalty | None = None
    penalty_every: int = 1

    def __post_init__(self):
        if self.penalty_every < 1:
            raise ValueError(
                f"penalty_every must be at least 1, got {self.penalty_every}."
            )

    def step(
        self, number: int, real: Float[Tensor, "batch *shape"], labels: Sequence[Tensor]
    ) -> tuple[float, float]:
        """Update the discriminator and then the generator; return their losses.

        Args:
            number: Number of steps before, which decides whether the penalty counts.
        """
        penalty = None
        if self.penalty is not None and number % self.penalty_every == 0:
            penalty = lambda *seen: self.penalty_every * self.penalty(*seen)  # noqa: E731
        players, noise = (self.generator, self.discriminator), self.noise
        return (
            discriminator_step(
                *players, real, labels, self.loss, self.discriminator_optimizer, noise,
                penalty,
            ),
            generator_step(
                *players, len(real), labels, self.loss, self.generator_optimizer, noise
            ),
        )  # fmt: skip


def fit_adversarial(
    players: Players,
    batches: Iterable[Sequence[Tensor]],
    *,
    steps: int,
    schedule: Callable[[int], float] | None = None,
    ema: EMA | None = None,
    watch: Callable[[int], None] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> AdversarialHistory:
    """Train a generator and a discriminator in alternating steps.

    Args:
        batches: An iterator of tuples: real examples, then labels for both players,
            such as classes.
        steps: Number of steps of each player, counting those before a resume.
        schedule: A factor for all learning rates at each step; None for 1.
        ema: Moving average of the generator's weights, updated after each step; None
            for no average.
        watch: Called with the number of steps done, before the first step and after
            each.
        checkpoint: The file to save the run to and resume it from; needs batches with
            `state_dict`.

    Raises:
        ValueError: If there is no step, or the batches run out.
        FloatingPointError: If a loss is no longer a number.

    Source: Goodfellow et al. (2014), algorithm 1, https://arxiv.org/abs/1406.2661
    """
    generator, discriminator = players.generator, players.discriminator
    optimizers = (players.generator_optimizer, players.discriminator_optimizer)
    parts = {
        "generator": generator,
        "discriminator": discriminator,
        "generator_optimizer": players.generator_optimizer,
        "discriminator_optimizer": players.discriminator_optimizer,
        "batches": batches,
        "average": ema,
    }
    run = RunState(parts, schedule, (players.noise,))
    source, history = iter(batches), AdversarialHistory()
    saved = None if checkpoint is None else run.resume(checkpoint)
    if saved is not None:
        history = AdversarialHistory(**saved)
    device = next(generator.parameters()).device
    generator.train()
    discriminator.train()
    for step in training_loop(
        steps,
        CombinedOptimizer(optimizers),
        schedule,
        done=len(history.generator_losses),
        watch=watch,
        show=lambda: (
            f"discriminator={history.discriminator_losses[-1]:.2f}, "
            f"generator={history.generator_losses[-1]:.2f}"
        ),
        progress=progress,
    ):
        started, done = time.perf_counter(), step + 1
        real, *labels = next_batch(source, device, step, steps)
        d_loss, g_loss = players.step(step, real, labels)
        if not math.isfinite(d_loss + g_loss):
            raise FloatingPointError(
                f"At step {done} the losses are {d_loss} and {g_loss}: lower the "
                "learning rates, or limit the discriminator's gradient with a penalty "
                "or spectral normalization."
            )
        if ema is not None:
            ema.update(generator)
        history.discriminator_losses.append(d_loss)
        history.generator_losses.append(g_loss)
        history.seconds += time.perf_counter() - started
        if checkpoint is not None and is_due(done, checkpoint.every, steps):
            run.save(checkpoint, done, asdict(history))
    return history
