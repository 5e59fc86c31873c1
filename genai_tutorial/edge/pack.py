"""A language model as one small file for a web page, and the engine that runs it there.

The file begins with the length of a JSON header, then come the header and the numbers
that it points to. Each row of a matrix is stored as 8-bit levels with one scale, a
quarter of the size in float32; the few other weights are stored in float32.

    | length, 4 bytes | header: settings, tokenizer, places | levels, scales, vectors |
"""

import base64
import hashlib
import json
import re
import struct
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genai_tutorial.efficiency import quantize_symmetric
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    CharacterTokenizer,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .assembler import assemble

FORMAT = "genai_tutorial packed decoder 1"
COLUMNS = 8  # the engine multiplies this many columns at once
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""The errors that a changed byte in the header can lead to."""


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
        if not re.fullmatch("[a-z0-9-]+", self.name):
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
        """The settings, the tokenizer and the weights' positions.

        Raises:
            ValueError: If the content is not a packed model.
        """
        try:
            (length,) = struct.unpack_from("<I", self.content)
            header = json.loads(self.content[4 : 4 + length])
        except (struct.error, ValueError, RecursionError) as error:
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
        header = self.header
        try:
            config = DecoderConfig.from_dict(header["config"])
            weights = {name: self._tensor(name) for name in header["tensors"]}
            # before a damaged number asks for a huge model
            if config.layers > len(weights) or config.vocab_size > len(self.content):
                raise ValueError("The settings belong to a larger model.")
            with torch.random.fork_rng(devices=[]):  # torch's layers draw weights
                model = DecoderLM(config, seed=None)
            model.load_state_dict(weights)
            return model.eval(), _unpack_tokenizer(header["tokenizer"])
        except _DAMAGE as error:
            raise ValueError(
                f"The packed model {self.name!r} is damaged: {error!r}."
            ) from None

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
        model: A decoder with rotary positions, RMSNorm and no biases, in one of the two
            forms that the engine supports: `DecoderConfig.fast` or
            `DecoderConfig.llama`.

    Raises:
        ValueError: If the engine does not support a setting of the model, or the
            tokenizer does not fit.

    Source: Dettmers et al., LLM.int8(), section 2.1 (absmax), with a scale for each
        row, https://arxiv.org/abs/2208.07339
    """
    _check_supported(model.config, tokenizer.vocab_size)
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
    config = asdict(model.config)
    del config["attention"]["causal"]  # the engine knows no other attention
    header = {
        "format": FORMAT,
        "config": config,
        "tokenizer": pack_tokenizer(tokenizer),
        "tensors": places,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    return PackedModel(name, struct.pack("<I", len(text)) + text + b"".join(parts))


def _check_supported(config: DecoderConfig, vocab_size: int) -> None:
    """Check that the engine in the page supports all settings of a decoder."""
    attention, local = config.attention, config.local
    wrong = [
        text
        for text, holds in {
            "rotary positions": attention.positions == "rotary",
            "no rotary_scaling": attention.rotary_scaling is None,
            "no sliding_window": attention.sliding_window is None,
            "causal attention": attention.causal,
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


PATTERNS = {
    pattern.name: pattern for pattern in (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
}


def pack_tokenizer(tokenizer: BPETokenizer | CharacterTokenizer) -> dict[str, Any]:
    """Return a tokenizer as a dictionary for JSON: an alphabet as it is; of a
    byte-level BPE, the numbers of the bytes and each merge as two 16-bit numbers.

    Raises:
        ValueError: If the vocabulary has over 65,536 tokens, a byte has no token, or
            the tokens are not numbered in the order of their merges.

    >>> pack_tokenizer(CharacterTokenizer("abc"))
    {'characters': 'abc'}
    """
    if isinstance(tokenizer, CharacterTokenizer):
        return tokenizer.to_dict()
    special = set(tokenizer.special_tokens.values())
    numbers = {
        token: number
        for number, token in enumerate(tokenizer.token_bytes)
        if number not in special
    }
    byte_ids = [numbers.get(bytes([byte])) for byte in range(256)]
    if None in byte_ids or tokenizer.vocab_size > 2**16:
        raise ValueError(
            "A packed vocabulary has a token for each byte and at most 65,536 tokens; "
            f"got {tokenizer.vocab_size:,} tokens, and {byte_ids.count(None)} bytes "
            "without one."
        )
    first = tokenizer.vocab_size - len(tokenizer.merges)
    merged = [numbers[left + right] for left, right in tokenizer.merges]
    if merged != list(range(first, tokenizer.vocab_size)) or tokenizer.ignore_merges:
        raise ValueError(
            "In a packed vocabulary the last tokens are those of the merges, in their "
            "order, and merges are never ignored. Train the tokenizer with train_bpe."
        )
    pairs = np.array(
        [[numbers[left], numbers[right]] for left, right in tokenizer.merges], "<u2"
    )
    return {
        "pattern": tokenizer.pattern.name,
        "special_tokens": dict(tokenizer.special_tokens),
        "byte_ids": byte_ids,
        "first_merge": first,
        "merges": base64.b64encode(pairs.tobytes()).decode("ascii"),
    }


def _unpack_tokenizer(packed: dict[str, Any]) -> BPETokenizer | CharacterTokenizer:
    """Return the tokenizer of a dictionary that `pack_tokenizer` made."""
    if set(packed) == {"characters"}:
        return CharacterTokenizer.from_dict(packed)
    pairs = np.frombuffer(base64.b64decode(packed["merges"]), "<u2").reshape(-1, 2)
    first = int(packed["first_merge"])
    if first > 2**16:
        raise ValueError(f"{first} tokens before the merges are too many")
    tokens = [b""] * first
    for byte, number in enumerate(packed["byte_ids"]):
        tokens[number] = bytes([byte])
    for text, number in packed["special_tokens"].items():
        tokens[number] = text.encode("utf-8")
    merges = []
    for left, right in pairs.tolist():
        merges.append((tokens[left], tokens[right]))
        tokens.append(tokens[left] + tokens[right])
    pattern = PATTERNS[packed["pattern"]]
    return BPETokenizer.from_parts(tokens, merges, packed["special_tokens"], pattern)


SOURCES = ("kernel.js", "bpe.js", "sampling.js", "decoder.js", "matvec.wat")
EXPORTS = (
    "BPETokenizer",
    "Decoder",
    "chatPrompt",
    "generate",
    "nextTokenProbabilities",
    "streamDecoder",
)
DEFINE = "const genaiEdge = (globalThis.genaiEdge ??= { models: {} });"


def engine_source(name: str) -> str:
    """Return one of the engine's files: kernel.js, bpe.js, sampling.js, decoder.js or
    matvec.wat.

    Raises:
        ValueError: If there is no such file.
    """
    if name not in SOURCES:
        raise ValueError(
            f"The engine has the files {', '.join(SOURCES)}, not {name!r}."
        )
    return (files("genai_tutorial.edge") / "web" / name).read_text("utf8")


@cache
def kernel_code() -> bytes:
    """Return the WebAssembly module that `matvec.wat` assembles to."""
    return assemble(engine_source("matvec.wat"))


def engine_script() -> str:
    """Return the whole engine as one script, which defines `genaiEdge` in a page: the
    names in `EXPORTS`, and the kernel's bytes as `kernelCode`.
    """
    kernel = base64.b64encode(kernel_code()).decode("ascii")
    sources = [engine_source(name) for name in SOURCES if name.endswith(".js")]
    names = ", ".join((*EXPORTS, "fromBase64", "kernelCode"))
    return _script(
        *sources,
        f'const kernelCode = fromBase64("{kernel}");',
        DEFINE,
        f"Object.assign(genaiEdge, {{ {names} }});",
    )


def tokenizer_script() -> str:
    """Return the part of the engine that a tokenizer needs, as one script, which
    defines `genaiEdge.BPETokenizer` and `genaiEdge.streamDecoder`.
    """
    return _script(
        engine_source("bpe.js"),
        DEFINE,
        "Object.assign(genaiEdge, { BPETokenizer, streamDecoder });",
    )


def model_script(packed: PackedModel) -> str:
    """Return a packed model as a script, which puts it into `genaiEdge.models` under
    its name.
    """
    content = json.dumps({"digest": packed.digest, "content": packed.base64})
    return _script(
        DEFINE,
        f"genaiEdge.models[{json.dumps(packed.name)}] = {content};",
    )


def _script(*parts: str) -> str:
    return "\n".join(['(function () {\n"use strict";', *parts, "})();\n"])
