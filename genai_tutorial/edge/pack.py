"""A language model as one small file for a web page.

The file begins with the length of a JSON header, then come the header and the numbers
that it points to. Each row of a matrix is stored as 8-bit levels with one scale, a
quarter of the size in float32; the few other weights are stored in float32.

    | length, 4 bytes | header: settings, tokenizer, places | levels, scales, vectors |
"""

import base64
import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genai_tutorial.efficiency import quantize_symmetric
from genai_tutorial.tokenization import BPETokenizer, CharacterTokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .packed_tokenizer import pack_tokenizer, unpack_tokenizer

FORMAT = "genai_tutorial packed decoder 1"
COLUMNS = 8  # the engine multiplies this many columns at once


@dataclass(frozen=True)
class PackedModel:
    """A decoder with its tokenizer, as bytes that the engine in a page reads.

    Attributes:
        name: The name under which a page finds it: lower-case letters, digits and
            hyphens.

    Raises:
        ValueError: If the name has other characters.
    """

    name: str
    content: bytes

    def __post_init__(self):
        if not self.name or set(self.name) - set(
            "abcdefghijklmnopqrstuvwxyz0123456789-"
        ):
            raise ValueError(
                "name must consist of lower-case letters, digits and hyphens, because "
                f"it names a file; got {self.name!r}."
            )

    @property
    def digest(self) -> str:
        """The first 16 digits of the content's SHA-256 sum."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def base64(self) -> str:
        """The content as text, a third longer than the bytes."""
        return base64.b64encode(self.content).decode("ascii")

    @cached_property
    def header(self) -> dict[str, Any]:
        """The settings, the tokenizer and the places of the weights.

        Raises:
            ValueError: If the content is not a packed model.
        """
        try:
            (length,) = struct.unpack_from("<I", self.content)
            header = json.loads(self.content[4 : 4 + length])
        except (struct.error, ValueError) as error:
            raise ValueError(f"This is not a packed model: {error}.") from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"This is not a packed model of the format {FORMAT!r}.")
        return header

    def unpack(self) -> tuple[DecoderLM, BPETokenizer | CharacterTokenizer]:
        """Return the model with its rounded weights, which are exactly those that the
        page computes with, and its tokenizer.

        Raises:
            ValueError: If the content is not a packed model.
        """
        try:
            config = DecoderConfig.from_dict(self.header["config"])
            with torch.random.fork_rng(devices=[]):  # torch's layers draw weights
                model = DecoderLM(config, seed=None)
            weights = {name: self._tensor(name) for name in self.header["tensors"]}
            model.load_state_dict(weights)
            return model.eval(), unpack_tokenizer(self.header["tokenizer"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"This packed model is damaged: {error!r}.") from None

    def _tensor(self, name: str) -> Tensor:
        place = self.header["tensors"][name]
        shape = place["shape"]
        if "values" in place:
            return self._array("<f4", place["values"], shape)
        scales = self._array("<f4", place["scales"], shape[:1])
        return self._array("i1", place["levels"], shape).float() * scales[:, None]

    def _array(self, kind: str, place: int, shape: list[int]) -> Tensor:
        start = 4 + struct.unpack_from("<I", self.content)[0] + place
        count = int(np.prod(shape))
        array = np.frombuffer(self.content, kind, count, start)
        return torch.from_numpy(array.reshape(shape).copy())


def pack_model(
    name: str, model: DecoderLM, tokenizer: BPETokenizer | CharacterTokenizer
) -> PackedModel:
    """Pack a decoder for a page: 8-bit levels with a scale per row for the matrices,
    float32 for the rest. The same model gives the same bytes everywhere.

    Args:
        name: The name under which a page finds it.
        model: A decoder with rotary positions, RMSNorm and no biases, in one of the
            two forms that the engine supports: that of `DecoderConfig.fast` or that of
            `DecoderConfig.llama`.

    Raises:
        ValueError: If the engine does not support a setting of the model, or the
            tokenizer does not fit.

    Source: Dettmers et al., LLM.int8(), section 2.1 (absmax), with a scale for each
        row, https://arxiv.org/abs/2208.07339
    """
    check_supported(model.config, tokenizer.vocab_size)
    matrices = {
        f"{place}.weight"
        for place, layer in model.named_modules()
        if isinstance(layer, nn.Linear | nn.Embedding)
    }
    places: dict[str, dict[str, Any]] = {}
    parts: list[bytes] = []

    def put(array: np.ndarray) -> int:
        place = sum(map(len, parts))
        content = array.tobytes()
        parts.append(content + bytes(-len(content) % 4))  # float32 begins at 4, 8, ...
        return place

    for key, weight in model.state_dict().items():
        weight = weight.detach().cpu().float()
        places[key] = {"shape": list(weight.shape)}
        if key in matrices:
            matrix = quantize_symmetric(weight, bits=8, group_size=weight.shape[1])
            places[key]["scales"] = put(matrix.scale[:, 0].numpy().astype("<f4"))
            places[key]["levels"] = put(matrix.levels.numpy().astype("i1"))
        else:
            places[key]["values"] = put(weight.numpy().astype("<f4"))
    header = {
        "format": FORMAT,
        "config": asdict(model.config),
        "tokenizer": pack_tokenizer(tokenizer),
        "tensors": places,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    return PackedModel(name, struct.pack("<I", len(text)) + text + b"".join(parts))


def check_supported(config: DecoderConfig, vocab_size: int) -> None:
    """Check that the engine in the page supports all settings of a decoder."""
    attention, local = config.attention, config.local
    wrong = [
        text
        for text, holds in {
            "rotary positions": attention.positions == "rotary",
            "no rotary_scaling": attention.rotary_scaling is None,
            "no sliding_window": attention.sliding_window is None,
            "RMSNorm": config.norm.kind == "rms",
            "no biases": not config.bias,
            "no mixture": config.mixture is None,
            "squared_relu or swiglu": config.feed_forward.activation
            in ("squared_relu", "swiglu"),
            "convolutions of size 0 or 1": local.convolution_size <= 1,
            # beyond that, PyTorch's 64-bit integers overflow and the engine's do not
            "triple_features only for a vocabulary below 1,500": (
                local.triple_features == 0 or config.vocab_size < 1500
            ),
        }.items()
        if not holds
    ]
    if wrong:
        raise ValueError(
            f"The engine in the page runs only decoders with {', '.join(wrong)}; this "
            "one has something else there."
        )
    columns = {
        "width": config.width,
        "the feed-forward layer": config.hidden_width,
        "the n-gram features": local.pair_features + local.triple_features,
    }
    if uneven := {name: size for name, size in columns.items() if size % COLUMNS}:
        raise ValueError(
            f"The engine multiplies {COLUMNS} columns at once, so all widths must be "
            f"multiples of {COLUMNS}; got {uneven}."
        )
    if config.vocab_size != vocab_size:
        raise ValueError(
            f"The model has {config.vocab_size} tokens and the tokenizer {vocab_size}: "
            "pack a model with its own tokenizer."
        )
