"""Routing of tokens to experts: the router, losses that keep all experts in use, and
measures of how evenly they are used.

A router tends to prefer the experts that are already good. These receive more tokens,
improve further, and the others stop learning. `load_balancing_loss` counteracts this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Routing:
    """A router's decisions for a set of tokens.

    Attributes:
        logits: The score of each expert for each token.
        probabilities: The softmax of `logits` over all experts.
        chosen: The experts that each token is sent to, most probable first.
        weights: The weight of each chosen expert in the token's output.
    """

    logits: Float[Tensor, "token expert"]
    probabilities: Float[Tensor, "token expert"]
    chosen: Int[Tensor, "token choice"]
    weights: Float[Tensor, "token choice"]

    @classmethod
    def joined(cls, routings: Sequence["Routing"]) -> "Routing":
        """Concatenate several routings, for example those of all layers."""
        names = ("logits", "probabilities", "chosen", "weights")
        return cls(
            *(
                torch.cat([getattr(routing, name) for routing in routings])
                for name in names
            )
        )


class Router(nn.Module):
    """A linear router: scores all experts for each token and chooses the best few.

    The weights of the chosen experts are their probabilities, divided by their sum. A
    single expert would then always have weight 1, and the router would get no gradient
    from the output, so with `per_token=1` the weight is the probability itself.

    Args:
        width: The number of features of a token.
        per_token: The number of experts chosen for each token.

    Raises:
        ValueError: If `per_token` is not from 1 to `experts`.

    Source: Jiang et al., Mixtral of Experts, section 2.1,
        https://arxiv.org/abs/2401.04088; Fedus et al., Switch Transformers, equations 1
        and 2 (a single choice), https://arxiv.org/abs/2101.03961

    >>> router = Router(width=2, experts=3, per_token=2)
    >>> router.scores.weight.data = torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    >>> routing = router(torch.tensor([[1.0, 0.0]]))
    >>> routing.chosen, routing.weights.detach()  # e^2 and e^1, divided by their sum
    (tensor([[0, 2]]), tensor([[0.7311, 0.2689]]))
    """

    def __init__(self, width: int, experts: int, per_token: int):
        super().__init__()
        if not 1 <= per_token <= experts:
            raise ValueError(
                f"per_token must be from 1 to the number of experts; got {per_token=}, "
                f"{experts=}. Use more experts, or choose fewer of them."
            )
        self.scores = nn.Linear(width, experts, bias=False)
        self.per_token = per_token

    def forward(self, tokens: Float[Tensor, "token width"]) -> Routing:
        """Return the routing of each token."""
        logits = self.scores(tokens)
        # At least single precision: half precision would round small probabilities and
        # could change the choice.
        probabilities = logits.softmax(
            dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32)
        )
        weights, chosen = probabilities.topk(self.per_token, dim=-1)
        if self.per_token > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return Routing(logits, probabilities, chosen, weights.to(tokens.dtype))


def expert_usage(routing: Routing) -> Float[Tensor, " expert"]:
    """Return each expert's load: its share of all choices."""
    counts = routing.chosen.flatten().bincount(minlength=routing.probabilities.shape[1])
    return counts / routing.chosen.numel()


def usage_entropy(routing: Routing) -> Float[Tensor, ""]:
    """Return the entropy of `expert_usage` in nats: ln(experts) if all are used
    equally, 0 if one receives everything.

    Its exponential is the effective number of experts: that many, used equally, have
    the same entropy. With k choices per token at least k experts are in use, so the
    entropy is at least ln(k).
    """
    return torch.special.entr(expert_usage(routing)).sum()


def router_entropy(routing: Routing) -> Float[Tensor, ""]:
    """Return the router's mean uncertainty about a token: the mean entropy of its
    probabilities, in nats.
    """
    return torch.special.entr(routing.probabilities).sum(dim=-1).mean()


def load_balancing_loss(routing: Routing) -> Float[Tensor, ""]:
    """Return the load-balancing loss, which penalizes a router that sends most tokens
    to few experts; it equals `per_token` if all experts are used equally.

    For N experts it is N times the sum over experts of f P, where f is the number of
    times a token chose the expert, on average, and P the expert's mean probability.
    Only P has a gradient, which is proportional to f.

    Compute it for each layer's routing and add the losses up, so that every layer has
    to use all of its experts. With `Routing.joined` the loads of all layers are pooled,
    so that one layer can make up for another.

    Source: Fedus et al., Switch Transformers, equations 4 to 6,
    https://arxiv.org/abs/2101.03961

    >>> balanced = Routing(
    ...     torch.zeros(2, 2),
    ...     torch.full((2, 2), 0.5),
    ...     torch.tensor([[0], [1]]),
    ...     torch.ones(2, 1),
    ... )
    >>> load_balancing_loss(balanced)
    tensor(1.)
    """
    tokens, experts = routing.probabilities.shape
    choices = routing.chosen.flatten().bincount(minlength=experts) / tokens
    return experts * (choices * routing.probabilities.mean(dim=0)).sum()


def router_z_loss(routing: Routing) -> Float[Tensor, ""]:
    """Return the router z-loss, which penalizes large logits, because they make the
    softmax inaccurate in low precision: the mean of logsumexp(logits)^2.

    Source: Zoph et al., ST-MoE, equation 5, https://arxiv.org/abs/2202.08906
    """
    return routing.logits.logsumexp(dim=-1).square().mean()
