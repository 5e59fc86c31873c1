"""Adversarial training: discriminator and generator take alternating steps."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.gan import AdversarialLoss
from genai_tutorial.runtime import progress_bar

from .checkpoint import load_checkpoint, save_checkpoint
from .ema import EMA
from .run_state import Checkpoint, check_batches, check_schedule, schedule_settings
from .schedules import scale_learning_rates

Penalty = Callable[..., Float[Tensor, ""]]
"""Called as `penalty(discriminator, real, fake, *labels)`, added to the loss."""


@dataclass
class AdversarialHistory:
    """The losses of both players, each against an opponent that changes, so that they
    do not measure the quality of the samples.

    Attributes:
        discriminator_losses: The discriminator's loss at each step, without penalty.
        generator_losses: The generator's loss at each step.
        seconds: The time that all steps took.
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
    total = (
        value
        if penalty is None
        else value + penalty(discriminator, real, fake, *labels)
    )
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


def fit_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss: AdversarialLoss,
    generator_optimizer: torch.optim.Optimizer,
    discriminator_optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    noise: torch.Generator,
    discriminator_steps: int = 1,
    penalty: Penalty | None = None,
    penalty_every: int = 1,
    schedule: Callable[[int], float] | None = None,
    ema: EMA | None = None,
    watch: Callable[[int], None] | None = None,
    watch_every: int = 100,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> AdversarialHistory:
    """Train a generator and a discriminator in alternating steps.

    Args:
        generator: Called as `generator(z, *labels)`; its attribute `latent` is the size
            of the noise vector.
        discriminator: Called as `discriminator(x, *labels)`; returns a score for each
            example.
        batches: An iterator of tuples: real examples, then labels for both players,
            such as classes.
        loss: The losses of the two players.
        generator_optimizer: Updates the generator's parameters.
        discriminator_optimizer: Updates the discriminator's parameters.
        steps: Number of generator steps, counting those before a resume.
        noise: Random generator of the noise.
        discriminator_steps: Number of discriminator steps before each generator step.
        penalty: Added to the discriminator's loss; None for no penalty.
        penalty_every: With 8, the penalty is multiplied by 8 at every eighth step and
            omitted at the others, which is cheaper and has about the same effect.
        schedule: A factor for all learning rates at each step; None for 1.
        ema: Moving average of the generator's weights, updated after each step; None
            for no average.
        watch: Called with the number of steps done, before the first step and after
            every `watch_every` steps.
        watch_every: Number of steps between two calls of `watch`.
        checkpoint: Where to save the run and resume it from; needs batches with
            `state_dict`.

    Raises:
        ValueError: If a number is out of range, or the batches run out.
        FloatingPointError: If a loss is no longer a number.

    Source: Goodfellow et al. (2014), algorithm 1, https://arxiv.org/abs/1406.2661;
        Karras et al. (2020), Analyzing and improving the image quality of StyleGAN,
        section 3.1 (lazy regularization, for `penalty_every`),
        https://arxiv.org/abs/1912.04958
    """
    for name, number in (
        ("steps", steps),
        ("discriminator_steps", discriminator_steps),
        ("penalty_every", penalty_every),
        ("watch_every", watch_every),
    ):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}.")
    if checkpoint is not None:
        check_batches(batches)
    optimizers = (generator_optimizer, discriminator_optimizer)
    device = next(generator.parameters()).device
    source, history = iter(batches), AdversarialHistory()
    state = _State(generator, discriminator, optimizers, schedule, ema, batches, noise)
    if checkpoint is not None and checkpoint.resume and checkpoint.path.exists():
        history = state.resume(checkpoint)
    generator.train()
    discriminator.train()
    first = len(history.generator_losses)
    if watch is not None and first == 0:
        watch(0)
    with progress_bar(
        total=steps, initial=first, label="training", show=progress
    ) as bar:
        for step in range(first, steps):
            started = time.perf_counter()
            for optimizer in optimizers:
                scale_learning_rates(optimizer, schedule(step) if schedule else 1.0)
            due = penalty if penalty is not None and step % penalty_every == 0 else None
            weighted = (
                None
                if due is None
                else lambda *seen, due=due: penalty_every * due(*seen)
            )
            for _ in range(discriminator_steps):
                batch = next(source, None)
                if batch is None:
                    raise ValueError(
                        f"The batches ran out at step {step + 1} of {steps}: give "
                        "more batches, or fewer steps."
                    )
                real, *labels = (tensor.to(device) for tensor in batch)
                d_loss = discriminator_step(
                    generator,
                    discriminator,
                    real,
                    labels,
                    loss,
                    discriminator_optimizer,
                    noise,
                    weighted,
                )
            g_loss = generator_step(
                generator,
                discriminator,
                len(real),
                labels,
                loss,
                generator_optimizer,
                noise,
            )
            if not math.isfinite(d_loss + g_loss):
                raise FloatingPointError(
                    f"At step {step + 1} the losses are {d_loss} and {g_loss}: lower "
                    "the learning rates, or limit the "
                    "discriminator's gradient with a penalty or spectral normalization."
                )
            if ema is not None:
                ema.update(generator)
            history.discriminator_losses.append(d_loss)
            history.generator_losses.append(g_loss)
            history.seconds += time.perf_counter() - started
            done = step + 1
            if watch is not None and done % watch_every == 0:
                watch(done)
            if checkpoint is not None and (
                done == steps or done % checkpoint.every == 0
            ):
                state.save(checkpoint, history)
            bar.set_postfix(
                discriminator=f"{d_loss:.2f}", generator=f"{g_loss:.2f}", refresh=False
            )
            bar.update()
    return history


@dataclass
class _State:
    """Everything that determines how a run continues."""

    generator: nn.Module
    discriminator: nn.Module
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    schedule: Callable[[int], float] | None
    ema: EMA | None
    batches: Iterable
    noise: torch.Generator

    def _parts(self) -> dict:
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "batches": self.batches,
        }
        parts |= dict(
            zip(
                ("generator_optimizer", "discriminator_optimizer"),
                self.optimizers,
                strict=True,
            )
        )
        return parts if self.ema is None else parts | {"average": self.ema}

    def save(self, checkpoint: Checkpoint, history: AdversarialHistory) -> None:
        states = {name: part.state_dict() for name, part in self._parts().items()}
        settings = {
            "schedule": schedule_settings(self.schedule),
            "noise": self.noise.get_state(),
            "history": asdict(history),
        }
        save_checkpoint(checkpoint.path, states | settings)

    def resume(self, checkpoint: Checkpoint) -> AdversarialHistory:
        saved = load_checkpoint(checkpoint.path)
        if saved.keys() != self._parts().keys() | {"schedule", "noise", "history"}:
            raise ValueError(
                f"{checkpoint.path.name} is from another kind of run: delete it to "
                "start again."
            )
        check_schedule(saved["schedule"], self.schedule, checkpoint.path.name)
        try:
            for name, part in self._parts().items():
                part.load_state_dict(saved[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{checkpoint.path.name} is from other models or optimizers: {error}"
            ) from error
        self.noise.set_state(saved["noise"])
        return AdversarialHistory(**saved["history"])
