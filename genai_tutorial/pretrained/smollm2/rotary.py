"""The scaling of rotary positions described in a model file, interpreted as by
transformers.
"""

import math
from collections.abc import Mapping
from typing import Any

from genai_tutorial.transformer import LinearScaling, Llama3Scaling, YarnScaling

# A GGUF's names on the left, those of a config.json on the right.
GGUF_NAMES = {
    "factor": "factor",
    "original_context_length": "original_max_position_embeddings",
    "yarn_beta_fast": "beta_fast",
    "yarn_beta_slow": "beta_slow",
}
# Settings that only llama.cpp has, with their neutral values.
GGUF_EXTRAS = {
    "attn_factor": 1.0,
    "yarn_attn_factor": 1.0,
    "yarn_ext_factor": 1.0,
    "yarn_log_multiplier": 0.0,
    "alpha": 0.0,
}


def read_rotary_scaling(
    settings: Mapping[str, Any], context_length: int
) -> LinearScaling | Llama3Scaling | YarnScaling | None:
    """Return the scaling that a `config.json` describes, or None for plain rotary
    positions.
    """
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind == "dynamic":
        # It changes the base only for texts beyond the context length, which the
        # decoder does not accept.
        _number(settings, "factor")
        return None
    if kind == "linear":
        return LinearScaling(_number(settings, "factor"))
    if kind == "llama3":
        return Llama3Scaling(
            _number(settings, "factor"),
            _original_length(settings, context_length),
            _number(settings, "low_freq_factor"),
            _number(settings, "high_freq_factor"),
        )
    if kind == "yarn":
        return _yarn(settings, _original_length(settings, context_length))
    if kind != "default":
        raise ValueError(
            f"its rotary scaling is {str(kind)[:40]!r}, but the book's decoder "
            "supports only default, linear, dynamic, llama3 and yarn."
        )
    if settings.get("factor") not in (None, 1):
        raise ValueError(
            f"its rotary scaling has the factor {str(settings['factor'])[:40]}, but no "
            "rope_type that defines how to apply it."
        )
    return None


def read_gguf_scaling(
    entries: Mapping[str, Any], context_length: int
) -> LinearScaling | YarnScaling | None:
    """Return the scaling that a GGUF file describes, interpreted as by llama.cpp."""
    kind = entries.get("scaling.type", "linear")
    settings = {
        name: entries[f"scaling.{theirs}"]
        for theirs, name in GGUF_NAMES.items()
        if f"scaling.{theirs}" in entries
    }
    # the factor's oldest name
    settings.setdefault("factor", entries.get("scale_linear"))
    for extra, nothing in GGUF_EXTRAS.items():
        if (value := entries.get(f"scaling.{extra}", nothing)) != nothing:
            raise ValueError(
                f"it sets llama.rope.scaling.{extra} to {str(value)[:40]}, but the "
                f"book's decoder supports only {nothing:g}."
            )
    if kind == "none" or (kind == "linear" and not settings["factor"]):
        return None
    return read_rotary_scaling({"rope_type": kind, **settings}, context_length)


def _yarn(settings: Mapping[str, Any], original_length: int) -> YarnScaling:
    scaling = YarnScaling(
        _number(settings, "factor"),
        original_length,
        # transformers treats 0 as missing, too
        slow_turns=_number(settings, "beta_slow", 1) or 1,
        fast_turns=_number(settings, "beta_fast", 32) or 32,
    )
    if settings.get("truncate", True) is not True:
        raise ValueError(
            "its YaRN scaling sets truncate to false, but the book's decoder always "
            "rounds the ends of the ramp to whole pairs."
        )
    wide, narrow = (
        _number(settings, "mscale", 0),
        _number(settings, "mscale_all_dim", 0),
    )
    asked = settings.get("attention_factor")
    if asked is not None:
        asked = _number(settings, "attention_factor")
    elif wide and narrow:
        growth = 0.1 * math.log(scaling.factor)
        asked = (wide * growth + 1) / (narrow * growth + 1)
    if asked is not None and not math.isclose(
        asked, scaling.attention_factor, rel_tol=1e-4
    ):
        raise ValueError(
            f"its YaRN scaling multiplies cosines and sines by {asked:.6g}, but the "
            f"book's decoder by {scaling.attention_factor:.6g}, as in the paper for "
            "this factor."
        )
    return scaling


def _original_length(settings: Mapping[str, Any], context_length: int) -> int:
    length = settings.get("original_max_position_embeddings")
    length = context_length if length is None else length
    if type(length) is not int:
        raise ValueError(
            "original_max_position_embeddings must be a whole number of tokens, got "
            f"{str(length)[:40]!r}."
        )
    return length


def _number(
    settings: Mapping[str, Any], key: str, default: float | int | None = None
) -> float | int:
    number = settings.get(key)
    number = default if number is None else number
    if type(number) not in (int, float) or not math.isfinite(number):
        raise ValueError(
            f"its rotary scaling must have {key} as a number, but has "
            f"{str(number)[:40]!r}."
        )
    # GGUF files have 32-bit floats with seven significant digits; the rest is noise.
    return float(f"{number:.7g}") if type(number) is float else number
