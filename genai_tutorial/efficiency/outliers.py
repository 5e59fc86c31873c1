"""Outliers: a few features that are far larger than the rest, and what they do to
activations in 8 bits.

A rounding step is the largest value divided by 127. If one feature is a hundred times
larger than the others and all share one step, at most three levels are left for the
others.
"""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import DecoderLM

from .quantization import quantize_symmetric

GRANULARITIES = ("tensor", "token", "group")


def kurtosis(values: Float[Tensor, "*shape"]) -> float:
    r"""Return the kurtosis: how much of the variance comes from a few large values.

    $$\operatorname{E}[(x - \mu)^4] / \sigma^4$$

    It is 3 for a normal distribution, however wide, 1.8 for a uniform one, and n if one
    of n values (and n is large) is not zero.

    Raises:
        ValueError: If all values are equal, or there are none.

    >>> import torch
    >>> kurtosis(torch.tensor([-1.0, 1.0]))
    1.0
    >>> round(kurtosis(torch.eye(1, 1000)))
    998
    """
    centred = values.double() - values.double().mean()
    variance = centred.square().mean()
    if not variance > 0:
        raise ValueError("Values that are all equal have no kurtosis.")
    return float(centred.pow(4).mean() / variance.square())


def round_activations(
    x: Float[Tensor, "*batch features"],
    bits: int,
    per: str,
    group_size: int = 32,
) -> Float[Tensor, "*batch features"]:
    """Round activations to the levels of a signed integer, and return the values that
    the levels represent.

    Source: Yao et al., ZeroQuant, section 4.1 (token-wise),
        https://arxiv.org/abs/2206.01861
    """
    _check(per)
    sizes = {"tensor": x.numel(), "token": x.shape[-1], "group": group_size}
    rows = x.reshape(1, -1) if per == "tensor" else x.reshape(-1, x.shape[-1])
    return quantize_symmetric(rows, bits, sizes[per]).dequantize().view(x.shape)


class ActivationQuantizedLinear(nn.Module):
    """A linear layer whose weights and inputs are rounded to 8 bits; the weights have a
    scale per row.
    """

    def __init__(self, plain: nn.Linear, per: str, group_size: int = 32):
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.per, self.group_size = per, group_size
        weight = plain.weight.detach()
        rounded = quantize_symmetric(weight, 8, weight.shape[1]).dequantize()
        self.register_buffer("weight", rounded)
        self.register_buffer("bias", None if plain.bias is None else plain.bias.data)

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return the rounded inputs times the transposed matrix, plus the bias."""
        rounded = round_activations(x, 8, self.per, self.group_size)
        return functional.linear(rounded, self.weight, self.bias)


def int8_activations(model: DecoderLM, per: str, group_size: int = 32) -> DecoderLM:
    """Return a copy of a decoder in which all linear layers of the blocks have 8-bit
    weights and 8-bit inputs.

    Args:
        model: A decoder in float32.
        per: See `round_activations`.
        group_size: See `round_activations`.

    Raises:
        ValueError: If there is no such granularity, or the weights contain NaN or
            infinity.
    """
    _check(per)
    copy = deepcopy(model)
    for module in list(copy.blocks.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, ActivationQuantizedLinear(child, per, group_size))
    return copy


def _check(per: str) -> None:
    if per not in GRANULARITIES:
        raise ValueError(f"per must be one of {', '.join(GRANULARITIES)}; got {per!r}.")
