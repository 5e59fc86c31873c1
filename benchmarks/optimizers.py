"""AdamW and Muon on a tiny Llama: nine pairs of learning rates each, and what happens
when the rates are too high.

Both optimizers are tuned alike, over nine pairs of rates, one for the matrices inside
the model and one for the other parameters. Seed 0 chooses the best pair; five other
seeds measure it, and measure it again with the matrices' rate doubled. These runs take
100 steps with warmup and a cosine schedule. The last part keeps AdamW's best rates,
a third of these and thirty times these constant for 60 steps, with and without 20
steps of warmup and gradient clipping.

    # about three minutes of one core
    OMP_NUM_THREADS=1 python benchmarks/optimizers.py
    # runs of three steps, to see that it works; the results are not kept
    OMP_NUM_THREADS=1 python benchmarks/optimizers.py --smoke
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from finished import script_parser

from genai_tutorial import recipes
from genai_tutorial.corpus import PackedBatches, TokenShards
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.recipes import load_corpus, packed_language_model_loss, write_corpus
from genai_tutorial.runtime import RECORDS, describe_machine, keep_record
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.training import (
    AdamW,
    OptimizerSettings,
    Schedule,
    build_optimizer,
    fit,
    parameter_groups,
    warmup_cosine,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

MODEL = DecoderConfig.llama(
    vocab_size=2048,
    context_length=64,
    width=64,
    layers=2,
    heads=4,
    key_value_heads=4,
    feed_forward_width=176,
    rotary_base=10_000,
    tied_embeddings=True,
)
GRID = {
    "AdamW": ((0.002, 0.004, 0.008), (0.04, 0.08, 0.16)),
    "Muon": ((0.01, 0.02, 0.04), (0.02, 0.04, 0.08)),
}
"""For each optimizer, learning rates for the matrices and for the rest."""
SEEDS = range(1, 6)
"""Seeds of the measurements; seed 0 chooses the rates."""
TIMES = (0.3, 1, 30)
VALIDATION_TOKENS = 8192


def adamw(model: DecoderLM, matrices: float, rest: float) -> torch.optim.Optimizer:
    """AdamW for all parameters, with one rate for the matrices and one for the rest."""
    groups = parameter_groups(model)
    others = groups["embeddings"] + groups["vectors"]
    return AdamW(
        [
            {"params": groups["matrices"], "lr": matrices},
            {"params": others, "lr": rest},
        ],
        epsilon=1e-10,
    )


def muon(model: DecoderLM, matrices: float, rest: float):
    """Muon for the matrices, AdamW for the rest."""
    return build_optimizer(
        model, OptimizerSettings(matrix_lr=matrices, embedding_lr=rest, vector_lr=rest)
    )


OPTIMIZERS = {"AdamW": adamw, "Muon": muon}


class Race:
    """Trains the tiny model on the articles of the base model's corpus."""

    def __init__(self, folder: Path, smoke: bool):
        corpus = load_corpus()
        _, tokenizer = recipes.load("factbook-base")
        end = tokenizer.special_tokens[END_OF_TEXT]
        self.shards: TokenShards = write_corpus(corpus, tokenizer, folder)["wikipedia"]
        self.validation = torch.tensor(
            [
                token
                for text in corpus.held_out
                for token in (*tokenizer.encode(text), end)
            ][: 1024 if smoke else VALIDATION_TOKENS]
        )
        self.loss = packed_language_model_loss(end)
        self.smoke = smoke

    def run(
        self,
        optimizer: Callable[[DecoderLM], torch.optim.Optimizer],
        seed: int,
        steps: int,
        schedule: Callable[[int], Schedule],
        clip_norm: float | None = 1.0,
    ) -> float:
        """Train a model; return its loss on the held-out articles, in nats per
        token.
        """
        steps = 3 if self.smoke else steps
        model = DecoderLM(MODEL, seed=seed)
        fit(
            model,
            PackedBatches({"wikipedia": self.shards}, 64, 8, seed=seed),
            self.loss,
            optimizer(model),
            steps=steps,
            schedule=schedule(steps),
            clip_norm=clip_norm,
            progress=False,
        )
        loss = evaluate_language_model(model, self.validation, 64).nats_per_token
        return round(loss, 4)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--smoke", action="store_true", help="runs of three steps")
    smoke = parser.parse_args().smoke
    seeds = SEEDS[:2] if smoke else SEEDS
    with TemporaryDirectory() as name:
        race = Race(Path(name), smoke)
        results = {
            kind: compare(race, OPTIMIZERS[kind], GRID[kind], seeds) for kind in GRID
        }
        best = results["AdamW"]["tuned"]
        too_high = [
            too_high_rates(race, best, times, careful, seeds)
            for times, careful in itertools.product(TIMES, (False, True))
        ]
        keep_record(
            "optimizers",
            {
                "machine": describe_machine(),
                "seeds": list(seeds),
                "steps": 100,
                "validation_tokens": len(race.validation),
                "optimizers": results,
                "too_high": too_high,
            },
            Path("optimizers_smoke") if smoke else RECORDS,
        )


def compare(race: Race, build, grid: tuple, seeds: range) -> dict:
    """Tune an optimizer on seed 0; measure it with the best rates, and with the
    matrices' rate doubled.
    """

    def loss(matrices: float, rest: float, seed: int) -> float:
        return race.run(
            lambda model: build(model, matrices, rest),
            seed,
            100,
            lambda steps: warmup_cosine(steps, steps // 10),
        )

    pairs = list(itertools.product(*grid))
    losses = [loss(*pair, seed=0) for pair in pairs]
    matrices, rest = min(zip(losses, pairs, strict=True))[1]
    result = {
        "grid": [
            {"matrices": pair[0], "rest": pair[1], "loss": one}
            for pair, one in zip(pairs, losses, strict=True)
        ],
        "tuned": [matrices, rest],
        "losses": [loss(matrices, rest, seed) for seed in seeds],
        "losses_doubled": [loss(2 * matrices, rest, seed) for seed in seeds],
    }
    print(result, flush=True)
    return result


def too_high_rates(
    race: Race, rates: list[float], times: float, careful: bool, seeds: range
) -> dict:
    """Train with multiples of AdamW's rates, bare or with warmup and clipping."""
    matrices, rest = rates
    losses = [
        race.run(
            lambda model: adamw(model, times * matrices, times * rest),
            seed,
            60,
            lambda steps: Schedule(
                steps, warmup_steps=steps // 3 if careful else 0, decay="none"
            ),
            clip_norm=1.0 if careful else None,
        )
        for seed in seeds
    ]
    result = {"times": times, "careful": careful, "losses": losses}
    print(result, flush=True)
    return result


if __name__ == "__main__":
    main()
