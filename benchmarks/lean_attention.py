"""Three changes to a Transformer that keep its attention: a smaller cache, a sink, and
experts that are balanced without a loss.

    shared   key heads shared by query heads: the loss after equally many steps
    latent   the same for latent vectors, and for one key head as small as the smaller
    sinks    learned sinks against none: the loss, and the first token's attention
    window   the same with a sliding window
    balance  two of eight experts with no balancing, with a loss and with a bias

    OMP_NUM_THREADS=1 python benchmarks/lean_attention.py --folder runs

Each part and seed is one file in the folder and is not repeated. All models read the
characters of Shakespeare's plays; a seed decides the weights and the batches.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor

from genai_tutorial.data import load_shakespeare
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    OptimizerSettings,
    TokenBatches,
    build_optimizer,
    clip_gradients,
    warmup_linear,
)
from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    BiasedRouter,
    DecoderConfig,
    DecoderLM,
    MixtureConfig,
    MixtureOfExperts,
    MultiHeadLatentAttention,
    RotaryEmbedding,
    SinkAttention,
    balance_experts,
    language_model_loss,
    load_balancing_loss,
    rotary_frequencies,
    routings,
    sink_mask,
)

CONTEXT, WIDTH, LAYERS, ROWS = 256, 96, 4, 8
STEPS = {"cache": 120, "sinks": 150, "balance": 250}
RATES = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.01, momentum=0.9
)
WINDOW, PAST = (
    64,
    128,
)  # positions from PAST on are farther than a window from the start


@cache
def plays() -> tuple[int, Tensor, Tensor]:
    """Return the number of characters, and Shakespeare's plays in tokens."""
    texts = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(texts.train)
    encoded = (
        torch.tensor(tokenizer.encode(t)) for t in (texts.train, texts.validation)
    )
    return tokenizer.vocab_size, *encoded


