"""Layers applied to each position independently: normalization, and the feed-forward
layer (MLP).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

NormKind = Literal["layer", "rms"]


class RMSNorm(nn.Module):
    """Root mean square normalization: divides each vector by its root mean square, then
    multiplies each feature by a learned gain.

    Unlike LayerNorm it subtracts no mean and adds no bias.

    Args:
        epsilon: Added under the square root, so that a zero vector stays zero.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, equation 4,
    https://arxiv.org/abs/1910.07467

    >>> RMSNorm(2)(torch.tensor([3.0, 4.0])).detach()  # root mean square 3.5355
    tensor([0.8485, 1.1314])
    """

    def __init__(self, width: int, epsilon: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Return the normalized vectors, times the gain."""
        # Squares of 16-bit numbers have too few digits to be averaged.
        wide = x.float() if x.dtype.itemsize < 4 else x
        mean_square = wide.square().mean(dim=-1, keepdim=True)
        return (wide * torch.rsqrt(mean_square + self.epsilon)).to(
            x.dtype
        ) * self.weight


Activation = Literal["gelu", "gelu_tanh", "squared_relu", "swiglu"]


def activate(
    x: Float[Tensor, "*shape"], activation: Activation
) -> Float[Tensor, "*shape"]:
    """Apply the activation function elementwise.

    `gelu` is x times the probability that a standard normal variable is below x,
    `gelu_tanh` the approximation used by GPT-2, `squared_relu` is max(0, x) squared,
    and `swiglu` is SiLU, x times the logistic function of x, applied to the gate.

    Source: Hendrycks and Gimpel, GELUs, section 2, https://arxiv.org/abs/1606.08415;
        So et al., Primer, section 3 (squared ReLU), https://arxiv.org/abs/2109.08668

    >>> activate(torch.tensor([-1.0, 2.0]), "squared_relu")
    tensor([0., 4.])
    """
    if activation == "squared_relu":
        return x.relu().square()
    if activation == "swiglu":
        return nn.functional.silu(x)
    return nn.functional.gelu(
        x, approximate="tanh" if activation == "gelu_tanh" else "none"
    )


class FeedForward(nn.Module):
    """A linear layer that widens each vector, an activation function, and a linear
    layer that narrows it again.

    With `swiglu` there are two wide vectors; one of them, the gate, is passed through
    the activation function and multiplies the other.

    Args:
        hidden_width: The number of hidden features: usually four times as many, or 8/3
            times with a gate.

    Source: Vaswani et al., Attention Is All You Need, equation 2,
        https://arxiv.org/abs/1706.03762; Shazeer, GLU Variants Improve Transformer,
        equation 6 (SwiGLU), https://arxiv.org/abs/2002.05202
    """

    def __init__(
        self, width: int, hidden_width: int, activation: Activation, bias: bool
    ):
        super().__init__()
        is_gated = activation == "swiglu"
        self.gate = nn.Linear(width, hidden_width, bias=bias) if is_gated else None
        self.widen = nn.Linear(width, hidden_width, bias=bias)
        self.output = nn.Linear(hidden_width, width, bias=bias)
        self.activation = activation

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Apply the layer to each vector."""
        if self.gate is None:
            return self.output(activate(self.widen(x), self.activation))
        return self.output(activate(self.gate(x), self.activation) * self.widen(x))
