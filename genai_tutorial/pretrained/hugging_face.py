"""SmolLM2 as a Hugging Face folder: `config.json`, weights in safetensors, and
`tokenizer.json`; and the scaling of rotary positions that a file describes.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from genai_tutorial.runtime import read_json
from genai_tutorial.tokenization import BPETokenizer, read_hugging_face
from genai_tutorial.transformer import (
    DecoderConfig,
    LinearScaling,
    Llama3Scaling,
    YarnScaling,
)

# A GGUF's names on the left, a config.json's on the right.
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
    wide = _number(settings, "mscale", 0)
    narrow = _number(settings, "mscale_all_dim", 0)
    ours = asked = scaling.attention_factor
    if settings.get("attention_factor") is not None:
        asked = _number(settings, "attention_factor")
    elif wide and narrow:
        growth = 0.1 * math.log(scaling.factor)
        asked = (wide * growth + 1) / (narrow * growth + 1)
    if not math.isclose(asked, ours, rel_tol=1e-4):
        raise ValueError(
            f"its YaRN scaling multiplies cosines and sines by {asked:.6g}, but the "
            f"book's decoder by {ours:.6g}, as in the paper for this factor."
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


# The names in the files on the left, the book's on the right.
LAYER_NAMES = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "post_attention_layernorm": "feed_forward_norm",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.widen",
    "mlp.down_proj": "feed_forward.output",
}
OTHER_NAMES = {
    "model.embed_tokens.weight": "token_embedding.weight",
    "model.norm.weight": "final_norm.weight",
    "lm_head.weight": "head.weight",
}
ADVICE = (
    "Give a folder that transformers' save_pretrained wrote for a LlamaForCausalLM, "
    "with safetensors."
)


class HuggingFaceModel:
    """A Llama in a Hugging Face folder, open for reading.

    Attributes:
        config: The decoder's settings, from `config.json`.
        shapes: The shape of every weight, under its name in the book's decoder.

    Raises:
        FileNotFoundError: If a file is missing from the folder.
        ValueError: If the folder holds another kind of model, or a file is damaged.
    """

    def __init__(self, folder: Path):
        self.path = folder
        self.config = self._config()
        # maps the book's names to an open file and the name used there
        self._places = {}
        for file in self._weight_files():
            try:
                opened = safe_open(file, framework="pt")
            except SafetensorError as error:
                raise ValueError(
                    f"{file} is truncated or damaged ({error}): copy it again."
                ) from error
            for theirs in opened.keys():  # noqa: SIM118 (it is no dictionary)
                name = book_name(theirs, "model.layers.", LAYER_NAMES, OTHER_NAMES)
                self._places[name] = opened, theirs
        if self.config.tied_embeddings:
            # some folders write the shared matrix twice
            self._places.pop("head.weight", None)
        self.shapes = {
            name: tuple(opened.get_slice(theirs).get_shape())
            for name, (opened, theirs) in self._places.items()
        }

    def tokenizer(self) -> BPETokenizer:
        """Build the tokenizer that `tokenizer.json` describes.

        SmolLM2 has no token for 21 rare bytes. Some folders name the unknown token that
        replaces them only in `tokenizer_config.json`.
        """
        parts = read_hugging_face(self._file("tokenizer.json"))
        if parts.unknown_id is None and (self.path / "tokenizer_config.json").is_file():
            named = self._json("tokenizer_config.json").get("unk_token")
            named = named.get("content") if isinstance(named, dict) else named
            parts = parts._replace(unknown_id=parts.special_tokens.get(str(named)))
        try:
            return BPETokenizer(*parts)
        except ValueError as error:
            raise ValueError(
                f"The tokenizer in {self.path / 'tokenizer.json'} is damaged: {error}"
            ) from error

    def weight(self, name: str) -> Float[Tensor, "..."]:
        """Read one weight."""
        opened, theirs = self._places[name]
        return opened.get_tensor(theirs)

    def _config(self) -> DecoderConfig:
        settings = self._json("config.json")

        def get(key: str, *kinds: type) -> Any:
            value = settings.get(key)
            if type(value) not in kinds:
                names = " or ".join(kind.__name__ for kind in kinds)
                raise ValueError(
                    f"{self.path / 'config.json'} must give {key} as {names}, but "
                    f"gives {value!r}. {ADVICE}"
                )
            return value

        # transformers 5 writes the rotary base into the rotary settings, earlier
        # versions beside them. If there are both, it uses the older entry.
        rotary = settings.get("rope_scaling") or settings.get("rope_parameters") or {}
        if not isinstance(rotary, dict):
            raise ValueError(
                f"{self.path / 'config.json'} gives the rotary settings as {rotary!r}. "
                f"{ADVICE}"
            )
        # This is the only rotary setting that takes precedence at the top level.
        original = "original_max_position_embeddings"
        outside = {original: settings[original]} if settings.get(original) else {}
        settings = {"attention_bias": False, "mlp_bias": False} | settings | rotary
        width, heads = get("hidden_size", int), get("num_attention_heads", int)
        expected = {
            "model_type": ["llama"],
            "hidden_act": ["silu"],
            "attention_bias": [False],
            "mlp_bias": [False],
            "partial_rotary_factor": [1, None],
            "head_dim": [width // max(heads, 1), None],
        }
        for key, allowed in expected.items():
            if settings.get(key) not in allowed:
                raise ValueError(
                    f"{self.path / 'config.json'} gives {key} as "
                    f"{settings.get(key)!r}; the book supports SmolLM2, where it is "
                    f"{allowed[0]!r}. {ADVICE}"
                )
        length = get("max_position_embeddings", int)
        try:
            return DecoderConfig.llama(
                vocab_size=get("vocab_size", int),
                context_length=length,
                width=width,
                layers=get("num_hidden_layers", int),
                heads=heads,
                key_value_heads=get("num_key_value_heads", int),
                feed_forward_width=get("intermediate_size", int),
                rotary_base=float(get("rope_theta", int, float)),
                rotary_scaling=read_rotary_scaling(rotary | outside, length),
                norm_epsilon=get("rms_norm_eps", float),
                tied_embeddings=get("tie_word_embeddings", bool),
            )
        except ValueError as error:
            raise ValueError(
                f"{self.path} describes an impossible model: {error}"
            ) from error

    def _weight_files(self) -> list[Path]:
        if (self.path / "model.safetensors").is_file():
            return [self.path / "model.safetensors"]
        if not (self.path / "model.safetensors.index.json").is_file():
            raise FileNotFoundError(
                f"{self.path} has no weights: neither model.safetensors nor "
                f"model.safetensors.index.json. {ADVICE}"
            )
        places = self._json("model.safetensors.index.json").get("weight_map")
        if not isinstance(places, dict) or not all(
            isinstance(name, str) for name in places.values()
        ):
            raise ValueError(
                f"{self.path / 'model.safetensors.index.json'} has no weight_map that "
                f"names a file for each weight. {ADVICE}"
            )
        # Only `name`, because an index must not refer to files outside its folder.
        return [self._file(Path(name).name) for name in sorted(set(places.values()))]

    def _json(self, name: str) -> dict:
        return read_json(self._file(name))

    def _file(self, name: str) -> Path:
        if not (self.path / name).is_file():
            raise FileNotFoundError(f"{self.path} has no {name}. {ADVICE}")
        return self.path / name


def book_name(
    theirs: str, start: str, layers: Mapping[str, str], others: Mapping[str, str]
) -> str:
    """Return the book's name for a weight, or the file's own name if there is none."""
    if theirs in others:
        return others[theirs]
    block, _, rest = theirs.removeprefix(start).partition(".")
    layer_name, _, kind = rest.rpartition(".")
    known = layer_name in layers
    return f"blocks.{block}.{layers[layer_name]}.{kind}" if known else theirs
