"""What each part of the `fast` decoder is worth: start from the textbook Transformer
and add one part at a time.

Every model has 4 layers of width 64 and reads the same number of characters. A part
changes which learning rate is best, so each model gets its own: the search starts from
the previous model's rate and doubles or halves it until both neighbours are worse, on
the validation play. The model is then trained with five other seeds (three for the
ablations) and scored on the test play, which no choice depends on.

    # about fifteen minutes of one core; interrupt and resume it as you like
    OMP_NUM_THREADS=1 python benchmarks/transformer_parts.py
    # the same code in a minute, with meaningless numbers
    OMP_NUM_THREADS=1 python benchmarks/transformer_parts.py --smoke
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from genai_tutorial.data import load_shakespeare
from genai_tutorial.recipes import held_out_loss, recipe
from genai_tutorial.runtime import (
    RECORDS,
    describe_machine,
    keep_record,
    write_atomically,
)
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    CombinedOptimizer,
    OptimizerSettings,
    TokenBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.transformer import (
    DecoderBlock,
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    LocalConfig,
    NormConfig,
    language_model_loss,
)

CONTEXT, WIDTH, LAYERS, HEADS = 64, 64, 4, 4
BATCH_SIZE, STEPS, WARMUP_STEPS = 16, 150, 10
VALIDATION_PLAY, TEST_PLAY = "Macbeth", "Twelfth Night"
VALIDATION_CHARACTERS, TEST_CHARACTERS = 16_384, 65_536
TUNING_SEED, SEEDS, ABLATION_SEEDS = 0, (1, 2, 3, 4, 5), (1, 2, 3)
ADAMW_START = 0.004
MUON_START = 1.0
"""A factor for the learning rates of the recipe `shakespeare-live`."""


@dataclass(frozen=True)
class Condition:
    """One model of the comparison.

    Attributes:
        name: The part that it adds or removes.
        config: Its settings.
        optimizer: `adamw` or `muon`.
        residual: Whether its blocks have residual connections.
    """

    name: str
    config: DecoderConfig
    optimizer: str = "adamw"
    residual: bool = True


class BlockWithoutResiduals(DecoderBlock):
    def forward(self, x, context=None):
        """Apply attention and feed-forward, each replacing what it reads."""
        x = self.attention(self.attention_norm(x), context)
        return self.feed_forward(self.feed_forward_norm(x))


def ladder(vocab_size: int) -> list[Condition]:
    """Return the textbook Transformer and the models that add one more part each."""
    config = DecoderConfig.gpt2(vocab_size, CONTEXT, WIDTH, LAYERS, HEADS)
    conditions = [Condition("textbook Transformer", config)]
    parts: dict[str, Callable[[DecoderConfig], DecoderConfig]] = {
        "rotary positions": lambda config: replace(
            config, attention=replace(config.attention, positions="rotary")
        ),
        "RMSNorm, no biases": lambda config: replace(
            config, norm=NormConfig("rms"), bias=False
        ),
        "QK-norm": lambda config: replace(
            config, attention=replace(config.attention, query_key_norm=True)
        ),
        "squared ReLU": lambda config: replace(
            config, feed_forward=replace(config.feed_forward, activation="squared_relu")
        ),
        "zero-initialized outputs": lambda config: replace(
            config,
            tied_embeddings=False,
            initialization=InitializationConfig(std=None, zero_outputs=True),
        ),
        "short convolution": lambda config: replace(
            config, local=LocalConfig(convolution_size=1)
        ),
        "n-gram tables": lambda config: replace(
            config, local=LocalConfig(1, pair_features=64, triple_features=16)
        ),
    }
    for name, add in parts.items():
        config = add(config)
        conditions.append(Condition(name, config))
    conditions.append(Condition("Muon", config, optimizer="muon"))
    return conditions


def ablations(vocab_size: int) -> list[Condition]:
    """Return the textbook Transformer without one part each."""
    config = DecoderConfig.gpt2(vocab_size, CONTEXT, WIDTH, LAYERS, HEADS)
    unplaced = replace(config, attention=replace(config.attention, positions="none"))
    return [
        Condition("without positional encoding", unplaced),
        Condition("without residual connections", config, residual=False),
    ]


def make_optimizer(
    model: DecoderLM, kind: str, rate: float
) -> torch.optim.Optimizer | CombinedOptimizer:
    """Return AdamW with this learning rate, or Muon with the live recipe's learning
    rates multiplied by it.
    """
    if kind == "adamw":
        return torch.optim.AdamW(
            model.parameters(), rate, (0.9, 0.95), weight_decay=0.1, fused=True
        )
    return build_optimizer(model, scaled(recipe("shakespeare-live").optimizer, rate))


def scaled(settings: OptimizerSettings, factor: float) -> OptimizerSettings:
    """Return the settings with all learning rates multiplied by a factor."""
    rates = {
        name: value * factor
        for name, value in asdict(settings).items()
        if (name.endswith("_lr") or name.endswith("_learning_rate"))
        and value is not None
    }
    return replace(settings, **rates)


@dataclass
class Trainer:
    """Trains and scores models, and keeps what it has done in a file.

    Attributes:
        texts: The training, validation and test texts.
        file: Where the losses are kept.
        steps: Number of training steps.
    """

    texts: dict[str, Tensor]
    file: Path
    steps: int = STEPS

    def loss(self, condition: Condition, rate: float, seed: int, on: str) -> float:
        """Return the loss of one training run on the validation or the test text."""
        done = json.loads(self.file.read_text("utf8")) if self.file.is_file() else {}
        key = f"{condition.name} | {rate:g} | {seed} | {self.steps}"
        if key not in done:
            done[key] = self._train(condition, rate, seed)
            with write_atomically(self.file, "w") as file:
                file.write(json.dumps(done, indent=1))
        return done[key][on]

    def _train(self, condition: Condition, rate: float, seed: int) -> dict[str, float]:
        started = time.process_time()
        model = DecoderLM(condition.config, seed)
        if not condition.residual:
            for block in model.blocks:
                block.__class__ = BlockWithoutResiduals
        try:
            fit(
                model,
                TokenBatches(self.texts["train"], CONTEXT, BATCH_SIZE, seed),
                language_model_loss,
                make_optimizer(model, condition.optimizer, rate),
                steps=self.steps,
                schedule=warmup_linear(self.steps, min(WARMUP_STEPS, self.steps)),
                progress=False,
            )
        except FloatingPointError:  # diverged: worse than any other learning rate
            return {"validation": 99.0, "test": 99.0}
        model.eval()
        losses = {
            name: round(held_out_loss(model, self.texts[name]), 4)
            for name in ("validation", "test")
        }
        print(
            f"{condition.name}, rate {rate:g}, seed {seed}: {losses} "
            f"({time.process_time() - started:.0f} s)",
            flush=True,
        )
        return losses


def best_rate(trainer: Trainer, condition: Condition, start: float) -> float:
    """Double or halve the learning rate until both neighbours are worse."""

    def loss(rate: float) -> float:
        return trainer.loss(condition, rate, TUNING_SEED, "validation")

    rate = start
    while True:
        better = min((rate / 2, rate, rate * 2), key=loss)
        if better == rate:
            return rate
        rate = better


def compare(
    trainer: Trainer, conditions: list[Condition], seeds: tuple[int, ...]
) -> list[dict]:
    """Return each model's learning rate and its losses on the test text."""
    rows, start = [], {"adamw": ADAMW_START, "muon": MUON_START}
    for condition in conditions:
        rate = best_rate(trainer, condition, start[condition.optimizer])
        start[condition.optimizer] = rate
        losses = [trainer.loss(condition, rate, seed, "test") for seed in seeds]
        rows.append(
            {
                "name": condition.name,
                "optimizer": condition.optimizer,
                "learning_rate": rate,
                "tuning": {
                    f"{tried:g}": trainer.loss(
                        condition, tried, TUNING_SEED, "validation"
                    )
                    for tried in (rate / 2, rate, rate * 2)
                },
                "parameters": DecoderLM(condition.config).parameter_count(),
                "losses": losses,
            }
        )
        print(f"{condition.name}: {mean(losses):.4f} nats per character", flush=True)
    return rows


