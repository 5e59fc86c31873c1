"""The recipe `shakespeare-live` against a plain GPT, trained side by side on the same
plays for the same time.

The plain model is nanoGPT's recipe for a CPU, written from its description: 4 layers, 4
heads, width 128, context 64, batch size 12, 2,000 steps, AdamW with a learning rate of
1e-3 that falls to 1e-4 along a cosine after 100 warmup steps, second beta 0.99, weight
decay 0.1, gradients clipped at 1, no dropout, GPT-2's initialization.

The two runs alternate about once a second, so that other load on the machine slows both
equally; compare the ratios, not the seconds. Evaluation is not timed.

    # about five minutes on two cores
    OMP_NUM_THREADS=2 python benchmarks/language_model.py
    # one block of width 64 against the plain model, in a twentieth of its CPU time
    python benchmarks/language_model.py --twentieth 3
    # the recipe's spread over seeds, without the plain model
    OMP_NUM_THREADS=2 python benchmarks/language_model.py --seeds 5
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from finished import script_parser
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.data import load_shakespeare
from genai_tutorial.recipes import held_out_loss, recipe
from genai_tutorial.runtime import describe_machine, progress_bar
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import TokenBatches, build_optimizer, train_step
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

RESULTS = Path(__file__).parent / "results"
PLAIN_STEPS = 2000
SMALL = DecoderConfig.fast(
    vocab_size=64,
    context_length=64,
    width=64,
    layers=1,
    heads=4,
    convolution_size=1,
    pair_features=64,
    triple_features=32,
)
CURVE_CHARACTERS = 65_536
"""Number of held-out characters for the curves; the final losses use all of them."""


@dataclass(frozen=True)
class PlainConfig:
    vocab_size: int
    context_length: int = 64
    width: int = 128
    layers: int = 4
    heads: int = 4


class PlainBlock(nn.Module):
    def __init__(self, config: PlainConfig):
        super().__init__()
        self.heads = config.heads
        self.norm_1 = nn.LayerNorm(config.width, bias=False)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.attention_output = nn.Linear(config.width, config.width, bias=False)
        self.norm_2 = nn.LayerNorm(config.width, bias=False)
        self.widen = nn.Linear(config.width, 4 * config.width, bias=False)
        self.narrow = nn.Linear(4 * config.width, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(self.norm_1(x)).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True
        )
        x = x + self.attention_output(mixed.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.widen(self.norm_2(x))))


class PlainGPT(nn.Module):
    """A GPT with learned positions, LayerNorm, GELU and tied embeddings."""

    def __init__(self, config: PlainConfig, seed: int):
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(PlainBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, bias=False)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                writes = name.endswith(("attention_output.weight", "narrow.weight"))
                nn.init.normal_(
                    parameter,
                    0.0,
                    0.02 / (math.sqrt(2 * config.layers) if writes else 1),
                    generator,
                )

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.tokens.weight)


@dataclass
class Run:
    """A model in training, and its cost so far."""

    # called with the progress of the run, from 0 to below 1
    step_once: Callable[[float], None]
    model: nn.Module
    planned: int
    steps: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    curve: list[tuple[int, float, float, float]] = field(default_factory=list)

    def train(self, steps: int, progress: float | None = None) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.step_once(self.steps / self.planned if progress is None else progress)
            self.steps += 1
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def evaluate(self, held_out: Tensor) -> None:
        self.curve.append(
            (self.steps, self.wall, self.cpu, held_out_loss(self.model, held_out))
        )

    def report(self, held_out: Tensor) -> dict:
        return {
            "parameters": sum(
                parameter.numel() for parameter in self.model.parameters()
            ),
            "steps": self.steps,
            "wall_seconds": round(self.wall, 2),
            "cpu_seconds": round(self.cpu, 2),
            "milliseconds_per_step": round(1000 * self.wall / self.steps, 1),
            "held_out_loss": round(held_out_loss(self.model, held_out), 4),
            "curve": [
                [steps, round(wall, 2), round(cpu, 2), round(loss, 4)]
                for steps, wall, cpu, loss in self.curve
            ],
        }


def plain_run(text: Tensor, vocab_size: int, seed: int) -> Run:
    model = PlainGPT(PlainConfig(vocab_size), seed)
    matrices = [parameter for parameter in model.parameters() if parameter.dim() == 2]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    batches = TokenBatches(text, model.config.context_length, 12, seed)

    def step_once(progress: float) -> None:
        step = round(progress * PLAIN_STEPS)
        if step < 100:
            rate = 1e-3 * (step + 1) / 101
        else:
            rate = (
                1e-4
                + 9e-4
                * (1 + math.cos(math.pi * (step - 100) / (PLAIN_STEPS - 100)))
                / 2
            )
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = next(batches)
        optimizer.zero_grad()
        functional.cross_entropy(
            model(inputs).flatten(0, 1), targets.flatten()
        ).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return Run(step_once, model, PLAIN_STEPS)


def our_run(text: Tensor, seed: int, planned: int, small: bool = False) -> Run:
    ours = recipe("shakespeare-live")
    config, batch_size = ours.config, ours.batch_size
    if small:
        config, batch_size = SMALL, 16
    model = DecoderLM(config, seed)
    optimizer = build_optimizer(model, ours.optimizer)
    batches = TokenBatches(text, config.context_length, batch_size, seed)
    schedule = ours.schedule().over(planned)
    rates = [group["lr"] for group in optimizer.param_groups]

    def loss_fn(model: DecoderLM, inputs: Tensor, targets: Tensor) -> Tensor:
        return next_token_loss(model(inputs), targets)

    def step_once(
        progress: float,
    ) -> None:  # one iteration of genai_tutorial.training.fit
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(round(progress * planned))
        train_step(model, next(batches), loss_fn, optimizer)

    return Run(step_once, model, planned)


def alternate(plain: Run, ours: Run, curve_text: Tensor) -> None:
    """Train both models in alternating stretches of equal time.

    Our number of steps is known only at the end, so our learning rates follow the time
    that has passed.
    """
    for done in progress_bar(range(20, PLAIN_STEPS + 1, 20), label="both"):
        plain.train(20)
        while ours.wall < plain.wall:
            ours.train(1, progress=done / PLAIN_STEPS * ours.wall / plain.wall)
        if done % 100 == 0:
            plain.evaluate(curve_text)
        if done % 100 == 0 or done <= PLAIN_STEPS // 5:
            ours.evaluate(curve_text)


def compare(text: Tensor, held_out: Tensor, vocab_size: int, seed: int) -> dict:
    for run in (plain_run(text, vocab_size, seed), our_run(text, seed, 1000)):
        run.train(5)  # the first steps of a process are slow
    plain, ours = plain_run(text, vocab_size, seed), our_run(text, seed, 1000)
    alternate(plain, ours, held_out[:CURVE_CHARACTERS])
    reached = next(
        (point for point in ours.curve if point[3] <= plain.curve[-1][3]), None
    )
    results = {
        "plain": plain.report(held_out),
        "ours_equal_time": ours.report(held_out),
        "step_ratio": round(plain.steps / ours.steps, 3),
    }
    results["wall_ratio"] = round(ours.wall / plain.wall, 3)
    results["loss_difference"] = round(
        results["plain"]["held_out_loss"] - results["ours_equal_time"]["held_out_loss"],
        4,
    )
    # During the long run, while learning rates are still high; on the characters of the
    # curve.
    results["reached_on_the_way"] = reached and {
        "step": reached[0],
        "wall_ratio": round(reached[1] / plain.wall, 3),
        "cpu_ratio": round(reached[2] / plain.cpu, 3),
    }
    # Short runs with the schedule compressed: the learning rates end at zero.
    for name, part in (("ours_in_a_fifth", 5), ("ours_in_a_tenth", 10)):
        short = our_run(text, seed, ours.steps // part)
        short.train(ours.steps // part)
        results[name] = short.report(held_out)
    return results


def twentieth(text: Tensor, held_out: Tensor, vocab_size: int, seeds: int) -> dict:
    """Train the plain model whole, and one small block in a twentieth of its CPU
    time.
    """
    rows = []
    for seed in range(seeds):
        for run in (plain_run(text, vocab_size, seed), our_run(text, seed, 100, True)):
            run.train(5)  # the first steps of a process are slow
        plain = plain_run(text, vocab_size, seed)
        ours = our_run(text, seed, 1000, small=True)
        for done in progress_bar(range(20, PLAIN_STEPS + 1, 20), label=f"seed {seed}"):
            plain.train(20)
            # the plain model's time is known only at the end: estimate it
            whole = plain.cpu * PLAIN_STEPS / done
            while ours.cpu < plain.cpu / 20:
                ours.train(1, progress=min(0.999, 20 * ours.cpu / whole))
        rows.append({"plain": plain.report(held_out), "small": ours.report(held_out)})
        print(
            f"seed {seed}: plain {rows[-1]['plain']['held_out_loss']:.3f} nats in "
            f"{plain.cpu:.1f} s, small {rows[-1]['small']['held_out_loss']:.3f} in "
            f"{ours.cpu:.2f} s",
            flush=True,
        )
    return {"seeds": rows}


def spread(text: Tensor, held_out: Tensor, seeds: int) -> dict:
    ours = recipe("shakespeare-live")
    losses = []
    for seed in progress_bar(range(seeds), label="seeds"):
        run = our_run(text, seed, ours.steps)
        run.train(ours.steps)
        losses.append(round(held_out_loss(run.model, held_out), 4))
        print(
            f"seed {seed}: {losses[-1]:.4f} nats per character, {run.wall:.0f} s, "
            f"{run.cpu:.0f} s of CPU time"
        )
    deviation = statistics.stdev(losses) if len(losses) > 1 else 0.0
    return {
        "steps": ours.steps,
        "losses": losses,
        "mean": statistics.mean(losses),
        "standard_deviation": deviation,
    }


def print_results(results: dict) -> None:
    rows = {
        "plain": "plain GPT",
        "ours_equal_time": "ours, equal time",
        "ours_in_a_fifth": "ours, a fifth",
        "ours_in_a_tenth": "ours, a tenth",
    }
    print(
        f"{'':18}{'parameters':>11}{'steps':>7}{'wall':>9}{'CPU':>9}"
        f"{'of plain':>10}{'held-out loss':>15}"
    )
    for key, label in rows.items():
        row = results[key]
        # The short runs ran alone, so only their CPU time can be compared.
        share = row["cpu_seconds"] / results["plain"]["cpu_seconds"]
        print(
            f"{label:18}{row['parameters']:11,}{row['steps']:7}"
            f"{row['wall_seconds']:7.1f} s{row['cpu_seconds']:7.1f} s"
            f"{share:10.3f}{row['held_out_loss']:15.4f}"
        )
    if results["reached_on_the_way"]:
        print(
            "The long run reaches the plain model's final loss after "
            f"{results['reached_on_the_way']['wall_ratio']:.3f} "
            f"of its wall time ({results['reached_on_the_way']['cpu_ratio']:.3f} of "
            "its CPU time)."
        )
    print(
        f"At equal time its loss is lower by {results['loss_difference']:.3f} nats per "
        "character."
    )


def main() -> None:
    parser = script_parser(__doc__, threads=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seeds",
        type=int,
        help="only train the recipe, with this many seeds",
    )
    parser.add_argument("--twentieth", type=int, metavar="SEEDS")
    arguments = parser.parse_args()
    plays = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(plays.train)
    text, held_out = (
        torch.tensor(tokenizer.encode(part)) for part in (plays.train, plays.validation)
    )
    if arguments.twentieth:
        torch.set_num_threads(1)
        found = twentieth(text, held_out, tokenizer.vocab_size, arguments.twentieth)
        name, results = "language_model_twentieth", found
    elif arguments.seeds:
        name, results = "language_model_seeds", spread(text, held_out, arguments.seeds)
        print(
            f"mean {results['mean']:.4f}, standard deviation "
            f"{results['standard_deviation']:.4f}"
        )
    else:
        name, results = (
            "language_model",
            compare(text, held_out, tokenizer.vocab_size, arguments.seed),
        )
        print_results(results)
    RESULTS.mkdir(exist_ok=True)
    text_of_results = json.dumps({"machine": describe_machine(), **results}, indent=1)
    (RESULTS / f"{name}.json").write_text(text_of_results + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
