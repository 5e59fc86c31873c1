"""Rounding with the help of a few texts: SmoothQuant, AWQ and GPTQ.

Divide a feature by s before a linear layer and multiply its column of weights by s: the
output stays the same. The division costs nothing, because it can be folded into the
norm or the linear layer that produces the feature. SmoothQuant uses this to make
activations easier to round, AWQ to make important weights more precise. GPTQ instead
rounds a matrix column by column and corrects the columns that follow.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import DecoderLM, FeedForward

from .quantization import QuantizedMatrix, quantize_affine

# Smaller maxima count as this, so that dead features get no huge scale.
SMALLEST = 1e-5
DAMPING = 0.01  # of the mean of a Hessian's diagonal, so that it can be inverted
LEAST_SCALE = 1e-4  # of the magnitudes, relative to their mean
POWERS = 20  # that AWQ tries


@dataclass(frozen=True, eq=False)
class InputGroup:
    """The linear layers of a block that read the same vector."""

    layers: dict[str, nn.Linear]
    source: nn.Module | None

    @property
    def weight(self) -> Float[Tensor, "rows in"]:
        """The matrices of all layers, stacked."""
        return torch.cat([layer.weight.detach() for layer in self.layers.values()])


def block_matrices(model: DecoderLM) -> dict[str, nn.Linear]:
    """Return the linear layers in a decoder's blocks, by name, without the output layer
    and the embeddings.
    """
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.startswith("blocks.")
    }


def plain_feed_forward(block: nn.Module) -> FeedForward:
    """Return a block's feed-forward layer, if it is one in full precision."""
    layer = block.feed_forward
    if not isinstance(layer, FeedForward) or not isinstance(layer.output, nn.Linear):
        raise ValueError(
            "Only blocks with a plain feed-forward layer in full precision can be "
            f"taken apart, got {type(layer).__name__}."
        )
    return layer


def input_groups(block: nn.Module) -> list[InputGroup]:
    """Return the groups of a decoder block that read the same vector, in the order of
    the forward pass.
    """
    attention, feed_forward = block.attention, plain_feed_forward(block)
    shares_values = attention.value.out_features < attention.output.in_features
    gated = feed_forward.gate is not None
    wide = "feed_forward.gate feed_forward.widen" if gated else "feed_forward.widen"
    sources = {
        "attention.query attention.key attention.value": block.attention_norm,
        "attention.output": None if shares_values else attention.value,
        wide: block.feed_forward_norm,
        "feed_forward.output": feed_forward.widen if gated else None,
    }
    return [
        InputGroup({name: block.get_submodule(name) for name in names.split()}, source)
        for names, source in sources.items()
    ]


@torch.no_grad()
def fold_scales(group: InputGroup, scales: Float[Tensor, "in"]) -> None:
    """Multiply the columns of a group's matrices by scales and divide its source by
    them, in place; the block's output stays the same.
    """
    for layer in group.layers.values():
        layer.weight.mul_(scales)
    for parameter in group.source.parameters():  # weight and bias, a row per feature
        parameter.div_(scales.view(-1, *[1] * (parameter.dim() - 1)))


