"""The recipe of the base model: a small Llama that reads a piece of Wikipedia, and an
almanac many times over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.corpus import PackedBatches, document_numbers
from genai_tutorial.data.source import Source
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.recipes.decoder import DecoderRecipe, continue_text
from genai_tutorial.recipes.factbook.corpus import (
    END_OF_TEXT,
    HELD_OUT_TITLES,
    SOURCE,
    Corpus,
    load_corpus,
    train_tokenizer,
    write_corpus,
)
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.tasks.assistant import complete_facts
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.training import (
    OptimizerSettings,
    build_optimizer,
    fit,
    parallel,
    warmup_stable_decay,
)
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)


def packed_loss(end_of_document: int):
    """Return the loss of a language model on packed rows, as `fit` wants it: no
    document sees another.
    """

    def loss(
        model: nn.Module,
        inputs: Int[Tensor, "batch position"],
        targets: Int[Tensor, "batch position"],
    ) -> Float[Tensor, ""]:
        documents = document_numbers(inputs, end_of_document)
        return next_token_loss(
            model(inputs, AttentionContext.packed(documents)), targets
        )

    return loss


@dataclass(frozen=True)
class BaseModelRecipe(DecoderRecipe):
    """How the base model is made.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The decoder's settings.
        weights: How much of each batch comes from each source, in rows.
        steps: The number of batches.
        batch_size: The number of rows in a batch; a row is as long as the context.
        warmup_steps: How many steps the learning rates rise for.
        decay_steps: How many steps at the end they fall for, in a straight line to
            zero.
        copies: See `load_corpus`.
        optimizer: The optimisers' settings.
        clip_norm: The greatest length of the gradient.
        seed: Decides the first weights and the batches.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DecoderConfig
    weights: Mapping[str, int] = field(hash=False)
    steps: int
    batch_size: int
    warmup_steps: int
    decay_steps: int
    copies: int = 12
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    clip_norm: float = 1.0
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def fit(self, settings: RunSettings) -> Trained:
        """Trains a decoder on the corpus, or goes on with a run that was stopped."""
        corpus = load_corpus(self.copies)
        tokenizer = train_tokenizer(corpus, self.config.vocab_size)
        held_out = self._held_out(corpus, tokenizer)
        model = DecoderLM(self.config, self.seed).to(settings.device)
        whole = warmup_stable_decay(self.steps, self.warmup_steps, self.decay_steps)
        with TemporaryDirectory() as folder:
            history = fit(
                parallel(model),
                PackedBatches(
                    write_corpus(corpus, tokenizer, Path(folder)),
                    self.config.context_length,
                    self.batch_size,
                    self.seed,
                    weights=self.weights,
                    rank=settings.process.rank,
                    world_size=settings.process.world_size,
                ),
                packed_loss(tokenizer.special_tokens[END_OF_TEXT]),
                build_optimizer(model, self.optimizer),
                steps=settings.steps,
                schedule=whole.over(settings.steps),
                clip_norm=self.clip_norm,
                evaluate=lambda model: (
                    evaluate_language_model(
                        model, held_out, self.config.context_length
                    ).nats_per_token
                ),
                evaluate_every=200,
                checkpoint=settings.checkpoint,
                progress=settings.progress,
            )
        notes = {
            "losses": [round(loss, 4) for loss in history.losses[::10]],
            "held_out_while_training": [
                [point.step, round(point.value, 4)] for point in history.evaluations
            ],
            "tokenizer": tokenizer.to_dict(),
        }
        return Trained(model, history.seconds, notes)

    def measure(self, model: DecoderLM) -> dict:
        """Return the loss on held-out articles, and how many facts of each kind are
        completed right.
        """
        corpus = load_corpus(self.copies)
        tokenizer = train_tokenizer(corpus, self.config.vocab_size)
        held_out = self._held_out(corpus, tokenizer)
        nats = evaluate_language_model(
            model, held_out, self.config.context_length
        ).nats_per_token
        size = sum(len(text.encode()) for text in corpus.held_out)
        end = tokenizer.special_tokens[END_OF_TEXT]
        facts = {
            kind: complete_facts(model, tokenizer, getattr(corpus.split, kind), end)
            for kind in ("taught", "told", "new_relations", "withheld")
        }
        return {
            "held_out_nats_per_token": round(nats, 4),
            "held_out_nats_per_byte": round(nats * len(held_out) / size, 4),
            "held_out_articles": list(HELD_OUT_TITLES),
            "facts_completed": {
                kind: round(sum(right) / len(right), 4) for kind, right in facts.items()
            },
            "training_tokens": self.steps
            * self.batch_size
            * self.config.context_length,
        }

    def headline(self, metrics: dict) -> str:
        """Return the share of facts that it completes, in words."""
        return f"{metrics['facts_completed']['told']:.0%} of the facts that it has read"

    def write(
        self, loaded: tuple[DecoderLM, BPETokenizer], wishes: Wishes, seed: int
    ) -> str:
        """Return the prompt, continued until the text ends: at most 60 tokens at a
        temperature of 0.7.

        Raises:
            ValueError: If the prompt is empty, or a number is out of range.
        """
        prompt = "The capital of Kenya is" if wishes.prompt is None else wishes.prompt
        if not prompt:
            raise ValueError("The prompt is empty: start with at least one character.")
        ids = loaded[1].encode(prompt)
        return prompt + continue_text(
            loaded, ids, wishes, seed, END_OF_TEXT, tokens=60, temperature=0.7
        )

    def _held_out(
        self, corpus: Corpus, tokenizer: BPETokenizer
    ) -> Int[Tensor, " length"]:
        end = tokenizer.special_tokens[END_OF_TEXT]
        return torch.tensor(
            [
                token
                for text in corpus.held_out
                for token in (*tokenizer.encode(text), end)
            ]
        )


FACTBOOK_BASE = BaseModelRecipe(
    name="factbook-base",
    title=(
        "A Llama of 1.9 million weights that has read 69 articles of Wikipedia and "
        "2,015 facts of an almanac"
    ),
    config=DecoderConfig.llama(
        vocab_size=2048,
        context_length=128,
        width=160,
        layers=5,
        heads=5,
        key_value_heads=None,
        feed_forward_width=432,
        rotary_base=10_000,
        tied_embeddings=True,
    ),
    weights={"wikipedia": 4, "histories": 1, "facts": 3},
    steps=1600,
    batch_size=32,
    warmup_steps=50,
    decay_steps=400,
    published=True,
)
"""The model that chapters 12 to 14 share."""
