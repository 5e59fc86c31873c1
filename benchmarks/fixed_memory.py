"""A memory of fixed size: what it holds, what it learns, and what it costs.

    capacity        random pairs without training: width, overwriting, age
    recall          pairs of a key and a value, and questions, after equal time
    table           a table of 2 to 8 keys under 24 writes
    bits            the parity of bits
    language        characters of Shakespeare, after equal time of training
    precision       a state rounded to bfloat16 after each token
    chosen          capacity with the best decay or beta, chosen on other draws
    recall_rates    recall with three learning rates, for the steps of `recall`
    language_rates  the same for `language`

    OMP_NUM_THREADS=1 python benchmarks/fixed_memory.py --folder runs

Each part and seed is one file in the folder and is not repeated. Time is processor
time of the training steps, so that other programs on the machine don't count.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import load_shakespeare
from genai_tutorial.runtime import keep_record, record, run_parts
from genai_tutorial.tasks.recall import (
    answer_accuracy,
    recall_batch,
    stored_recall,
    table_batch,
)
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    OptimizerSettings,
    TokenBatches,
    build_optimizer,
    clip_gradients,
)
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    FeedForwardConfig,
    PositionKind,
    language_model_loss,
    recurrent_memory,
    replace_attention,
)

PAIRS = (4, 8, 12, 16, 24, 32, 64)
ASKED = (4, 8, 12, 16, 24)  # pairs in the rows of the trained models
SECONDS = {"recall": 8.0, "table": 20.0, "bits": 4.0, "language": 20.0}
ROWS = 16  # in a batch of the trained memories
RATES = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.01, momentum=0.9
)
FACTORS = (0.3, 1.0, 3.0)  # of all learning rates
Draw = Callable[[], tuple[Tensor, Tensor]]


def train(
    model: DecoderLM,
    draw: Draw,
    seconds: float = math.inf,
    steps: float = math.inf,
    factor: float = 1.0,
) -> dict:
    """Train for some seconds, or steps; the learning rates, times a factor, warm up and
    fall over this time.
    """
    optimizer = build_optimizer(model, RATES)
    rates = [group["lr"] for group in optimizer.param_groups]
    spent, step, losses = 0.0, 0, []
    while (done := max(spent / seconds, step / steps)) < 1:
        inputs, targets = draw()
        start = time.process_time()
        warm, left = min(1.0, (step + 1) / 20), 1.5 * (1 - done)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = factor * rate * warm * min(1.0, left)
        optimizer.zero_grad()
        loss = language_model_loss(model, inputs, targets)
        loss.backward()
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        spent += time.process_time() - start
        step += 1
        losses.append(loss.item())
    early = losses[40:60]
    return {"steps": step, "loss at step 50": round(sum(early) / max(1, len(early)), 4)}


# --- capacity ---


def mean_recall(rule: str, pairs: int, seed: int, **settings: object) -> float:
    generator = torch.Generator().manual_seed(1000 * seed + pairs)
    return stored_recall(rule, pairs, generator, **settings).nanmean().item()


def capacity(seed: int, small: bool) -> dict:
    rules = ("add", "decay", "delta", "least squares", "softmax")
    sizes = PAIRS[:2] if small else PAIRS
    found: dict[str, dict] = {
        name: {
            rule: [
                round(mean_recall(rule, n, seed, overwritten=again), 4) for n in sizes
            ]
            for rule in rules
        }
        for name, again in (("once", False), ("overwritten", True))
    }
    found["width"] = {
        rule: [
            holds(rule, width, seed) for width in ((8,) if small else (8, 16, 32, 64))
        ]
        for rule in ("add", "delta")
    }
    found["age"] = {}
    for rule in ("add", "decay", "delta"):
        generator = torch.Generator().manual_seed(seed)
        eighths = stored_recall(rule, 64, generator).view(8, 8).mean(dim=1)
        found["age"][rule] = [round(share, 4) for share in eighths.tolist()]
    return found


def holds(rule: str, width: int, seed: int) -> int:
    """Return the number of pairs up to which at least 90% are recalled."""
    pairs = 1
    while mean_recall(rule, pairs + 1, seed, key_width=width) >= 0.9:
        pairs += 1
    return pairs


def chosen(seed: int, small: bool) -> dict:
    """Measure the capacity of two rules with the best of their settings for each number
    of pairs, chosen on other draws.
    """
    found: dict[str, dict] = {}
    for column, again in (("once", False), ("overwritten", True)):
        found[column] = {}
        for rule, settings in SETTINGS.items():
            kept, shares = [], []
            for pairs in PAIRS[:2] if small else PAIRS:
                best = max(
                    settings,
                    key=lambda x, rule=rule, n=pairs, a=again: mean_recall(
                        rule, n, seed + 100, overwritten=a, **x
                    ),
                )
                share = mean_recall(rule, pairs, seed, overwritten=again, **best)
                kept += best.values()
                shares.append(round(share, 4))
            found[column][rule] = {"chosen": kept, "recall": shares}
    return found


SETTINGS: dict[str, list[dict[str, float]]] = {
    "decay": [{"decay": x} for x in (0.8, 0.85, 0.9, 0.95, 0.97, 0.99, 1.0)],
    "delta": [{"beta": x / 10} for x in range(1, 11)],
}

# --- trained models ---

RECALL = {
    "softmax": ("softmax", "softmax"),
    "add": ("add", "add"),
    "delta": ("delta", "delta"),
    "gated delta": ("gated delta", "gated delta"),
    "softmax, then state": ("softmax", "gated delta"),
    "state, then softmax": ("gated delta", "softmax"),
}
TABLE = {
    "softmax, ALiBi": ("softmax", "softmax"),
    "add": ("add", "add"),
    "decay": ("decay", "decay"),
    "delta": ("delta", "delta"),
}
BITS = {"softmax": 1.0, "delta, beta to 1": 1.0, "delta, beta to 2": 2.0}
LANGUAGE = {
    "softmax": ("softmax",) * 4,
    "decay": ("decay",) * 4,
    "gated delta": ("gated delta",) * 4,
    "three gated delta, one softmax": ("gated delta",) * 3 + ("softmax",),
}


def small_model(
    kinds: Sequence[str],
    seed: int,
    *,
    vocab_size: int = 64,
    width: int = 48,
    positions: PositionKind = "rotary",
    largest_beta: float = 1.0,
) -> DecoderLM:
    """Return a model of two layers whose memories are 8 features by `width`."""
    config = DecoderConfig.fast(vocab_size, 128, width, layers=2)
    config = replace(
        config,
        attention=replace(config.attention, positions=positions),
        feed_forward=FeedForwardConfig(2 * width, "squared_relu"),
    )
    model = DecoderLM(config, seed=seed)
    return replace_attention(
        model, kinds, seed, heads=1, key_width=8, largest_beta=largest_beta
    )


def recall(seed: int, small: bool) -> dict:
    rows = {}
    for name, kinds in RECALL.items():
        model = small_model(kinds, seed)
        generator = torch.Generator().manual_seed(seed)
        seconds = 0.2 if small else SECONDS["recall"]
        rows[name] = train(model, lambda g=generator: any_recall_batch(g), seconds)
        for column, again in (("once", False), ("overwritten", True)):
            rows[name][column] = [
                round(tested(model, recall_batch, n, overwritten=again), 4)
                for n in ASKED
            ]
    return rows


def recall_rates(seed: int, small: bool) -> dict:
    rows = {}
    for name, kinds in RECALL.items():
        rows[name] = {"steps": steps_taken("recall", name, small)}
        for factor in FACTORS:
            model = small_model(kinds, seed)
            generator = torch.Generator().manual_seed(seed)
            train(
                model,
                lambda g=generator: any_recall_batch(g),
                steps=rows[name]["steps"],
                factor=factor,
            )
            rows[name][str(factor)] = {
                column: [
                    round(tested(model, recall_batch, n, overwritten=again), 4)
                    for n in ASKED
                ]
                for column, again in (("once", False), ("overwritten", True))
            } | {"other rows": round(other_rows(model), 4)}
    return rows


def other_rows(model: DecoderLM) -> float:
    """Return the accuracy on rows like those of the training, to choose a rate by."""
    generator = torch.Generator().manual_seed(20_000)
    return (
        answer_accuracy(model, *recall_batch(256, 16, generator, overwritten=False)) / 2
        + answer_accuracy(model, *recall_batch(256, 16, generator, overwritten=True))
        / 2
    )


def steps_taken(part: str, name: str, small: bool) -> int:
    """Return the mean number of steps that a model took in its recorded time."""
    runs = record("fixed_memory")[part].values()
    return 2 if small else round(sum(run[name]["steps"] for run in runs) / len(runs))


def any_recall_batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return rows of 2 to 24 pairs, half of the time with keys that are overwritten."""
    pairs = int(torch.randint(2, 25, (), generator=generator))
    again = bool(torch.rand((), generator=generator) < 0.5)
    return recall_batch(ROWS, pairs, generator, overwritten=again)


