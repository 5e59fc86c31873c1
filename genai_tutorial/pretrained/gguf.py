"""SmolLM2 as a GGUF file, llama.cpp's format: settings, tokenizer and quantized weights
in one file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require
from genai_tutorial.tokenization import SMOLLM2_PATTERN, BPETokenizer, invisible
from genai_tutorial.transformer import DecoderConfig

from .hugging_face import book_name, read_gguf_scaling

# The names in the file on the left, the book's on the right.
GGUF_LAYERS = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "ffn_norm": "feed_forward_norm",
    "ffn_gate": "feed_forward.gate",
    "ffn_up": "feed_forward.widen",
    "ffn_down": "feed_forward.output",
}
GGUF_OTHERS = {
    "token_embd.weight": "token_embedding.weight",
    "output_norm.weight": "final_norm.weight",
    "output.weight": "head.weight",
}
SPECIAL_KINDS = (3, 4)  # control tokens and user-defined tokens
MOST_VALUES = 2_000_000  # SmolLM2's metadata has 250,000; the library reads one by one


class GGUFModel:
    """A Llama in a GGUF file, open for reading.

    Attributes:
        config: The decoder's settings, from the file's metadata.
        shapes: The shape of every weight, under its name in the book's decoder.

    Raises:
        ValueError: If the file is not GGUF, is truncated, or holds another kind of
            model.
        ImportError: If the library that reads the format is not installed.

    Source: The GGUF specification,
    https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """

    def __init__(self, path: Path):
        self.path = path
        reader = open_gguf(path)
        self._fields = reader.fields
        self._tensors = {
            book_name(tensor.name, "blk.", GGUF_LAYERS, GGUF_OTHERS): tensor
            for tensor in reader.tensors
        }
        # The file lists the fastest index first, torch lists it last.
        self.shapes = {
            name: tuple(map(int, reversed(tensor.shape)))
            for name, tensor in self._tensors.items()
        }
        self.config = self._config()

    def tokenizer(self) -> BPETokenizer:
        """Build the tokenizer from the file's tokens and merges."""
        kind = self._get("tokenizer.ggml.model", str)
        splitting = self._get("tokenizer.ggml.pre", str)
        if (kind, splitting) != ("gpt2", "smollm"):
            raise ValueError(
                f"{self.path} has a tokenizer of the kind {kind!r} that splits text "
                f"like {splitting!r}; the book supports only SmolLM2's, 'gpt2' and "
                "'smollm'. Give a SmolLM2, or the model's Hugging Face folder."
            )
        tokens = self._get("tokenizer.ggml.tokens", list)
        kinds = self._get("tokenizer.ggml.token_type", list)
        unknown = self._get("tokenizer.ggml.unknown_token_id", int)
        merges = self._get("tokenizer.ggml.merges", list)
        numbered = enumerate(zip(tokens, kinds, strict=False))
        special = {token: i for i, (token, kind) in numbered if kind in SPECIAL_KINDS}
        try:
            spelled = [
                token.encode() if token in special else invisible(token)
                for token in tokens
            ]
            pairs = [tuple(map(invisible, pair.split(" "))) for pair in merges]
            return BPETokenizer(spelled, pairs, special, SMOLLM2_PATTERN, unknown)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"The tokenizer in {self.path} is damaged: {error}"
            ) from error

    def weight(self, name: str) -> Float[Tensor, "..."]:
        """Dequantize one weight to 32-bit floats.

        Raises:
            ValueError: If the library does not support the weight's quantization.
        """
        from gguf.quants import dequantize

        tensor = self._tensors[name]
        try:
            weight = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        except NotImplementedError as error:
            raise ValueError(
                f"{self.path} stores {tensor.name} as {tensor.tensor_type.name}, which "
                "the gguf library cannot dequantize. Use the model in another "
                "quantization, such as Q4_1, Q8_0 or F16."
            ) from error
        if name.endswith("attention.query.weight"):
            return unpermute(weight, self.config.attention.heads)
        if name.endswith("attention.key.weight"):
            return unpermute(weight, self.config.attention.key_value_heads)
        return weight

    def _config(self) -> DecoderConfig:
        architecture = self._get("general.architecture", str)
        if architecture != "llama":
            raise ValueError(
                f"{self.path} holds a model of the architecture {architecture!r}; the "
                "book supports only 'llama', which is SmolLM2's. Give a SmolLM2."
            )
        width = self._get("llama.embedding_length", int)
        heads = self._get("llama.attention.head_count", int)
        rotated = self._get("llama.rope.dimension_count", int)
        if rotated * heads != width:
            raise ValueError(
                f"{self.path} rotates {rotated} features of each of its {heads} heads, "
                f"which together have {width}; the book's decoder rotates all of them. "
                "Give a SmolLM2."
            )
        length = self._get("llama.context_length", int)
        start = "llama.rope."
        rotary = {
            key.removeprefix(start): field.contents()
            for key, field in self._fields.items()
            if key.startswith(start)
        }
        try:
            return DecoderConfig.llama(
                vocab_size=len(self._get("tokenizer.ggml.tokens", list)),
                context_length=length,
                width=width,
                layers=self._get("llama.block_count", int),
                heads=heads,
                key_value_heads=self._get("llama.attention.head_count_kv", int),
                feed_forward_width=self._get("llama.feed_forward_length", int),
                rotary_base=self._get("llama.rope.freq_base", float),
                rotary_scaling=read_gguf_scaling(rotary, length),
                norm_epsilon=self._get("llama.attention.layer_norm_rms_epsilon", float),
                tied_embeddings="head.weight" not in self.shapes,
            )
        except ValueError as error:
            raise ValueError(
                f"{self.path} describes an impossible model: {error}"
            ) from error

    def _get(self, key: str, kind: type) -> Any:
        value = self._fields[key].contents() if key in self._fields else None
        if not isinstance(value, kind):
            raise ValueError(
                f"{self.path} must give {key} as {kind.__name__}, but gives "
                f"{str(value)[:40]!r}: it is not SmolLM2, or an early converter "
                "wrote it. Give a SmolLM2."
            )
        # A 32-bit float has seven significant digits; the rest is noise, as in
        # 9.999999747e-06.
        return float(f"{value:.7g}") if kind is float else value


