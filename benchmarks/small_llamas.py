"""Chapter 5's small Llamas with several seeds: a dense model against mixtures of
experts of the same active size, and a dense model as large as the first mixture in
total; and the loss beyond the trained context.

The settings are those of the chapter, which trains seed 0 and reads the other seeds
from the record. The loss is measured on the first 65,536 characters of the validation
plays. With `--runs`, the record keeps its other models.

    # about six minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/small_llamas.py
    # to see that it works
    OMP_NUM_THREADS=1 python benchmarks/small_llamas.py --seeds 0 --steps 5 --no-save
"""

import time
from dataclasses import replace

import torch
from finished import script_parser
from torch import Tensor
from torch.nn import functional

from genai_tutorial import recipes
from genai_tutorial.data import load_shakespeare
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.runtime import describe_machine, keep_record, record
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import TokenBatches, build_optimizer, fit, warmup_linear
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    LinearScaling,
    MixtureConfig,
    YarnScaling,
    load_balancing_loss,
    next_token_loss,
    routings,
    usage_entropy,
)

CONTEXT, STRETCH = 64, 4
PLAYS = load_shakespeare()
LETTERS = CharacterTokenizer.from_text(PLAYS.train)
TRAINING_IDS = torch.tensor(LETTERS.encode(PLAYS.train))
VALIDATION_IDS = torch.tensor(LETTERS.encode(PLAYS.validation))
SCORED = VALIDATION_IDS[:65_536]


def small_llama(feed_forward_width: int) -> DecoderConfig:
    return DecoderConfig.llama(
        vocab_size=LETTERS.vocab_size,
        context_length=CONTEXT,
        width=64,
        layers=2,
        heads=4,
        key_value_heads=2,
        feed_forward_width=feed_forward_width,
        rotary_base=10_000,
    )


DENSE = small_llama(128)
LARGE = small_llama(8 * 64)  # as wide as eight experts of 64 together
TWO_OF_EIGHT = replace(DENSE, mixture=MixtureConfig(8, 2, expert_width=64))
ONE_OF_EIGHT = replace(DENSE, mixture=MixtureConfig(8, 1, expert_width=128))
RUNS = {
    "dense": (DENSE, 0.0),
    "large dense": (LARGE, 0.0),
    "2 of 8 experts": (TWO_OF_EIGHT, 0.01),
    "1 of 8 experts": (ONE_OF_EIGHT, 0.01),
    "1 of 8, no balancing": (ONE_OF_EIGHT, 0.0),
}
READERS = {
    "unchanged": {},
    "position interpolation": {"rotary_scaling": LinearScaling(STRETCH)},
    "YaRN": {"rotary_scaling": YarnScaling(STRETCH, CONTEXT)},
    "sliding window": {"sliding_window": CONTEXT},
}


def train(config: DecoderConfig, balance: float, seed: int, steps: int) -> DecoderLM:
    model = DecoderLM(config, seed=seed)

    def loss_fn(model: DecoderLM, inputs: Tensor, targets: Tensor) -> Tensor:
        loss = next_token_loss(model(inputs), targets)
        if config.mixture:
            layers = routings(model)
            loss = loss + balance * sum(map(load_balancing_loss, layers)) / len(layers)
        return loss

    batches = TokenBatches(TRAINING_IDS, CONTEXT, batch_size=16, seed=seed)
    optimizer = build_optimizer(model, recipes.recipe("shakespeare-live").optimizer)
    schedule = warmup_linear(steps, warmup_steps=10)
    fit(
        model,
        batches,
        loss_fn,
        optimizer,
        steps=steps,
        schedule=schedule,
        progress=False,
    )
    return model.eval()


@torch.no_grad()
def effective_experts(model: DecoderLM) -> float:
    """Return the exponential of the usage entropy, of the least balanced layer."""
    model(VALIDATION_IDS[: 64 * CONTEXT].view(64, -1))
    return min(usage_entropy(layer).exp().item() for layer in routings(model))


@torch.no_grad()
def loss_by_position(model: DecoderLM, changes: dict) -> Tensor:
    length = STRETCH * CONTEXT
    attention = replace(DENSE.attention, **changes)
    config = replace(DENSE, context_length=length, attention=attention)
    reader = DecoderLM(config, seed=None)
    reader.load_state_dict(model.state_dict())
    starts = torch.arange(96)[:, None] * 2000 + torch.arange(length + 1)
    passages = VALIDATION_IDS[starts]
    logits = reader(passages[:, :-1]).transpose(1, 2)
    losses = functional.cross_entropy(logits, passages[:, 1:], reduction="none")
    return losses.mean(dim=0)


def beyond_context(model: DecoderLM) -> dict[str, float]:
    """Return the rise in loss from the second to last quarters of the trained context
    to the last quarter of a text four times as long.
    """
    curves = {
        name: loss_by_position(model, changes) for name, changes in READERS.items()
    }
    within = curves["unchanged"][CONTEXT // 4 : CONTEXT].mean()
    return {
        name: round((curve[-CONTEXT:].mean() - within).item(), 4)
        for name, curve in curves.items()
    }


def milliseconds_per_step(steps: int = 20, rounds: int = 3) -> dict[str, float]:
    """Return the CPU time of a training step of each model: the least of a few rounds,
    in which the models take turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(rounds):
        for name, (config, balance) in RUNS.items():
            started = time.process_time()
            train(config, balance, 0, steps)
            seconds[name].append(time.process_time() - started)
    return {name: round(1000 * min(each) / steps, 1) for name, each in seconds.items()}


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()
    about = record("small_llamas") if len(settings.runs) < len(RUNS) else {}
    machine = describe_machine()
    about |= {
        "data": "Tiny Shakespeare, by character; loss in nats per character",
        "machine": about.get("machine", machine),
        "processors": about.get("processors", {}),
        "steps": settings.steps,
        "seeds": settings.seeds,
        "milliseconds_per_step": milliseconds_per_step(),
    }
    losses = about.get("loss", {})
    for name in settings.runs:
        config, balance = RUNS[name]
        models = [
            train(config, balance, seed, settings.steps) for seed in settings.seeds
        ]
        losses[name] = [
            round(evaluate_language_model(model, SCORED, CONTEXT).nats_per_token, 4)
            for model in models
        ]
        about["processors"][name] = machine["processor"]
        if config.mixture:
            about.setdefault("effective_experts", {})[name] = [
                round(effective_experts(model), 3) for model in models
            ]
        if name == "dense":
            rises = [beyond_context(model) for model in models]
            about["rise_beyond_context"] = {
                reader: [rise[reader] for rise in rises] for reader in READERS
            }
        print(name, losses[name], flush=True)
    about["loss"] = {name: losses[name] for name in RUNS if name in losses}
    if not settings.no_save:
        keep_record("small_llamas", about)


if __name__ == "__main__":
    main()