def train(
    model: DecoderLM,
    seed: int,
    steps: int,
    rows: int = ROWS,
    loss: Callable[[Tensor], Tensor] = lambda loss: loss,
    after: Callable[[], None] = lambda: None,
) -> float:
    """Train a model, and return the processor time per step in milliseconds."""
    batches = TokenBatches(plays()[1], model.config.context_length, rows, seed=seed)
    optimizer, schedule = (
        build_optimizer(model, RATES),
        warmup_linear(steps, min(20, steps // 2)),
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    start = time.process_time()
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step)
        optimizer.zero_grad()
        loss(language_model_loss(model, *next(batches))).backward()
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        after()
    return round(1000 * (time.process_time() - start) / steps, 1)


def validation(rows: int, context: int = CONTEXT) -> tuple[Tensor, Tensor]:
    """Return windows of the validation plays, and the tokens that follow."""
    text = plays()[2]
    return (
        text[: rows * context].view(-1, context),
        text[1 : rows * context + 1].view(-1, context),
    )


@torch.no_grad()
def held_out(
    model: DecoderLM,
    small: bool,
    context: AttentionContext | None = None,
    first: int = 0,
) -> float:
    """Return the mean loss on 16,384 characters, at the positions from `first` on."""
    losses = []
    for inputs, targets in zip(
        *(part.split(16) for part in validation(2 if small else 64)), strict=True
    ):
        log_p = model(inputs, context).log_softmax(dim=-1)
        losses.append(-log_p.gather(-1, targets[..., None])[:, first:].mean())
    return round(torch.stack(losses).mean().item(), 4)


# --- the size of the cache ---

SHARED: dict[str, dict] = {
    "4 key heads": {"heads": 4, "key_value_heads": 4},
    "2 key heads": {"heads": 4, "key_value_heads": 2},
    "1 key head": {"heads": 4, "key_value_heads": 1},
}
LATENT: dict[str, dict] = {
    "latent of 40": {"heads": 4, "latent": 40},
    "latent of 16": {"heads": 4, "latent": 16},
    "1 key head of 12": {"heads": 8, "key_value_heads": 1},
}

ROTATED = 8  # features of the rotated key


def cached_model(
    heads: int, seed: int, key_value_heads: int = 1, latent: int | None = None
) -> tuple[DecoderLM, int]:
    """Return a model, and the numbers per token and layer that it caches."""
    config = DecoderConfig.fast(plays()[0], CONTEXT, WIDTH, LAYERS, heads)
    attention = replace(config.attention, key_value_heads=key_value_heads)
    model = DecoderLM(replace(config, attention=attention), seed)
    if latent is None:
        return model, 2 * key_value_heads * config.head_width
    rotary = RotaryEmbedding(rotary_frequencies(ROTATED, 10_000), CONTEXT)
    generator = torch.Generator().manual_seed(seed)
    for layer, block in enumerate(model.blocks):
        block.attention = MultiHeadLatentAttention(
            WIDTH, heads, latent, rotary, layer=layer
        )
        block.attention.initialize(generator)
    return model, latent + ROTATED


def caches(seed: int, small: bool, kinds: dict[str, dict]) -> dict:
    found = {}
    for name, settings in kinds.items():
        model, numbers = cached_model(seed=seed, **settings)
        milliseconds = train(model, seed, 2 if small else STEPS["cache"])
        found[name] = {
            "numbers": numbers,
            "parameters": model.parameter_count(),
            "milliseconds": milliseconds,
            "loss": held_out(model, small),
        }
    return found


# --- sinks ---


def sink_model(sinks: bool, window: int | None, seed: int) -> DecoderLM:
    """Return a model without normalized queries and keys, as gpt-oss is."""
    config = DecoderConfig.fast(plays()[0], CONTEXT, WIDTH, LAYERS)
    attention = AttentionConfig(4, positions="rotary", sliding_window=window)
    model = DecoderLM(replace(config, attention=attention), seed)
    for layer, block in enumerate(model.blocks):
        if sinks:
            plain = block.attention
            block.attention = SinkAttention(
                WIDTH, 4, rotary=model.rotary, window=window, layer=layer
            )
            block.attention.load_state_dict(plain.state_dict(), strict=False)
    return model


@torch.no_grad()
def attended(model: DecoderLM, small: bool) -> dict:
    """Return, by layer and over the positions from PAST on, the mean weight of the
    first token and of nothing, over all heads and in the strongest one.
    """
    inputs, _ = validation(2 if small else 32)
    maps = model.attention_maps(inputs)[..., PAST:, :]
    first = maps[..., 0].mean(dim=(1, 3))  # layer, head
    nothing = (1 - maps.sum(dim=-1)).mean(dim=(1, 3))
    return {
        "first token": rounded(first.mean(dim=1)),
        "first token, strongest head": rounded(first.amax(dim=1)),
        "nothing": rounded(nothing.mean(dim=1)),
        "nothing, strongest head": rounded(nothing.amax(dim=1)),
    }


def rounded(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def sinks(seed: int, small: bool, window: int | None) -> dict:
    found: dict[str, dict] = {}
    for name, learned in (("none", False), ("learned", True)):
        model = sink_model(learned, window, seed)
        milliseconds = train(model, seed, 2 if small else STEPS["sinks"])
        found[name] = {
            "milliseconds": milliseconds,
            "loss": held_out(model, small),
            "late loss": held_out(model, small, first=PAST),
            **attended(model, small),
        }
        for kept in (0, 4) if window is None else ():  # read through a window
            mask = sink_mask(CONTEXT, kept, WINDOW)[None, None]
            found[name][f"late loss, window and first {kept}"] = held_out(
                model, small, AttentionContext(mask), PAST
            )
    return found


# --- balance ---

BALANCES = {
    "nothing": (0.0, 0.0),
    "loss, 0.01": (0.01, 0.0),
    "loss, 0.1": (0.1, 0.0),
    "bias, 0.001": (0.0, 0.001),
    "bias, 0.01": (0.0, 0.01),
}
"""The weight of the balancing loss, and the speed of the bias."""


def mixture(seed: int) -> DecoderLM:
    """Return chapter 5a's mixture of two of eight experts, with biased routers."""
    config = DecoderConfig.llama(
        plays()[0], 64, 64, 2, 4, key_value_heads=2, feed_forward_width=128
    )
    config = replace(config, mixture=MixtureConfig(8, 2, expert_width=64))
    model = DecoderLM(config, seed)
    for layer in model.modules():
        if isinstance(layer, MixtureOfExperts):
            scores = layer.router.scores
            layer.router = BiasedRouter(config.width, 8, 2)
            layer.router.scores = scores
    return model


def largest_load(model: DecoderLM) -> float:
    """Return the largest load of an expert in the last forward pass, over the mean."""
    return max(
        8 * routing.chosen.flatten().bincount(minlength=8).max().item()
        / routing.chosen.numel()
        for routing in routings(model)
    )  # fmt: skip


def balance(seed: int, small: bool) -> dict:
    found = {}
    inputs, targets = validation(4 if small else 1024, 64)
    for name, (weight, speed) in BALANCES.items():
        model, loads = mixture(seed), []

        def penalized(loss: Tensor, model=model, weight=weight) -> Tensor:
            if not weight:
                return loss
            return loss + weight * sum(map(load_balancing_loss, routings(model)))

        def after(model=model, speed=speed, loads=loads) -> None:
            loads.append(largest_load(model))
            if speed:
                balance_experts(model, speed)

        steps = 2 if small else STEPS["balance"]
        milliseconds = train(model, seed, steps, 32, penalized, after)
        with torch.no_grad():
            loss = language_model_loss(model, inputs, targets).item()
        last = loads[-50:]
        found[name] = {
            "milliseconds": milliseconds,
            "loss": round(loss, 4),
            "largest load": round(largest_load(model), 4),
            "largest load, last 50 steps": round(sum(last) / len(last), 4),
        }
    return found


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "shared": partial(caches, kinds=SHARED),
    "latent": partial(caches, kinds=LATENT),
    "sinks": partial(sinks, window=None),
    "window": partial(sinks, window=WINDOW),
    "balance": balance,
}


def main() -> None:
    whole = run_parts("lean_attention", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("lean_attention", whole | {"steps": STEPS})


if __name__ == "__main__":
    main()