def open_gguf(path: Path) -> Any:
    """Open a GGUF file with the library `gguf`, whose reader has `fields` and
    `tensors`.
    """
    gguf = require("gguf", extra="models")

    class Reader(gguf.GGUFReader):
        """A reader that views the file as a plain array, which is about three times as
        fast as the library's memory map.
        """

        _values = 0

        @property
        def data(self) -> np.ndarray:
            return self._plain

        @data.setter
        def data(self, mapped: np.ndarray) -> None:
            self._plain = np.asarray(mapped)

        def _get(self, offset, dtype, count=1, override_order=None):
            # Without this, an array of 2^33 numbers in a file of 150 bytes is read as
            # 2^33 empty ones.
            end = int(offset) + int(count) * np.dtype(dtype).itemsize
            if end > len(self._plain):
                raise ValueError(f"it announces content up to byte {end:,}")
            self._values += 1
            if self._values > MOST_VALUES:
                raise ValueError(f"it announces more than {MOST_VALUES:,} values")
            return super()._get(offset, dtype, count, override_order)

    with path.open("rb") as file:
        start = file.read(4)
    if start != b"GGUF":
        raise ValueError(
            f"{path} is not a GGUF file: it begins with {start!r} instead of b'GGUF'. "
            "Give a file whose name ends in .gguf, or a Hugging Face folder."
        )
    try:
        return Reader(path)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        # The library checks little, so a damaged file raises any of these.
        raise ValueError(
            f"{path} is truncated or damaged: it ends after {path.stat().st_size:,} "
            f"bytes or has invalid content ({error}). Copy or install it again."
        ) from error


def unpermute(
    weight: Float[Tensor, "row column"], heads: int
) -> Float[Tensor, "row column"]:
    """Restore the row order of a query or key matrix that the book's rotary embedding
    expects.
    """
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
