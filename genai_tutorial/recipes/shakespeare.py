"""The recipes of the decoders that learn Shakespeare's characters."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import load_shakespeare
from genai_tutorial.data.shakespeare import SOURCE
from genai_tutorial.data.source import Source
from genai_tutorial.generation import generate
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.recipes.decoder import DecoderRecipe
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    OptimizerSettings,
    Schedule,
    TokenBatches,
    build_optimizer,
    fit,
    parallel,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

GLANCE = 32_768
"""How many held-out characters are scored during a run; the whole text is scored at the
end.
"""


@dataclass(frozen=True)
class LanguageRecipe(DecoderRecipe):
    """How one decoder is made from Shakespeare's plays.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The decoder's settings.
        optimizer: The optimisers' settings.
        batch_size: The number of windows in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line.
        final_factor: The factor that this fall ends at.
        cooldown_steps: How many steps at the end the learning rates then take to zero.
        clip_norm: The greatest length of the gradient.
        seed: Decides the first weights and the batches.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DecoderConfig
    optimizer: OptimizerSettings
    batch_size: int
    steps: int
    warmup_steps: int
    final_factor: float = 0.0
    cooldown_steps: int = 0
    clip_norm: float = 1.0
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def schedule(self, steps: int | None = None) -> Schedule:
        """Return the course of the learning rates over the recipe's steps, or over
        another number of them.

        >>> schedule = LIVE.schedule(steps=100)
        >>> schedule(99) < 0.02  # however short the run, it ends near zero
        True
        """
        whole = Schedule(
            self.steps,
            self.warmup_steps,
            decay="linear",
            final_factor=self.final_factor,
            cooldown_steps=self.cooldown_steps,
        )
        return whole if steps is None else whole.over(steps)

    def fit(self, settings: RunSettings) -> Trained:
        """Trains a decoder on the plays, or goes on with a run that was stopped."""
        plays = load_shakespeare()
        tokenizer = CharacterTokenizer.from_text(plays.train)
        text, held_out = (
            torch.tensor(tokenizer.encode(part))
            for part in (plays.train, plays.validation)
        )
        model = DecoderLM(self.config, self.seed).to(settings.device)
        rank, world_size = settings.process.rank, settings.process.world_size
        history = fit(
            parallel(model),
            TokenBatches(
                text,
                self.config.context_length,
                self.batch_size,
                self.seed,
                rank=rank,
                world_size=world_size,
            ),
            language_model_loss,
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=self.schedule(settings.steps),
            clip_norm=self.clip_norm,
            evaluate=lambda model: held_out_loss(model, held_out[:GLANCE]),
            evaluate_every=200,
            checkpoint=settings.checkpoint,
            progress=settings.progress,
        )
        glances = [[point.step, round(point.value, 4)] for point in history.evaluations]
        notes = {"held_out_while_training": glances, "tokenizer": tokenizer.to_dict()}
        return Trained(model, history.seconds, notes)

    def measure(self, model: DecoderLM) -> dict:
        """Return the loss on the plays that are held out."""
        plays = load_shakespeare()
        held_out = torch.tensor(
            CharacterTokenizer.from_text(plays.train).encode(plays.validation)
        )
        return {
            "held_out_nats_per_character": round(held_out_loss(model, held_out), 4),
            "held_out_characters": len(held_out),
            "held_out_plays": list(plays.validation_titles),
            "windows": f"of {model.config.context_length} characters, without overlap",
        }

    def headline(self, metrics: dict) -> str:
        """Return the held-out loss in words."""
        return (
            f"{metrics['held_out_nats_per_character']:.3f} nats per character on "
            "unseen plays"
        )

    def ready(
        self, model: DecoderLM, about: dict
    ) -> tuple[DecoderLM, CharacterTokenizer]:
        """Return the decoder with its tokenizer."""
        return model, CharacterTokenizer.from_dict(about["tokenizer"])

    def write(
        self, loaded: tuple[DecoderLM, CharacterTokenizer], wishes: Wishes, seed: int
    ) -> str:
        """Return the prompt, continued: 500 characters at a temperature of 0.8 after a
        new line, or what is wished.

        Raises:
            ValueError: If the prompt is empty or has unknown characters, or a number is
                out of range.
        """
        prompt = "\n" if wishes.prompt is None else wishes.prompt
        if not prompt:
            raise ValueError(
                "The prompt is empty: start with at least one character, for example a "
                "new line."
            )
        model, tokenizer = loaded
        written = generate(
            model,
            torch.tensor([tokenizer.encode(prompt)]),
            500 if wishes.tokens is None else wishes.tokens,
            temperature=0.8 if wishes.temperature is None else wishes.temperature,
            top_p=wishes.top_p,
            generator=torch.Generator().manual_seed(seed),
        )
        return tokenizer.decode(written[0].tolist())


def language_model_loss(
    model: nn.Module,
    inputs: Int[Tensor, "batch position"],
    targets: Int[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Return the loss of a language model on a batch of windows, as `fit` wants it."""
    return next_token_loss(model(inputs), targets)


def held_out_loss(model: DecoderLM, tokens: Int[Tensor, " length"]) -> float:
    """Return the nats a token that a decoder needs for a text, read in windows of its
    context that do not overlap.
    """
    return evaluate_language_model(
        model, tokens, model.config.context_length
    ).nats_per_token


LIVE = LanguageRecipe(
    name="shakespeare-live",
    title=(
        "A decoder of 0.8 million weights that learns Shakespeare's characters in "
        "about a minute"
    ),
    # Two blocks and tables for pairs and triples: the weights of four blocks, at half
    # the time a step.
    config=DecoderConfig.fast(
        vocab_size=64,
        context_length=64,
        width=128,
        layers=2,
        heads=4,
        convolution_size=1,
        pair_features=64,
        triple_features=16,
    ),
    optimizer=OptimizerSettings(
        matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
    ),
    batch_size=32,
    steps=600,
    warmup_steps=10,
)
"""The model that chapter 4 trains while you wait."""

LONGER = LanguageRecipe(
    name="shakespeare",
    title=(
        "The same in larger: 1.9 million weights, 1,450 steps, half an hour on two "
        "busy cores"
    ),
    config=DecoderConfig.fast(
        vocab_size=64,
        context_length=128,
        width=160,
        layers=5,
        heads=5,
        convolution_size=1,
        pair_features=64,
        triple_features=8,
    ),
    optimizer=OptimizerSettings(
        matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
    ),
    batch_size=32,
    steps=1450,
    warmup_steps=50,
    final_factor=27 / 47,
    cooldown_steps=400,
    published=True,
)
"""The model that chapter 4 loads."""
