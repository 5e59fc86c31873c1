"""The scaling of rotary positions that a model's file asks for, as transformers reads
it.
"""

import math
from collections.abc import Mapping
from typing import Any

from genai_tutorial.transformer import LinearScaling, Llama3Scaling, YarnScaling


def read_rotary_scaling(
    settings: Mapping[str, Any], context_length: int
) -> LinearScaling | Llama3Scaling | YarnScaling | None:
    """Return the scaling that a `config.json` describes, or None for plain rotary
    positions.

    Args:
        settings: What `rope_parameters` or, in older files, `rope_scaling` says. The
            kind is the entry `rope_type` or, in the oldest, `type`.
        context_length: The longest text of the model (`max_position_embeddings`).

    Raises:
        ValueError: If the settings ask for a scaling that the book's decoder does not
            do, or a number is missing or wrong.

    >>> read_rotary_scaling({"type": "linear", "factor": 4.0}, 2048)
    LinearScaling(factor=4.0)
    """
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind == "dynamic":
        # It changes the base for texts beyond the context length, which the decoder
        # does not take; up to there it changes nothing.
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
            f"its rotary scaling is {str(kind)[:40]!r}, and the book's decoder does "
            "default, linear, dynamic, llama3 and yarn."
        )
    if settings.get("factor") not in (None, 1):
        raise ValueError(
            f"its rotary scaling has the factor {str(settings['factor'])[:40]}, but no "
            "rope_type that says how to apply it."
        )
    return None


def _yarn(settings: Mapping[str, Any], original_length: int) -> YarnScaling:
    scaling = YarnScaling(
        _number(settings, "factor"),
        original_length,
        # transformers reads 0 as nothing, too
        slow_turns=_number(settings, "beta_slow", 1) or 1,
        fast_turns=_number(settings, "beta_fast", 32) or 32,
    )
    if settings.get("truncate", True) is not True:
        raise ValueError(
            "its YaRN scaling sets truncate to false, and the book's rounds the pairs "
            "between which it changes."
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
            f"its YaRN scaling multiplies cosines and sines by {asked:.6g}, and the "
            f"book's by {scaling.attention_factor:.6g}, as the paper does for this "
            "factor."
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
            f"its rotary scaling must have {key} as a number, and has "
            f"{str(number)[:40]!r}."
        )
    return number
