"""What the C code reads: a model's sizes and the addresses of its weights."""

import ctypes
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.transformer import DecoderLM, KVCache

from .build import load_native
from .packing import GROUP, pack, pack_layers

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
        interleaved = kernel != "rows"
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
        shape = (
            *(sizes.layers, rows, sizes.key_value_heads, positions),
            sizes.head_width,
        )
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
