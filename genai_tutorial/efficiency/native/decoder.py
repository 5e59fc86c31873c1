"""A decoder whose steps run in C: what the C code reads, the model around it, and the
fastest decoder that this machine has.
"""

import ctypes
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderBlock,
    DecoderConfig,
    DecoderLM,
    KVCache,
)

from ..fused import quantized
from .build import COLUMNS, GROUP, NativeBuildError, load_native, pack, pack_layers

FLOAT = 4  # bytes


class _Model(ctypes.Structure):
    """The struct `Model` of decode.c."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("layers", "width", "heads")),
        *((name, ctypes.c_int) for name in ("key_value_heads", "head_width")),
        *((name, ctypes.c_int) for name in ("hidden_width", "vocab_size", "threads")),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("embedding", "weights", "norms")),
        *((name, ctypes.c_void_p) for name in ("cosines", "sines", "head")),
    )


class _Cache(ctypes.Structure):
    """The struct `Cache` of decode.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("keys", "values")),
        *((name, ctypes.c_int64) for name in ("layer_stride", "head_stride")),
    )


class CompiledModel:
    """A model's weights in the layout of a compiled kernel, and the calls into C."""

    def __init__(self, model: DecoderLM, kernel: str, instructions: str):
        self.library = load_native(kernel, instructions)
        interleaved = kernel in ("lanes", "vnni")
        config, rotary = model.config, model.rotary
        head = model.token_embedding if model.head is None else model.head
        norms = [
            norm.weight
            for block in model.blocks
            for norm in (block.attention_norm, block.feed_forward_norm)
        ]
        # These are kept, because C has only their addresses.
        self.embedding = model.token_embedding.weight.detach().contiguous()
        self.weights = pack_layers(model, interleaved)
        self.norms = torch.cat([*norms, model.final_norm.weight]).detach()
        self.rotation = rotary.cosines.contiguous(), rotary.sines.contiguous()
        self.head = pack(head.weight.detach(), 8, interleaved)
        self.logits_width = -(-config.vocab_size // GROUP) * GROUP
        self.struct = _Model(
            layers=config.layers,
            width=config.width,
            heads=config.attention.heads,
            key_value_heads=config.attention.key_value_heads,
            head_width=config.head_width,
            hidden_width=config.hidden_width,
            vocab_size=config.vocab_size,
            epsilon=model.final_norm.epsilon,
            embedding=self.embedding.data_ptr(),
            weights=self.weights.ctypes.data,
            norms=self.norms.data_ptr(),
            cosines=self.rotation[0].data_ptr(),
            sines=self.rotation[1].data_ptr(),
            head=self.head.ctypes.data,
        )

    def read(
        self, x: Float[Tensor, "batch position width"], cache: KVCache
    ) -> Float[Tensor, "batch position width"]:
        """Run all blocks on each row's new tokens, and store their keys and values."""
        self._check_vectors(x)
        self._check_cache(x, cache)
        x = x.clone(memory_format=torch.contiguous_format)
        weights = self._attention_weights(cache)
        row_size = FLOAT * x.shape[1] * x.shape[2]
        for row, start in enumerate(cache.lengths):
            self.library.read_tokens(
                self._struct(),
                _address(cache, row),
                ctypes.c_int(start),
                ctypes.c_int(x.shape[1]),
                ctypes.c_void_p(weights.data_ptr()),
                ctypes.c_void_p(x.data_ptr() + row * row_size),
            )
        return x

    def logits(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocab"]:
        """Return the logits of the last block's outputs."""
        self._check_vectors(x)
        x = x.contiguous()
        logits = x.new_zeros(*x.shape[:-1], self.logits_width)
        self.library.output_layer(
            self._struct(),
            ctypes.c_int(x.numel() // x.shape[-1]),
            ctypes.c_void_p(x.data_ptr()),
            ctypes.c_void_p(logits.data_ptr()),
        )
        vocab_size = self.struct.vocab_size
        return logits if vocab_size == self.logits_width else logits[..., :vocab_size]

    def generate(self, prompt: Sequence[int], count: int, cache: KVCache) -> list[int]:
        """Return the most probable tokens, for a prompt whose tokens exist and a cache
        that is empty and long enough.
        """
        ids = (ctypes.c_int * (len(prompt) + count))(*prompt)
        weights, logits = self._attention_weights(cache), torch.empty(self.logits_width)
        self.library.generate(
            self._struct(),
            _address(cache, 0),
            ctypes.c_int(len(prompt)),
            ctypes.c_int(count),
            ctypes.c_void_p(weights.data_ptr()),
            ctypes.c_void_p(logits.data_ptr()),
            ids,
        )
        return list(ids[len(prompt) :])

    def _attention_weights(self, cache: KVCache) -> Tensor:
        """Return working memory for a row per query head that shares a key."""
        group = self.struct.heads // self.struct.key_value_heads
        return torch.empty(group, cache.length)

    def _check_vectors(self, x: Tensor) -> None:
        width = self.struct.width
        if x.shape[-1] != width or not _is_float32_on_cpu(x):
            raise ValueError(
                f"The C decoder reads vectors of {width} features in float32 on the "
                f"CPU, got {x.shape[-1]} in {x.dtype} on {x.device}."
            )

    def _check_cache(self, x: Tensor, cache: KVCache) -> None:
        sizes, rows = self.struct, x.shape[0]
        positions = min(cache.length, len(self.rotation[0]))
        numbers = sizes.layers, rows, sizes.key_value_heads, positions
        shape = (*numbers, sizes.head_width)
        for stored in (cache.keys, cache.values):
            if stored.shape != shape or not _is_float32_on_cpu(stored):
                raise ValueError(
                    "The cache was not made for this model: C expects keys and values "
                    f"in float32 of shape {shape}, got {stored.dtype} of shape "
                    f"{tuple(stored.shape)}. Use the decoder's own `make_cache`."
                )
        if max(cache.lengths) + x.shape[1] > positions:
            raise ValueError(
                f"The cache has room for {positions} tokens per row, holds "
                f"{max(cache.lengths)}, and got {x.shape[1]} more."
            )

    def _struct(self):
        self.struct.threads = torch.get_num_threads()
        return ctypes.byref(self.struct)


def _address(cache: KVCache, row: int):
    """Return where C finds the keys and values of a row."""
    layer_stride, row_stride, head_stride, *_ = cache.keys.stride()
    offset = FLOAT * row * row_stride
    keys, values = cache.keys.data_ptr() + offset, cache.values.data_ptr() + offset
    return ctypes.byref(_Cache(keys, values, layer_stride, head_stride))


def _is_float32_on_cpu(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu"


class NativeBlocks(nn.Module):
    """All blocks of a Llama as one module that runs in C, one token after the other."""

    def __init__(self, compiled: CompiledModel, config: DecoderConfig):
        super().__init__()
        self.compiled, self.config = compiled, config

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return the last block's output for each token."""
        if context is not None and context.mask is not None:
            raise ValueError(
                "The C decoder reads whole texts only: use the model itself for packed "
                "or masked rows."
            )
        cache = None if context is None else context.cache
        if cache is None:
            cache = KVCache(*self.config.cache_sizes(*x.shape[:2]))
        elif type(cache) is not KVCache:
            raise ValueError(
                f"The C decoder needs a KVCache, got a {type(cache).__name__}: use the "
                "model itself for other caches."
            )
        return self.compiled.read(x, cache)


class NativeHead(nn.Module):
    """The last norm and the output layer, with 8 bits per weight, in C."""

    def __init__(self, compiled: CompiledModel):
        super().__init__()
        self.compiled = compiled

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch vocab"]:
        """Return the logits."""
        return self.compiled.logits(x)


def native(
    model: DecoderLM, kernel: str = "lanes", instructions: str = "native"
) -> DecoderLM:
    """Return a copy of a Llama that runs in C with 4-bit weights, for inference only.

    It has the same interface as the model, `KVCache` included, so `generate` works with
    it. The C code is compiled at the first call, see `build_native`. Tokens are read
    one at a time, prompt tokens too, and the rows of a batch one after the other: it is
    made for one user. Delete the original to free its matrices.

    Args:
        model: A Llama in float32 on the CPU, whose widths are multiples of 32.
        kernel: "rows", "columns", "lanes" or "vnni", see `build_native`. The last one
            computes with inputs of 16 bits, the others in float32.
        instructions: "native", "avx2" or "sse4.2".

    Raises:
        ValueError: If the model is no Llama, is not in float32 on the CPU, or its
            widths do not fit.
        NativeBuildError: If the C code can't be built here.
    """
    _check_model(model)
    compiled = CompiledModel(model, kernel, instructions)
    with torch.device("meta"):  # no memory for layers that are replaced
        copy = DecoderLM(model.config, seed=None)
    copy.rotary = model.rotary
    copy.token_embedding = nn.Embedding.from_pretrained(compiled.embedding)
    copy.blocks = nn.ModuleList([NativeBlocks(compiled, model.config)])
    copy.final_norm = nn.Identity()  # part of the head
    copy.head = NativeHead(compiled)
    return copy.eval()


def generate_natively(
    decoder: DecoderLM, prompt: Sequence[int], max_new_tokens: int
) -> list[int]:
    """Return the tokens of greedy decoding, without leaving C between two of them.

    `generate` with temperature 0 gives the same tokens, but runs Python and a dozen
    calls of PyTorch per token. Their code has to be read from memory each time, because
    the weights have displaced it from the CPU's caches.

    Args:
        decoder: The result of `native`.

    Raises:
        ValueError: If the decoder is not from `native`, the prompt is empty or holds
            tokens that are not in the vocabulary, or the text does not fit into the
            context window.
    """
    if not isinstance(decoder.head, NativeHead):
        raise ValueError(
            "decoder must be one that `native` returned; this one has a head of type "
            f"{type(decoder.head).__name__}."
        )
    config = decoder.config
    if not prompt or not all(0 <= token < config.vocab_size for token in prompt):
        raise ValueError(
            "prompt must hold at least one token, all of them from 0 to "
            f"{config.vocab_size - 1}; got {list(prompt)[:5]}."
        )
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be at least 0, got {max_new_tokens}.")
    cache = decoder.make_cache(1, len(prompt) + max_new_tokens)
    return decoder.head.compiled.generate(prompt, max_new_tokens, cache)


def fastest_decoder(model: DecoderLM) -> DecoderLM:
    """Return the fastest copy of a Llama that this machine can run with 4-bit weights:
    in C, or where that can't be built, with PyTorch's 4-bit kernel.

    Raises:
        ValueError: If the model is no Llama in float32 on the CPU, or its widths do not
            fit.
    """
    for kernel in ("vnni", "lanes"):
        try:
            return native(model, kernel)
        except NativeBuildError:
            continue
    return quantized(model, "int4")


def _check_model(model: DecoderLM) -> None:
    if not all(type(block) is DecoderBlock for block in model.blocks):
        kind = type(model.blocks[0]).__name__
        raise ValueError(
            f"The blocks must be those of a DecoderLM, got {kind}: pass the model from "
            "before it was quantized."
        )
    for module in model.blocks.modules():
        if hasattr(module, "in_features") and type(module) is not nn.Linear:
            raise ValueError(
                f"The layers must be plain nn.Linear, got {type(module).__name__}: the "
                "C code would leave out what it adds to the product."
            )
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise ValueError(
                f"The model must be in float32 on the CPU, got {tensor.dtype} on "
                f"{tensor.device}."
            )
    config, attention = model.config, model.config.attention
    llama = DecoderConfig.llama(
        config.vocab_size,
        config.context_length,
        config.width,
        config.layers,
        attention.heads,
        attention.key_value_heads,
        config.hidden_width,
        rotary_base=attention.rotary_base,
        rotary_scaling=attention.rotary_scaling,
        tied_embeddings=config.tied_embeddings,
    )
    parts = ("attention", "feed_forward", "mixture", "local", "bias")
    other = [part for part in parts if getattr(config, part) != getattr(llama, part)]
    if config.norm.kind != "rms":
        other.append("norm")
    if other:
        raise ValueError(
            "The C decoder runs Llamas only, see DecoderConfig.llama; this model "
            f"differs in {', '.join(other)}. Use the model itself, or "
            'quantized(model, "int4").'
        )
    if config.width % COLUMNS or config.hidden_width % COLUMNS:
        raise ValueError(
            f"The widths must be multiples of {COLUMNS}, the number of weights that "
            f"share a scale; got width={config.width} and a feed-forward width of "
            f"{config.hidden_width}."
        )
