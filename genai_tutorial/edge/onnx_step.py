"""Export to ONNX: a whole forward pass, or a step that reads one token.

An exported graph is a function: it cannot write into memory outside it. Therefore, a
step takes the cache as input tensors and returns a longer one. The model's own blocks
run unchanged: `FunctionalCache` has the interface of `KVCache`, but concatenates
instead of writing in place.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import jaxtyping
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.runtime import require, write_atomically
from genai_tutorial.transformer import (
    AttentionContext,
    AttentionPattern,
    CachedContext,
    DecoderLM,
    KVCache,
    NGramEmbedding,
    ShortConvolution,
    Visibility,
)

State = tuple[Tensor, ...]
"""Keys and values of all layers, then the last inputs of each layer that looks back
without attention.
"""


class FunctionalCache(KVCache):
    """A `KVCache` that writes nothing in place: a pass reads one state and makes
    another.
    """

    def __init__(
        self,
        keys: Float[Tensor, "layer batch head past dim"],
        values: Float[Tensor, "layer batch head past dim"],
        earlier: Sequence[Tensor] = (),
    ):
        self.keys, self.values, self.earlier = keys, values, list(earlier)
        self.new_keys: list[Tensor] = []
        self.new_values: list[Tensor] = []
        self.new_earlier: list[Tensor] = []

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "1 new"]:
        """Begin a forward pass and return the positions of the new tokens."""
        past, new = self.keys.shape[3], ids.shape[1]
        self.positions = torch.arange(past, past + new, device=ids.device)[None]
        return self.positions

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, with the new tokens' at the end."""
        self.new_keys.append(torch.cat((self.keys[layer], key), dim=2))
        self.new_values.append(torch.cat((self.values[layer], value), dim=2))
        return self.new_keys[-1], self.new_values[-1]

    def with_previous(self, layer: nn.Module, x: Tensor, count: int) -> Tensor:
        """Prepend the next layer's last `count` inputs to its new ones."""
        text = torch.cat((self.earlier[len(self.new_earlier)], x), dim=1)
        self.new_earlier.append(text[:, -count:])
        return text

    def key_positions(self) -> Int[Tensor, "1 key"]:
        """Return the positions of the keys that `append` returns."""
        return torch.arange(self.new_keys[-1].shape[2], device=self.keys.device)[None]

    def finish(self) -> None:
        """Finish a forward pass."""

    def state(self) -> State:
        """Return the state after the pass."""
        return (
            torch.stack(self.new_keys),
            torch.stack(self.new_values),
            *self.new_earlier,
        )


class TracedContext(AttentionContext):
    """A context that computes masks separately in each layer."""

    def visibility(
        self, x: Float[Tensor, "batch query width"], pattern: AttentionPattern
    ) -> Visibility:
        """Return the mask and bias for each query."""
        return self.see(x, pattern)


class TracedCacheContext(CachedContext):
    """The same for tokens that continue the text in a cache."""

    visibility = TracedContext.visibility


CONTEXT_LENGTH = "context_length"
"""The entry of a file's metadata that holds the size of the context window."""


