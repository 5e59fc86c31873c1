"""SmolLM2 as a Hugging Face folder: `config.json`, weights in safetensors, and
`tokenizer.json`.
"""

import json
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from genai_tutorial.tokenization import BPETokenizer, read_hugging_face
from genai_tutorial.transformer import DecoderConfig

from .rotary import read_rotary_scaling

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
                self._places[_name(theirs)] = opened, theirs
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
        path = self._file(name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON ({error}): copy it again.") from error
        if not isinstance(content, dict):
            raise ValueError(
                f"{path} holds a {type(content).__name__} instead of named settings. "
                f"{ADVICE}"
            )
        return content

    def _file(self, name: str) -> Path:
        if not (self.path / name).is_file():
            raise FileNotFoundError(f"{self.path} has no {name}. {ADVICE}")
        return self.path / name


def _name(theirs: str) -> str:
    """Return the book's name for a weight, or the file's own name if there is none."""
    if theirs in OTHER_NAMES:
        return OTHER_NAMES[theirs]
    block, _, rest = theirs.removeprefix("model.layers.").partition(".")
    layer_name, _, kind = rest.rpartition(".")
    return (
        f"blocks.{block}.{LAYER_NAMES[layer_name]}.{kind}"
        if layer_name in LAYER_NAMES
        else theirs
    )
