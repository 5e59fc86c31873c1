"""The cost of fewer bits: chapter 24's measurements of weights, inputs and caches.

    methods         factbook-base by rounding, GPTQ and AWQ in 8, 4, 3 and 2 bits; a
                    seed draws the calibration texts, the held-out ones stay the same
    caches          factbook-base with a quantized cache; a seed draws held-out texts
    smollm2         SmolLM2 in bfloat16, int8, int4, and with 8-bit inputs; a seed is a
                    page of Wikipedia
    smollm2_caches  SmolLM2 with a quantized cache, on the same pages
    outliers        the largest features of both models

    OMP_NUM_THREADS=1 python benchmarks/compression.py --folder runs --parts methods

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. The whole takes about seven minutes on
one core.
"""

import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import torch
from scipy.stats import kurtosis
from torch import Tensor, nn

from genai_tutorial.data import load_wikipedia
from genai_tutorial.efficiency import (
    Divergence,
    QuantizedKVCache,
    activation_maxima,
    int8_activations,
    prediction_divergence,
    quantize_layers,
    quantized,
    read_with_cache,
    smoothed,
)
from genai_tutorial.metrics import bootstrap_interval, perplexity
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import load, load_corpus
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.transformer import DecoderLM, KVCache

WINDOW, GROUP = 128, 16
METHODS, BITS = ("rounding", "gptq", "awq"), (8, 4, 3, 2)
PAGE, CALIBRATION = 257, 256
Predict = Callable[[Tensor], Tensor]


@cache
def factbook() -> tuple[DecoderLM, Tensor, Tensor]:
    """Return factbook-base, windows of its training articles, and of held-out ones, in
    an order drawn once.
    """
    model, tokenizer = load("factbook-base")
    corpus, end = load_corpus(), tokenizer.special_tokens[END_OF_TEXT]

    def windows(documents: tuple[str, ...]) -> Tensor:
        ids = [token for text in documents for token in (*tokenizer.encode(text), end)]
        count, size = len(ids) // (WINDOW + 1), WINDOW + 1
        rows = torch.tensor(ids[: count * size]).view(count, size)
        return rows[torch.randperm(count, generator=torch.Generator().manual_seed(0))]

    return model, windows(corpus.sources["wikipedia"]), windows(corpus.held_out)


def with_known(reference: Predict, ids: Tensor) -> Callable[[Predict], Divergence]:
    """Return a function that compares predictions with the reference's, which are
    computed once.
    """
    with torch.no_grad():
        known = reference(ids[:, :-1])
    return lambda other: prediction_divergence(
        lambda _: known, other, ids, batch_size=len(ids)
    )


def summary(found: Divergence) -> dict:
    return {
        "kl": round(found.kl, 6),
        "agreement": round(found.agreement, 4),
        "nats": round(found.nats, 4),
        "reference nats": round(found.reference_nats, 4),
    }


def interval(values: list[float]) -> list[float]:
    """Return the mean over texts and the ends of its 95% interval."""
    found = bootstrap_interval(values)
    return [round(value, 5) for value in (found.mean, found.low, found.high)]


def differences(left: list[float], right: list[float]) -> list[float]:
    return [one - other for one, other in zip(left, right, strict=True)]


@cache
def rounded(bits: int, texts: int) -> Divergence:
    model, _, held_out = factbook()
    copy = quantize_layers(model, held_out[:1], "rounding", bits, GROUP)
    return with_known(model, held_out[:texts])(copy)


def methods(seed: int, small: bool) -> dict:
    count, texts = (4, 4) if small else (64, 64)
    model, training, held_out = factbook()
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(training), generator=generator)[:count]
    calibration = training[chosen, :WINDOW]
    compare = with_known(model, held_out[:texts])
    measured: dict = {"calibration texts": count, "texts": texts, "tokens each": WINDOW}
    for bits in BITS:
        plain = rounded(bits, texts)
        for method in METHODS:
            if method == "rounding":
                found = plain
            else:
                copy = quantize_layers(model, calibration, method, bits, GROUP)
                found = compare(copy)
            measured[f"{method}, {bits} bits"] = {
                **summary(found),
                "kl minus rounding's": interval(
                    differences(found.row_kl, plain.row_kl)
                ),
                "nats minus exact": interval(
                    differences(found.row_nats, found.row_reference_nats)
                ),
            }
    return measured


CACHES = {
    f"{bits} bits, keys per {per}{label}": {"bits": bits, "keys_per": per, **settings}
    for label, settings in (
        ("", {}),
        (", all tokens", {"residual": 0, "sinks": 0}),
    )
    for bits in (8, 4, 2)
    for per in ("channel", "token")
    if bits < 8 or per == "channel"
}
"""The settings of each cache; "all tokens" keeps none in full precision except those
whose block is not complete.
"""


