"""A decoder whose layers run in C: the same interface as any other, and less time per
token.
"""

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
from .build import NativeBuildError
from .compiled import CompiledModel
from .packing import COLUMNS


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
    one at a time, those of a prompt too, and the rows of a batch one after the other:
    it is made for one user. Delete the original to free its matrices.

    Args:
        model: A Llama in float32 on the CPU, whose widths are multiples of 32.
        kernel: "rows", "lanes" or "vnni", see `build_native`. The first two compute in
            float32, the third with inputs of 16 bits.
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
        prompt: The prompt, of one token or more.

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
    _check_model(model)
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
