"""Mixture of experts: many feed-forward layers, of which a router chooses a few for
each token.

The number of parameters grows with the number of experts, but the arithmetic per token
only with the number that it uses. The router and its losses are in `routing.py`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .feed_forward import Activation, FeedForward
from .routing import Router, Routing


class MixtureOfExperts(nn.Module):
    """A layer of feed-forward experts: the weighted sum of the outputs of the experts
    that the router chose for each token.

    After each forward pass `routing` holds the router's decisions, for load-balancing
    losses and for inspection. It is not part of a copy or a saved model.

    Args:
        width: The number of input and output features.
        hidden_width: The number of hidden features of each expert.
        experts: The number of experts that the router chooses from.
        per_token: The number of experts chosen for each token.
        shared: The number of further experts that every token uses, with weight 1;
            they are stored as one wider layer.
        activation: The activation function of the experts, see `activate`.
        bias: Whether the experts' linear layers add a learned constant.

    Raises:
        ValueError: If a size is out of range, or `per_token` is not from 1 to
            `experts`.

    Source: Jiang et al., Mixtral of Experts, section 2.1,
        https://arxiv.org/abs/2401.04088; Dai et al., DeepSeekMoE, equation 9 (shared
        experts), https://arxiv.org/abs/2401.06066

    >>> layer = MixtureOfExperts(width=16, hidden_width=32, experts=4, per_token=2)
    >>> layer(torch.zeros(1, 5, 16)).shape
    torch.Size([1, 5, 16])
    >>> layer.routing.chosen.shape  # five tokens, two experts each
    torch.Size([5, 2])
    """

    def __init__(
        self,
        width: int,
        hidden_width: int,
        experts: int,
        per_token: int,
        shared: int = 0,
        activation: Activation = "swiglu",
        bias: bool = False,
    ):
        super().__init__()
        if width < 1 or hidden_width < 1 or shared < 0:
            raise ValueError(
                "width and hidden_width must be at least 1, and shared at least 0; "
                f"got {width=}, {hidden_width=}, {shared=}."
            )
        self.router = Router(width, experts, per_token)
        self.experts = nn.ModuleList(
            FeedForward(width, hidden_width, activation, bias) for _ in range(experts)
        )
        self.shared = (
            FeedForward(width, shared * hidden_width, activation, bias)
            if shared
            else None
        )
        self.routing: Routing | None = None

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Route every token to its experts and add up their weighted outputs."""
        tokens = x.reshape(-1, x.shape[-1])
        self.routing = self.router(tokens)
        mixed = self._mix(tokens, self.routing)
        if self.shared is not None:
            mixed = mixed + self.shared(tokens)
        return mixed.reshape(x.shape)

    def _mix(
        self, tokens: Float[Tensor, "token width"], routing: Routing
    ) -> Float[Tensor, "token width"]:
        """Run each expert once, on a batch of all its tokens."""
        per_token = routing.chosen.shape[1]
        assigned = routing.chosen.flatten()  # token 0's experts, then token 1's, ...
        by_expert = assigned.argsort(stable=True)
        counts = assigned.bincount(minlength=len(self.experts)).tolist()
        batches = tokens[by_expert // per_token].split(counts)
        outputs = torch.cat(
            [expert(batch) for expert, batch in zip(self.experts, batches, strict=True)]
        )
        # back in the order of `assigned`
        by_token = outputs[by_expert.argsort()].unflatten(0, (-1, per_token))
        return (by_token * routing.weights.unsqueeze(-1)).sum(dim=1)

    def __getstate__(self) -> dict:
        # The routing's tensors belong to the graph of a forward pass and cannot be
        # copied.
        return {**self.__dict__, "routing": None}


def routings(model: nn.Module) -> list[Routing]:
    """Return the routing of the last forward pass in each mixture layer, first layer
    first.

    Raises:
        ValueError: If the model has no mixture of experts, or has not run yet.

    >>> routings(nn.Linear(2, 2))
    Traceback (most recent call last):
    ...
    ValueError: The model has no MixtureOfExperts, so there is no routing. Build it with experts.
    """  # noqa: E501
    layers = [
        module for module in model.modules() if isinstance(module, MixtureOfExperts)
    ]
    if not layers:
        raise ValueError(
            "The model has no MixtureOfExperts, so there is no routing. Build it with "
            "experts."
        )
    found = [layer.routing for layer in layers if layer.routing is not None]
    if len(found) < len(layers):
        raise ValueError(
            "routings reads the last forward pass, and there was none yet: run the "
            "model first."
        )
    return found