def with_caches(
    model: DecoderLM, ids: Tensor, caches: dict, piece: int, small: bool
) -> dict:
    """Compare a model that reads through each cache with the model itself."""
    compare, length = with_known(model, ids), ids.shape[1] - 1
    exact = KVCache(*model.config.cache_sizes(length=length))
    size = exact.keys.nbytes + exact.values.nbytes
    measured: dict = {
        "texts": len(ids),
        "tokens each": length,
        "tokens per pass": piece,
        "bytes per text": size,
    }
    for name, settings in list(caches.items())[: 2 if small else None]:

        def read(ids: Tensor, settings: dict = settings) -> Tensor:
            cache = QuantizedKVCache(model.config, len(ids), length, **settings)
            return read_with_cache(model, ids, cache, piece)

        found = compare(read)
        cache = QuantizedKVCache(model.config, length=length, **settings)
        stored = (cache.packed_keys, cache.packed_values)
        per_number = (
            sum(one.nbytes for one in stored)
            * 8
            / max(1, 2 * cache.packed_values.scale.numel() * model.config.head_width)
        )
        measured[name] = {
            **summary(found),
            "bytes per text": cache.nbytes,
            "bits per quantized number": round(per_number, 3),
        }
        if len(ids) > 1:
            measured[name]["nats minus exact"] = interval(
                differences(found.row_nats, found.row_reference_nats)
            )
    return measured


def caches(seed: int, small: bool) -> dict:
    model, _, held_out = factbook()
    texts = held_out[32 * seed :][: 2 if small else 32]
    return with_caches(model, texts, CACHES, 1, small)


@cache
def smollm2() -> tuple[DecoderLM, Tensor]:
    """Return SmolLM2 and a text of Wikipedia."""
    model, tokenizer = load_smollm2()
    text = load_wikipedia().text[:120_000]
    return model, torch.tensor(tokenizer.encode(text, special_as_text=True))


def page(seed: int, length: int) -> Tensor:
    return smollm2()[1][2000 * seed :][:length][None]


def bfloat16(model: DecoderLM) -> Predict:
    copy = deepcopy(model).bfloat16()
    return lambda ids: copy(ids).float()


def torch_dynamic(model: DecoderLM) -> Predict:
    """Return PyTorch's own version with 8-bit weights and inputs, whose inputs have one
    scale per tensor.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is to be replaced by torchao
        return torch.ao.quantization.quantize_dynamic(
            deepcopy(model), {nn.Linear}, dtype=torch.qint8
        )


def smollm2_quality(seed: int, small: bool) -> dict:
    model, ids = smollm2()[0], page(seed, 33 if small else PAGE)
    calibration = page(seed + 5, 32 if small else CALIBRATION)  # another page
    compare = with_known(model, ids)
    measured: dict = {"tokens": ids.shape[1] - 1}

    def measure(name: str, other: Predict) -> None:
        found = compare(other)
        measured[name] = {
            **summary(found),
            "perplexity": round(perplexity(found.nats), 3),
            "reference perplexity": round(perplexity(found.reference_nats), 3),
        }

    measure("bfloat16", bfloat16(model))
    for precision in ("int8", "int4"):
        measure(f"{precision} weights", quantized(model, precision))
    for per in ("tensor", "token", "group"):
        measure(f"int8 inputs per {per}", int8_activations(model, per))
    for alpha in (0.5, 0.7):
        smooth = smoothed(model, calibration, alpha)
        if alpha == 0.5:
            measure("smoothed, float32", smooth)
        for per in ("tensor", "token"):
            name = f"int8 inputs per {per}, smoothed {alpha}"
            measure(name, int8_activations(smooth, per))
    measure("torch dynamic int8", torch_dynamic(model))
    return measured


SMOLLM2_CACHES = {name: CACHES[name] for name in CACHES if "all tokens" not in name}


def smollm2_caches(seed: int, small: bool) -> dict:
    ids = page(seed, 97 if small else 513)
    return with_caches(smollm2()[0], ids, SMOLLM2_CACHES, 32, small)


def outliers(seed: int, small: bool) -> dict:
    """Measure the residual stream before and after each block, and the inputs of the
    linear layers.
    """
    model, _, held_out = factbook()
    return {
        "factbook-base": largest_features(model, held_out[seed : seed + 1, :WINDOW]),
        "SmolLM2": largest_features(
            smollm2()[0], page(seed, 32 if small else CALIBRATION)
        ),
    }


def largest_features(model: DecoderLM, ids: Tensor) -> dict:
    states = model.hidden_states(ids)[:, 0]
    maxima = states.abs().amax(dim=1)
    inputs = activation_maxima(model, ids)
    ratios = {name: float(one.max() / one.median()) for name, one in inputs.items()}
    worst = sorted(ratios, key=ratios.__getitem__, reverse=True)[:5]
    return {
        "tokens": ids.shape[1],
        "stream": [
            {
                "largest": round(float(one.max()), 2),
                "median of features": round(float(one.median()), 2),
                "feature": int(one.argmax()),
                "token": int(state.abs().amax(dim=1).argmax()),
                "largest without first token": round(float(state[1:].abs().max()), 2),
                "kurtosis": round(
                    float(kurtosis(state.double(), None, fisher=False)), 1
                ),
            }
            for state, one in zip(states, maxima, strict=True)
        ],
        "inputs": {
            name: {
                "largest": round(float(inputs[name].max()), 2),
                "times the median": round(ratios[name], 1),
            }
            for name in worst
        },
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "methods": methods,
    "caches": caches,
    "smollm2": smollm2_quality,
    "smollm2_caches": smollm2_caches,
    "outliers": outliers,
}


def main() -> None:
    whole = run_parts("compression", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("compression", whole)


if __name__ == "__main__":
    main()