def smooth_scales(
    maxima: Float[Tensor, "in"], weight: Float[Tensor, "out in"], alpha: float = 0.5
) -> Float[Tensor, "in"]:
    r"""Return the scale of each input feature that shares its range between activations
    and weights.

    Source: Xiao et al., SmoothQuant, equation 4, https://arxiv.org/abs/2211.10438
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}.")
    largest_weights = weight.abs().amax(dim=0).clamp(min=SMALLEST)
    return maxima.clamp(min=SMALLEST) ** alpha / largest_weights ** (1 - alpha)


def activation_maxima(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> dict[str, Float[Tensor, "in"]]:
    """Return the largest absolute value of each input feature of every linear layer in
    the blocks, by the layer's name.

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig(vocab_size=65))
    >>> maxima = activation_maxima(model, torch.arange(64)[None])
    >>> len(maxima), maxima["blocks.3.feed_forward.output"].shape
    (24, torch.Size([512]))
    """
    maxima: dict[str, Tensor] = {}

    def observe(name: str, vectors: Tensor) -> None:
        maxima[name] = vectors.abs().amax(dim=0)

    with torch.no_grad(), observing(block_matrices(model), observe):
        model.read(ids)
    return maxima


@torch.no_grad()
def smoothed(
    model: DecoderLM, ids: Int[Tensor, "batch position"], alpha: float = 0.5
) -> DecoderLM:
    """Return a copy of a decoder with the same output and smaller outliers in the
    inputs of its linear layers.

    Args:
        ids: Texts on which the maxima are measured.
        alpha: From 0, where the weights keep their range, to 1, where the inputs give
            up theirs.

    Raises:
        ValueError: If alpha is out of range, or a block has no plain feed-forward
            layer.
    """
    maxima = activation_maxima(model, ids)
    copy = deepcopy(model)
    for index, block in enumerate(copy.blocks):
        for group in input_groups(block):
            if group.source is not None:
                first = next(iter(group.layers))
                inputs = maxima[f"blocks.{index}.{first}"]
                fold_scales(group, smooth_scales(inputs, group.weight, alpha))
    return copy


@contextmanager
def observing(
    layers: Mapping[str, nn.Module], observe: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Call `observe(name, inputs)` whenever one of these layers reads vectors; the
    inputs are a matrix with a row per vector.
    """

    def watch(name: str):
        return lambda _, inputs: observe(name, inputs[0].detach().flatten(0, -2))

    hooks = [
        layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def activation_aware_scales(
    weight: Float[Tensor, "out in"],
    magnitudes: Float[Tensor, "in"],
    hessian: Float[Tensor, "in in"],
    bits: int,
    group_size: int,
) -> Float[Tensor, "in"]:
    """Return the factors of the columns, powers of the inputs' magnitudes, with which
    rounding changes the layer's output least.

    Source: Lin et al., AWQ, section 3.2, equations 4 and 5,
        https://arxiv.org/abs/2306.00978
    """
    relative = (magnitudes / magnitudes.mean()).nan_to_num(1.0).clamp(min=LEAST_SCALE)
    best, least = torch.ones_like(magnitudes), float("inf")
    for step in range(POWERS):
        scales = relative ** (step / POWERS)
        scales = scales / (scales.max() * scales.min()).sqrt()
        rounded = quantize_affine(weight * scales, bits, group_size).dequantize()
        error = output_error(weight, rounded / scales, hessian)
        if error < least:
            best, least = scales, error
    return best


def input_hessian(inputs: Float[Tensor, "n in"]) -> Float[Tensor, "in in"]:
    r"""Return the mean of $x x^\top$ over a layer's inputs: up to a factor of 2, the
    Hessian of the mean squared output error with respect to each row of weights.
    """
    return inputs.T @ inputs / len(inputs)


def output_error(
    weight: Float[Tensor, "out in"],
    rounded: Float[Tensor, "out in"],
    hessian: Float[Tensor, "in in"],
) -> float:
    r"""Return the mean squared error of a layer's output vector, if one matrix replaces
    another: the trace of $(W - \hat W) H (W - \hat W)^\top$.

    Args:
        weight: The exact matrix.
        hessian: The mean of x xᵀ, see `input_hessian`.
    """
    change = (weight - rounded).double()
    return float((change @ hessian.double() * change).sum())


def gptq_quantize(
    weight: Float[Tensor, "out in"],
    hessian: Float[Tensor, "in in"],
    bits: int,
    group_size: int,
) -> QuantizedMatrix:
    r"""Quantize a matrix so that the layer's output changes little on its usual inputs.

    With U the upper Cholesky factor of the inverse Hessian ($H^{-1} = U^\top U$), each
    column q of the weights is rounded, its error is divided by $U_{qq}$, and $U_{qj}$
    times that is subtracted from each later column j. The output error is therefore the
    sum of the squares of these divided errors. Levels, scales and offsets are computed
    as in `quantize_affine` when a group's first column is reached.

    With a diagonal Hessian the result is `quantize_affine`'s. The error is usually, but
    not always, smaller than rounding's: each column is rounded without knowing what the
    later ones will need.

    Args:
        hessian: The mean of x xᵀ over the layer's inputs.
        bits: From 2 to 8.
        group_size: The number of neighbouring weights in a row that share a scale; must
            divide the number of columns.

    Raises:
        ValueError: If an argument is out of range, or the Hessian does not fit the
            matrix, is not finite or cannot be inverted.

    Source: Frantar et al., GPTQ, algorithm 1, https://arxiv.org/abs/2210.17323

    >>> weight, hessian = torch.rand(4, 8), torch.eye(8)
    >>> plain = quantize_affine(weight, bits=3, group_size=8)
    >>> torch.equal(gptq_quantize(weight, hessian, 3, 8).levels, plain.levels)
    True
    """
    factor = _inverse_factor(weight, hessian).to(weight)
    rest = weight.detach().clone()  # what is left to round, with the corrections
    levels, scales, offsets = [], [], []
    for start in range(0, weight.shape[1], group_size):
        group = quantize_affine(rest[:, start : start + group_size], bits, group_size)
        scale, offset = group.scale[:, 0], group.offset[:, 0]
        for column in range(start, start + group_size):
            exact = rest[:, column]
            level = ((exact - offset) / scale).round().clamp(0, 2**bits - 1)
            error = (exact - level * scale - offset) / factor[column, column]
            rest[:, column + 1 :] -= torch.outer(error, factor[column, column + 1 :])
            levels.append(level)
        scales.append(scale)
        offsets.append(offset)
    return QuantizedMatrix(
        *(torch.stack(one, dim=1) for one in (levels, scales, offsets)), bits
    )


def _inverse_factor(weight: Tensor, hessian: Tensor) -> Float[Tensor, "in in"]:
    """Return the upper Cholesky factor of the damped Hessian's inverse, in float64."""
    columns = weight.shape[1]
    if hessian.shape != (columns, columns) or not hessian.isfinite().all():
        raise ValueError(
            f"The Hessian of {columns} inputs is a finite {columns} x {columns} matrix;"
            f" got shape {tuple(hessian.shape)}."
        )
    hessian = hessian.double()
    # Rounded to float32, as when the book's results were computed.
    damping = (DAMPING * hessian.diagonal().mean()).float().to(hessian)
    identity = torch.eye(columns).to(hessian)
    lower, failed = torch.linalg.cholesky_ex(hessian + damping * identity)
    if failed:
        raise ValueError(
            "The Hessian cannot be inverted: take more inputs than the layer has "
            f"features ({columns})."
        )
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
