"""Balancing without a loss: a router that corrects its choice by a bias per expert."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .mixture import MixtureOfExperts, Router, Routing, expert_usage


class BiasedRouter(Router):
    """A router that chooses by score plus bias and weighs by the score alone.

    Scores are sigmoids of the logits, and `Routing.probabilities` their shares. The
    bias has no gradient: `balance` moves it.

    Raises:
        ValueError: If `per_token` is not from 1 to `experts`.

    Source: Wang et al., Auxiliary-Loss-Free Load Balancing Strategy for
        Mixture-of-Experts, equation 3, https://arxiv.org/abs/2408.15664; DeepSeek-AI,
        DeepSeek-V3 Technical Report, equations 13 to 16,
        https://arxiv.org/abs/2412.19437

    >>> router = BiasedRouter(width=1, experts=3, per_token=1)
    >>> router.scores.weight.data = torch.tensor([[2.0], [1.0], [0.0]])
    >>> router(torch.ones(1, 1)).chosen
    tensor([[0]])
    >>> router.bias[1] = 0.2  # sigmoid(1) + 0.2 is above sigmoid(2)
    >>> router(torch.ones(1, 1)).chosen
    tensor([[1]])
    """

    bias: Tensor

    def __init__(self, width: int, experts: int, per_token: int):
        super().__init__(width, experts, per_token)
        self.register_buffer("bias", torch.zeros(experts))

    def forward(self, tokens: Float[Tensor, "token width"]) -> Routing:
        """Return the routing of each token."""
        logits = self.scores(tokens)
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).sigmoid()
        chosen = (scores + self.bias).topk(self.per_token, dim=-1).indices
        weights = scores.gather(1, chosen)
        if self.per_token > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        shares = scores / scores.sum(dim=-1, keepdim=True)
        return Routing(logits, shares, chosen, weights.to(tokens.dtype))

    @torch.no_grad()
    def balance(self, routing: Routing, speed: float) -> None:
        """Raise the bias of each expert whose load is below the mean by `speed`, and
        lower it where the load is above.

        Source: Wang et al., algorithm 1, https://arxiv.org/abs/2408.15664
        """
        load = expert_usage(routing)
        self.bias += speed * (load.mean() - load).sign()


def balance_experts(model: nn.Module, speed: float) -> None:
    """Move the biases of all biased routers by the loads of the last forward pass; call
    it after each training step.

    Raises:
        ValueError: If no mixture of experts in the model has a biased router, or the
            model has not run yet.
    """
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, MixtureOfExperts)
        and isinstance(layer.router, BiasedRouter)
    ]
    if not layers or any(layer.routing is None for layer in layers):
        raise ValueError(
            f"The model has {len(layers)} mixtures with a BiasedRouter; it needs at "
            "least one, and must have run."
        )
    for layer in layers:
        layer.router.balance(layer.routing, speed)
