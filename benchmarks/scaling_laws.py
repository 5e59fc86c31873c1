"""A scaling law of the book's own decoder: six sizes, each trained on four amounts of
Wikipedia.

The largest model is held out: the law is fitted to the five smaller sizes, and its
prediction is compared with the measured loss of the sixth. The text is cleaned,
de-duplicated and tokenized by the book's pipeline; the last articles are the test set.
The learning rate of every run warms up, stays constant, and decays over the last fifth.

    # forty minutes of one core; can be interrupted and resumed
    OMP_NUM_THREADS=1 python benchmarks/scaling_laws.py
    # short runs in a minute, to see that it works; the results are not kept
    OMP_NUM_THREADS=1 python benchmarks/scaling_laws.py --smoke
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from finished import script_parser

from genai_tutorial.corpus import (
    PackedBatches,
    TokenShards,
    deduplicate,
    filter_documents,
    normalize,
    write_shards,
)
from genai_tutorial.data import load_wikipedia
from genai_tutorial.recipes import held_out_loss
from genai_tutorial.runtime import RECORDS, choose_device, describe_machine, keep_record
from genai_tutorial.tokenization import BPETokenizer, train_bpe
from genai_tutorial.training import (
    Checkpoint,
    build_optimizer,
    compute_optimal,
    fit,
    fit_power_law,
    warmup_stable_decay,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

END = "<|endoftext|>"
VOCAB_SIZE = 1024
CONTEXT = 128
BATCH = 16
TEST_ARTICLES = 10
SIZES = ((16, 2), (32, 2), (48, 3), (64, 4), (96, 4), (128, 6))
"""Width and number of layers; each head has 16 features."""
TOKENS = (250_000, 500_000, 1_000_000, 2_000_000)
"""The training text has 0.82 million tokens: the largest amount is 2.4 epochs."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        width, layers: Shape of the model.
        parameters: Number of weights without the embedding, which is only a lookup.
        tokens: Number of training tokens.
        loss: Test loss in nats per token.
        cpu_seconds: CPU time of the run.
    """

    width: int
    layers: int
    parameters: int
    tokens: int
    loss: float
    cpu_seconds: float


def prepare(folder: Path) -> tuple[TokenShards, torch.Tensor, float]:
    """Return the training text, the test tokens, and the bytes per test token."""
    texts = [normalize(text) for text in load_wikipedia().texts]
    texts = [texts[place] for place in filter_documents(texts).kept]
    texts = [texts[place] for place in deduplicate(texts).kept]
    train, test = texts[:-TEST_ARTICLES], texts[-TEST_ARTICLES:]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    if not path.exists():
        train_bpe(train, VOCAB_SIZE, special_tokens=[END]).save(path)
    tokenizer = BPETokenizer.load(path)
    end = tokenizer.special_tokens[END]
    if not (folder / "shards" / "index.json").exists():
        write_shards(
            folder / "shards",
            map(tokenizer.encode, train),
            vocab_size=tokenizer.vocab_size,
            end_of_document=end,
        )
    held_out = [token for text in test for token in [*tokenizer.encode(text), end]]
    bytes_a_token = sum(len(text.encode()) for text in test) / len(held_out)
    return TokenShards(folder / "shards"), torch.tensor(held_out), bytes_a_token


def train(
    width: int,
    layers: int,
    tokens: int,
    shards: TokenShards,
    held_out: torch.Tensor,
    folder: Path,
) -> Run:
    config = DecoderConfig.fast(
        shards.vocab_size, CONTEXT, width, layers, heads=width // 16
    )
    device = choose_device()
    model = DecoderLM(config, seed=0).to(device)
    steps = max(10, tokens // (BATCH * CONTEXT))
    # CPU time before the run was interrupted
    spent = folder / f"{width}x{layers}-{tokens}.seconds"
    before, began = (
        float(spent.read_text()) if spent.exists() else 0.0,
        time.process_time(),
    )

    def loss_fn(model, inputs, targets):
        if step_counter.step() % 100 == 0:
            spent.write_text(str(before + time.process_time() - began))
        return next_token_loss(model(inputs), targets)

    step_counter = Counter()
    fit(
        model,
        PackedBatches({"wikipedia": shards}, CONTEXT, BATCH, seed=0),
        loss_fn,
        build_optimizer(model),
        steps=steps,
        schedule=warmup_stable_decay(steps, steps // 20, steps // 5),
        checkpoint=Checkpoint(
            folder / f"{width}x{layers}-{tokens}.safetensors", every=100
        ),
    )
    spent.write_text(str(before + time.process_time() - began))
    parameters = model.parameter_count() - model.token_embedding.weight.numel()
    loss = held_out_loss(model, held_out.to(device))
    return Run(
        width,
        layers,
        parameters,
        steps * BATCH * CONTEXT,
        round(loss, 5),
        round(float(spent.read_text()), 1),
    )


@dataclass
class Counter:
    count: int = -1

    def step(self) -> int:
        self.count += 1
        return self.count


def predict(runs: list[Run]) -> dict:
    """Fit the law without the largest size, and compare its prediction for that size
    with the measured losses.
    """
    largest = max(run.parameters for run in runs)
    known, unknown = (
        [run for run in runs if (run.parameters == largest) == held]
        for held in (False, True)
    )

    def scales(some: list[Run]) -> np.ndarray:
        return np.array([[run.parameters, run.tokens] for run in some], dtype=float)

    law = fit_power_law(scales(known), np.array([run.loss for run in known]))
    fitted, measured = law(scales(known)), np.array([run.loss for run in known])
    budget = 6 * max(run.parameters * run.tokens for run in runs)
    return {
        "law": asdict(law),
        "r_squared": 1
        - float(
            ((fitted - measured) ** 2).sum() / ((measured - measured.mean()) ** 2).sum()
        ),
        "held_out": [
            {
                "tokens": run.tokens,
                "predicted": round(float(law([run.parameters, run.tokens])), 4),
                "measured": run.loss,
            }
            for run in unknown
        ],
        "largest_budget_flops": budget,
        "compute_optimal": asdict(compute_optimal(law, budget)),
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="runs of ten steps; the results are not kept",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("scaling_laws"),
        help="folder for unfinished runs",
    )
    arguments = parser.parse_args()
    folder = arguments.folder / ("smoke" if arguments.smoke else "runs")
    records = folder if arguments.smoke else RECORDS
    shards, held_out, bytes_a_token = prepare(folder)
    about = {
        "machine": describe_machine(),
        "settings": {
            "vocab_size": VOCAB_SIZE,
            "context": CONTEXT,
            "batch": BATCH,
            "seed": 0,
        },
        "text": {
            "training_tokens": len(shards),
            "held_out_tokens": len(held_out),
            "bytes_a_token": bytes_a_token,
        },
    }
    runs: list[Run] = []
    # the cheap runs of all sizes first, for early results
    for tokens in TOKENS:
        for width, layers in SIZES:
            amount = tokens // 25 if arguments.smoke else tokens
            run = train(
                width,
                layers,
                amount,
                shards,
                held_out if not arguments.smoke else held_out[:4096],
                folder,
            )
            runs.append(run)
            print(
                f"{run.parameters:9,} parameters, {run.tokens:9,} tokens: "
                f"{run.loss:.4f} nats, {run.cpu_seconds:.0f} s"
            )
            # Finished runs in the folder are only evaluated again, so the record always
            # contains all of them.
            keep_record(
                "scaling_laws", about | {"runs": [asdict(run) for run in runs]}, records
            )
    keep_record(
        "scaling_laws",
        about | {"runs": [asdict(run) for run in runs], "prediction": predict(runs)},
        records,
    )
    print(json.dumps(predict(runs), indent=1))


if __name__ == "__main__":
    main()