def read_texts() -> tuple[dict[str, Tensor], int]:
    """Return the three texts as tokens, and the size of the vocabulary."""
    plays = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(plays.train)
    parts = {
        "train": plays.train,
        "validation": load_shakespeare([VALIDATION_PLAY]).validation,
        "test": load_shakespeare([TEST_PLAY]).validation,
    }
    texts = {name: torch.tensor(tokenizer.encode(part)) for name, part in parts.items()}
    texts["validation"] = texts["validation"][:VALIDATION_CHARACTERS]
    texts["test"] = texts["test"][:TEST_CHARACTERS]
    return texts, tokenizer.vocab_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smoke", action="store_true", help="runs of two steps, and no record"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("transformer_parts"),
        help="where the losses of finished runs are kept",
    )
    arguments = parser.parse_args()
    texts, vocab_size = read_texts()
    folder, records = arguments.folder, RECORDS
    steps = STEPS
    if arguments.smoke:
        folder = records = arguments.folder / "smoke"
        texts |= {name: texts[name][:1024] for name in ("validation", "test")}
        steps = 2
    trainer = Trainer(texts, folder / "runs.json", steps)
    added = compare(trainer, ladder(vocab_size), SEEDS)
    removed = compare(trainer, ablations(vocab_size), ABLATION_SEEDS)
    about = {
        "machine": describe_machine(),
        "settings": {
            "width": WIDTH,
            "layers": LAYERS,
            "context": CONTEXT,
            "batch_size": BATCH_SIZE,
            "steps": steps,
            "tuning_seed": TUNING_SEED,
            "seeds": list(SEEDS),
        },
        "validation": {"play": VALIDATION_PLAY, "characters": len(texts["validation"])},
        "test": {"play": TEST_PLAY, "characters": len(texts["test"])},
    }
    keep_record(
        "transformer_parts", about | {"added": added, "removed": removed}, records
    )


if __name__ == "__main__":
    main()