def tested(model: DecoderLM, task: Callable, number: int, **settings: object) -> float:
    """Return the accuracy on 256 rows of new questions, the same for all models."""
    generator = torch.Generator().manual_seed(10_000 + number)
    return answer_accuracy(model, *task(256, number, generator, **settings))


def table(seed: int, small: bool) -> dict:
    rows = {}
    for name, kinds in TABLE.items():
        positions = "alibi" if "ALiBi" in name else "rotary"
        model = small_model(kinds, seed, positions=positions)
        generator = torch.Generator().manual_seed(seed)

        def draw(g: torch.Generator = generator) -> tuple[Tensor, Tensor]:
            return table_batch(ROWS, int(torch.randint(2, 9, (), generator=g)), g)

        rows[name] = train(model, draw, 0.2 if small else SECONDS["table"])
        rows[name]["keys"] = [
            round(tested(model, table_batch, n), 4) for n in (2, 4, 6, 8)
        ]
    return rows


def parity_batch(
    rows: int, length: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw rows of bits after a start token, 2, and return them with the parity of the
    bits up to each position.
    """
    bits = torch.randint(2, (rows, length), generator=generator)
    parity = functional.pad(bits.cumsum(dim=1) % 2, (1, 0))
    return functional.pad(bits, (1, 0), value=2), parity


def bits(seed: int, small: bool) -> dict:
    rows = {}
    for name, beta in BITS.items():
        kinds = ("softmax" if name == "softmax" else "delta",) * 2
        model = small_model(kinds, seed, vocab_size=3, width=32, largest_beta=beta)
        generator = torch.Generator().manual_seed(seed)

        def draw(g: torch.Generator = generator) -> tuple[Tensor, Tensor]:
            return parity_batch(64, int(torch.randint(4, 21, (), generator=g)), g)

        rows[name] = train(model, draw, 0.2 if small else SECONDS["bits"])
        rows[name]["last bit"] = []
        for length in (20, 40, 100):
            g = torch.Generator().manual_seed(10_000 + length)
            inputs, parity = parity_batch(512, length, g)
            parity[:, :-1] = -100
            share = answer_accuracy(model, inputs, parity)
            rows[name]["last bit"].append(round(share, 4))
    return rows


# --- language ---

CONTEXT = 256


@cache
def plays() -> tuple[int, Tensor, Tensor]:
    """Return the number of characters, and Shakespeare's plays in tokens."""
    texts = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(texts.train)
    encoded = (
        torch.tensor(tokenizer.encode(t)) for t in (texts.train, texts.validation)
    )
    return tokenizer.vocab_size, *encoded


def language(seed: int, small: bool) -> dict:
    rows = {}
    vocab_size, training, validation = plays()
    for name, kinds in LANGUAGE.items():
        config = DecoderConfig.fast(vocab_size, CONTEXT, 96)
        model = replace_attention(DecoderLM(config, seed=seed), kinds, seed)
        batches = TokenBatches(training, CONTEXT, 8, seed=seed)
        seconds = 0.2 if small else SECONDS["language"]
        rows[name] = train(model, lambda b=batches: next(b), seconds)
        rows[name]["validation"] = round(held_out(model, validation, small), 4)
        rows[name]["parameters"] = model.parameter_count()
    return rows


@torch.no_grad()
def held_out(model: DecoderLM, text: Tensor, small: bool) -> float:
    """Return the mean loss in nats per character on 32,768 characters."""
    windows = 4 if small else 128
    inputs = text[: windows * CONTEXT].view(-1, CONTEXT)
    targets = text[1 : windows * CONTEXT + 1].view(-1, CONTEXT)
    losses = [
        language_model_loss(model, a, b)
        for a, b in zip(inputs.split(16), targets.split(16), strict=True)
    ]
    return torch.stack(losses).mean().item()


def language_rates(seed: int, small: bool) -> dict:
    rows = {}
    vocab_size, training, validation = plays()
    others = validation[128 * CONTEXT :]
    for name, kinds in LANGUAGE.items():
        rows[name] = {"steps": steps_taken("language", name, small)}
        for factor in FACTORS:
            config = DecoderConfig.fast(vocab_size, CONTEXT, 96)
            model = replace_attention(DecoderLM(config, seed=seed), kinds, seed)
            batches = TokenBatches(training, CONTEXT, 8, seed=seed)
            found = train(
                model,
                lambda b=batches: next(b),
                steps=rows[name]["steps"],
                factor=factor,
            )
            rows[name][str(factor)] = {
                "loss at step 50": found["loss at step 50"],
                "validation": round(held_out(model, validation, small), 4),
                "other text": round(held_out(model, others, small), 4),
            }
    return rows


# --- precision ---


def precision(seed: int, small: bool) -> dict:
    length, g = 128 if small else 2048, torch.Generator().manual_seed(seed)
    shape = (1, 4, length)
    query, key = functional.normalize(torch.randn(2, *shape, 32, generator=g), dim=-1)
    value = torch.randn(*shape, 32, generator=g)
    log_decay = -0.02 * torch.rand(shape, generator=g)
    beta = torch.rand(shape, generator=g)
    gates = {
        "add": (None, None),
        "decay": (log_decay, None),
        "delta": (None, beta),
        "gated delta": (log_decay, beta),
    }
    ends = [n for n in (64, 256, 1024, 2048) if n <= length]
    found = {}
    for name, pair in gates.items():
        exact = recurrent_memory(query, key, value, *pair)[0]
        error = relative(rounded_memory(query, key, value, *pair), exact)
        found[name] = [round(error[n - 64 : n].mean().item(), 5) for n in ends]
    exact, low = (
        functional.scaled_dot_product_attention(
            5 * query, k, v, is_causal=True, scale=1
        )
        for k, v in ((key, value), (key.bfloat16().float(), value.bfloat16().float()))
    )
    error = relative(low, exact)
    found["softmax"] = [round(error[n - 64 : n].mean().item(), 5) for n in ends]
    return found


def rounded_memory(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    log_decay: Tensor | None,
    beta: Tensor | None,
) -> Tensor:
    """Return what is read if the state is rounded to bfloat16 after each token."""
    state, read = None, []
    for t in range(key.shape[2]):
        now = [
            None if x is None else x[:, :, t : t + 1]
            for x in (query, key, value, log_decay, beta)
        ]
        state = recurrent_memory(*now, state)[1].bfloat16().float()
        read.append(now[0] @ state)
    return torch.cat(read, dim=2)


def relative(found: Tensor, exact: Tensor) -> Tensor:
    """Return the relative error at each position, averaged over the heads."""
    return ((found - exact).norm(dim=-1) / exact.norm(dim=-1)).mean(dim=(0, 1))


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "capacity": capacity,
    "recall": recall,
    "table": table,
    "bits": bits,
    "language": language,
    "precision": precision,
    "chosen": chosen,
    "recall_rates": recall_rates,
    "language_rates": language_rates,
}


def main() -> None:
    whole = run_parts("fixed_memory", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("fixed_memory", whole | {"training seconds": SECONDS})


if __name__ == "__main__":
    main()