class WholePass(nn.Module):
    """A decoder as a function of whole texts, in the form that the exporter traces."""

    def __init__(self, model: DecoderLM):
        super().__init__()
        self.model = model

    def forward(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position vocab"]:
        """Return the logits at each position."""
        return self.model(ids, TracedContext())


class DecoderStep(nn.Module):
    """A decoder as a function of a token and a state, with the next logits and the next
    state as its result.

    Args:
        model: The decoder; its weights are shared.

    Raises:
        ValueError: If the model has a sliding window, whose cache forgets.

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> step = DecoderStep(DecoderLM(DecoderConfig.llama(9, 8, 4, 1, 2, 2, 8)))
    >>> logits, *state = step(torch.tensor([[3]]), *step.first_state())
    >>> logits.shape, state[0].shape
    (torch.Size([1, 9]), torch.Size([1, 1, 2, 1, 2]))
    """

    def __init__(self, model: DecoderLM):
        super().__init__()
        if model.config.attention.sliding_window is not None:
            raise ValueError(
                "A step keeps all keys, and this model has a sliding window of "
                f"{model.config.attention.sliding_window} tokens. Export the whole "
                "forward pass instead."
            )
        self.model = model

    def forward(self, ids: Int[Tensor, "batch 1"], *state: Tensor) -> State:
        """Return the logits after the token, of shape (batch, vocab), and the new
        state.
        """
        keys, values, *earlier = state
        cache = FunctionalCache(keys, values, earlier)
        logits = self.model(ids, TracedCacheContext(cache))[:, -1]
        return logits, *cache.state()

    def state_names(self) -> list[str]:
        """Return a name for each tensor of the state."""
        looking_back = self._layers_that_look_back()
        return ["keys", "values", *(name.replace(".", "_") for name in looking_back)]

    def first_state(self, past: int = 0) -> State:
        """Return the state before the first token: no keys, and zeros before the text;
        or with some keys, all zero, as an example for the exporter.
        """
        config, weight = self.model.config, self.model.token_embedding.weight.detach()
        heads = config.attention.key_value_heads
        keys = weight.new_zeros(config.layers, 1, heads, past, config.head_width)
        earlier = (
            torch.zeros(1, 2, dtype=torch.long, device=weight.device)
            if isinstance(layer, NGramEmbedding)
            else weight.new_zeros(1, *layer.weight.shape)
            for layer in self._layers_that_look_back().values()
        )
        return keys, keys.clone(), *earlier

    def _layers_that_look_back(self) -> dict[str, nn.Module]:
        return {
            name: module
            for name, module in self.model.named_modules()
            if isinstance(module, NGramEmbedding | ShortConvolution)
        }


def export_onnx(model: DecoderLM, path: Path | str) -> Path:
    """Write a decoder's forward pass as an ONNX file, for texts of any length up to the
    context window; the file is written atomically.
    """
    longest = model.config.context_length
    sizes = {
        0: torch.export.Dim("batch", min=1, max=4096),
        1: torch.export.Dim("position", min=1, max=longest),
    }
    ids = torch.zeros(2, min(3, longest), dtype=torch.long)
    return _export(model, WholePass(model), (ids,), (sizes,), ["ids"], ["logits"], path)


def export_step(model: DecoderLM, path: Path | str) -> Path:
    """Write a `DecoderStep` in evaluation mode as an ONNX file: one token and the state
    come in, logits and the next state go out. The file is written atomically.

    Raises:
        ImportError: If onnx or onnxscript is not installed.
        ValueError: If the model has a sliding window or a mixture of experts.
    """
    step = DecoderStep(model)
    names = step.state_names()
    longest = model.config.context_length
    past = {3: torch.export.Dim("past", min=0, max=longest - 1)}
    # A size of 0 or 1 in the example would be taken for a constant.
    example = (torch.zeros(1, 1, dtype=torch.long), *step.first_state(past=3))
    fixed = [{} for _ in names[2:]]
    return _export(
        model,
        step,
        example,
        ({}, (past, past, *fixed)),
        ["ids", *names],
        ["logits", *(f"next_{name}" for name in names)],
        path,
    )


def _export(
    model: DecoderLM,
    module: nn.Module,
    example: tuple[Tensor, ...],
    dynamic_shapes: tuple,
    inputs: list[str],
    outputs: list[str],
    path: Path | str,
) -> Path:
    require("onnxscript", extra="export")
    if model.config.mixture is not None:
        raise ValueError(
            "Only decoders without a mixture of experts can be exported: which experts "
            "a token uses is known only when it is read, and the graph is fixed before."
        )
    path = Path(path)
    training = model.training
    model.eval()
    try:
        with _tracing():
            traced = torch.export.export(
                module, example, dynamic_shapes=dynamic_shapes, strict=False
            )
            program = torch.onnx.export(
                traced,
                input_names=inputs,
                output_names=outputs,
                dynamo=True,
                verbose=False,
            )
    finally:
        model.train(training)
    graph = program.model_proto
    graph.metadata_props.add(key=CONTEXT_LENGTH, value=str(model.config.context_length))
    with write_atomically(path) as file:
        file.write(graph.SerializeToString())
    return path


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """Keep away the exporter's progress messages, its deprecation warnings, and the
    shape checker, to which a length that is a symbol is not a number.
    """
    silent, disabled = io.StringIO(), logging.root.manager.disable
    unchecked = jaxtyping.config.jaxtyping_disable
    logging.disable(logging.WARNING)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(silent),
            contextlib.redirect_stderr(silent),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        jaxtyping.config.update("jaxtyping_disable", unchecked)
