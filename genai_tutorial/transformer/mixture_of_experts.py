"""Mixture of experts: many feed-forward layers, of which each token uses the few that
its router chooses.

The parameters grow with the number of experts, the arithmetic for a token only with how
many of them it uses. `routing.py` has the router and what is measured about it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer.feed_forward import Activation, FeedForward
from genai_tutorial.transformer.routing import Router, Routing


class MixtureOfExperts(nn.Module):
    """A feed-forward layer made of experts: the sum of those that a token's router
    chose, each times its weight.

    After every forward pass `routing` holds who was sent where, for the losses that
    keep the experts in use and for looking at. It is not part of a copy or a saved
    model.

    Args:
        width: The number of features in and out.
        hidden_width: The number of features inside each expert.
        experts: How many experts the router chooses from.
        per_token: How many it chooses for each token.
        shared: How many further experts every token uses, with weight 1; together they
            are one wider layer.
        activation: The nonlinearity of the experts, see `activate`.
        bias: Whether the experts' linear layers add a learned constant.

    Raises:
        ValueError: If a size is out of range, or `per_token` is not from 1 to
            `experts`.

    Source: Jiang et al., Mixtral of Experts, section 2.1,
        https://arxiv.org/abs/2401.04088; Dai et al., DeepSeekMoE, equation 9 (shared
        experts), https://arxiv.org/abs/2401.06066

    >>> layer = MixtureOfExperts(width=16, hidden_width=32, experts=4, per_token=2)
    >>> (
    ...     layer(torch.zeros(1, 5, 16)).shape,
    ...     layer.routing.chosen.shape,
    ... )  # five tokens, two experts each
    (torch.Size([1, 5, 16]), torch.Size([5, 2]))
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
                f"got {width=}, {hidden_width=}, "
                f"{shared=}."
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
        """Send every token to its experts and add up their outputs."""
        tokens = x.reshape(-1, x.shape[-1])
        self.routing = self.router(tokens)
        mixed = self._mix(tokens, self.routing)
        if self.shared is not None:
            mixed = mixed + self.shared(tokens)
        return mixed.reshape(x.shape)

    def _mix(
        self, tokens: Float[Tensor, "token width"], routing: Routing
    ) -> Float[Tensor, "token width"]:
        """Run each expert once, on all of its tokens together."""
        per_token = routing.chosen.shape[1]
        visits = routing.chosen.flatten()  # token 0's experts, then token 1's, ...
        by_expert = visits.argsort(stable=True)
        counts = visits.bincount(minlength=len(self.experts)).tolist()
        parts = tokens[by_expert // per_token].split(counts)
        worked = torch.cat(
            [expert(part) for expert, part in zip(self.experts, parts, strict=True)]
        )
        # back in the order of `visits`
        by_token = worked[by_expert.argsort()].unflatten(0, (-1, per_token))
        return (by_token * routing.weights.unsqueeze(-1)).sum(dim=1)

    def __getstate__(self) -> dict:
        # The routing belongs to a forward pass: its tensors are part of a graph, which
        # cannot be copied.
        return {**self.__dict__, "routing": None}


def routings(model: nn.Module) -> list[Routing]:
    """Return the routing of each mixture layer in a model, first layer first, as its
    last forward pass left it.

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
            "The routing is that of the last forward pass, and there was none yet: run "
            "the model first."
        )
    return found
