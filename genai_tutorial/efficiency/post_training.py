"""Quantize a trained decoder block by block, and measure how much its predictions
change.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext, DecoderLM

from .calibration import (
    InputGroup,
    activation_aware_scales,
    fold_scales,
    gptq_quantize,
    input_groups,
    input_hessian,
    observing,
)
from .quantization import quantize_affine

Predict = Callable[[Tensor], Tensor]
"""Maps ids ("batch position") to logits ("batch position vocab"): a decoder, or a
function that reads the text in another way.
"""


@torch.no_grad()
def quantize_layers(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    method: str,
    bits: int,
    group_size: int,
    blocks: Sequence[int] | None = None,
) -> DecoderLM:
    """Return a copy of a decoder whose blocks' matrices are rounded to a few levels and
    stored as floats again, so that it runs like any other decoder.

    The blocks are quantized in their order. The calibration texts pass through each one
    twice: before, to observe the inputs of all its layers at once, and after, so that
    the next block is calibrated on what the quantized ones before it produce.

    Args:
        ids: The calibration texts; "rounding" does not read them.
        method: "rounding" for `quantize_affine`, "gptq" for `gptq_quantize`, "awq" for
            `activation_aware_scales`, which are folded into the layer before.
        bits: From 2 to 8.
        group_size: The number of neighbouring weights in a row that share a scale; must
            divide the width and the feed-forward layers' width.
        blocks: The indices of the blocks to quantize; None for all.

    Raises:
        ValueError: If there is no such method or block, or the bits or group size are
            out of range.
    """
    methods = {"gptq": _round_by_gptq, "awq": _round_by_awq}
    if method not in ("rounding", *methods):
        raise ValueError(
            f"method must be rounding, {' or '.join(methods)}; got {method!r}."
        )
    count = len(model.blocks)
    chosen = set(range(count) if blocks is None else blocks)
    if not chosen <= set(range(count)):
        raise ValueError(f"blocks must be from 0 to {count - 1}, got {sorted(chosen)}.")
    copy = deepcopy(model)
    if method == "rounding":
        for index in chosen:
            _round(input_groups(copy.blocks[index]), bits, group_size)
        return copy
    x = copy.embed(ids, AttentionContext())
    for index, block in enumerate(copy.blocks[: max(chosen, default=-1) + 1]):
        if index in chosen:
            groups = input_groups(block)
            methods[method](groups, observe_inputs(block, groups, x), bits, group_size)
        x = block(x)
    return copy


def observe_inputs(
    block: nn.Module,
    groups: Sequence[InputGroup],
    x: Float[Tensor, "batch position width"],
) -> list[tuple[Float[Tensor, "in in"], Float[Tensor, "in"]]]:
    """Return the Hessian and the mean magnitudes of each group's inputs, from one pass
    through the block.
    """
    statistics: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str, vectors: Tensor) -> None:
        statistics[name] = input_hessian(vectors), vectors.abs().mean(dim=0)

    # All layers of a group read the same, so the first one is enough.
    firsts = [next(iter(group.layers.items())) for group in groups]
    with observing(dict(firsts), keep):
        block(x)
    return [statistics[name] for name, _ in firsts]


def _round(groups: Sequence[InputGroup], bits: int, group_size: int) -> None:
    for group in groups:
        for layer in group.layers.values():
            matrix = quantize_affine(layer.weight, bits, group_size)
            layer.weight.copy_(matrix.dequantize())


def _round_by_gptq(
    groups: Sequence[InputGroup], statistics: Sequence, bits: int, group_size: int
) -> None:
    for group, (hessian, _) in zip(groups, statistics, strict=True):
        for layer in group.layers.values():
            matrix = gptq_quantize(layer.weight, hessian, bits, group_size)
            layer.weight.copy_(matrix.dequantize())


def _round_by_awq(
    groups: Sequence[InputGroup], statistics: Sequence, bits: int, group_size: int
) -> None:
    # All scales are folded before anything is rounded: some sources are linear layers.
    for group, (hessian, magnitudes) in zip(groups, statistics, strict=True):
        if group.source is not None:
            scales = activation_aware_scales(
                group.weight, magnitudes, hessian, bits, group_size
            )
            fold_scales(group, scales)
    _round(groups, bits, group_size)


@dataclass(frozen=True)
class Divergence:
    """The distance of one model's predictions from another's, one value per text, in
    nats per token.

    Attributes:
        row_kl: The mean KL divergence of the second model from the first.
        row_agreement: The share of positions with the same most probable token.
        row_reference_nats: The first model's loss.
        row_nats: The second model's loss.
    """

    row_kl: list[float]
    row_agreement: list[float]
    row_reference_nats: list[float]
    row_nats: list[float]

    @property
    def kl(self) -> float:
        """The mean KL divergence, in nats per token."""
        return _mean(self.row_kl)

    @property
    def agreement(self) -> float:
        """The share of positions with the same most probable token."""
        return _mean(self.row_agreement)

    @property
    def reference_nats(self) -> float:
        """The first model's loss, in nats per token."""
        return _mean(self.row_reference_nats)

    @property
    def nats(self) -> float:
        """The second model's loss, in nats per token."""
        return _mean(self.row_nats)


@torch.no_grad()
def prediction_divergence(
    reference: Predict,
    other: Predict,
    ids: Int[Tensor, "batch position"],
    batch_size: int = 16,
) -> Divergence:
    r"""Compare two models' predictions of the next token at every position.

    $$\mathrm{KL}(p \Vert q) = \sum_v p_v (\ln p_v - \ln q_v)$$

    with p the reference. The difference of the losses is a noisy measure of rounding,
    because rounding raises the probability of some tokens of the text and lowers the
    probability of others. The KL divergence measures every change of the predictions,
    in either direction.

    Args:
        ids: Texts of two tokens or more.
        batch_size: The number of texts per forward pass; changes the speed, not the
            result.

    Raises:
        ValueError: If the texts have fewer than two tokens, or there are none.
    """
    if ids.shape[1] < 2 or len(ids) == 0:
        raise ValueError(
            "ids must have a row and two columns or more, one token to read and one to "
            f"predict; got shape {tuple(ids.shape)}."
        )
    parts: list[list[Tensor]] = [[], [], [], []]
    for rows in ids.split(batch_size):
        exact = reference(rows[:, :-1]).float().log_softmax(dim=-1)
        found = other(rows[:, :-1]).float().log_softmax(dim=-1)
        kl = functional.kl_div(found, exact, reduction="none", log_target=True)
        equal = exact.argmax(dim=-1) == found.argmax(dim=-1)
        losses = [-one.gather(2, rows[:, 1:, None])[..., 0] for one in (exact, found)]
        measured = (kl.sum(dim=-1), equal.float(), *losses)
        for part, values in zip(parts, measured, strict=True):
            part.append(values.mean(dim=1))
    return Divergence(*(torch.cat(part).tolist() for part in parts))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
