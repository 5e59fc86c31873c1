"""Routing: which experts a token goes to, the losses that keep all experts in use, and
how to see when they fail.

A router left alone likes the experts that are already good, they get the tokens and
become better, and the others starve. `load_balancing_loss` works against that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Routing:
    """What a router decided for some tokens.

    Attributes:
        logits: The score of each expert for each token.
        probabilities: The same as probabilities over all experts: the softmax of
            `logits`.
        chosen: The experts that each token goes to, the most probable first.
        weights: How much each of them counts in the token's output.
    """

    logits: Float[Tensor, "token expert"]
    probabilities: Float[Tensor, "token expert"]
    chosen: Int[Tensor, "token choice"]
    weights: Float[Tensor, "token choice"]

    @classmethod
    def joined(cls, routings: Sequence["Routing"]) -> "Routing":
        """Return several routings as one, for example those of all layers."""
        names = ("logits", "probabilities", "chosen", "weights")
        return cls(
            *(
                torch.cat([getattr(routing, name) for routing in routings])
                for name in names
            )
        )


class Router(nn.Module):
    """Scores every expert for every token, and chooses the best few.

    The weights of the chosen are their probabilities, divided by their sum. A single
    choice would then always weigh 1 and the router would not learn from the output, so
    with `per_token=1` the weight is the probability itself.

    Args:
        width: The number of features of a token.
        experts: How many experts there are.
        per_token: How many are chosen for each token.

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
                f"{experts=}. "
                "Use more experts, or choose fewer of them."
            )
        self.scores = nn.Linear(width, experts, bias=False)
        self.per_token = per_token

    def forward(self, tokens: Float[Tensor, "token width"]) -> Routing:
        """Return where each token goes."""
        logits = self.scores(tokens)
        # In at least single precision: half precision would round small probabilities
        # and change choices.
        probabilities = logits.softmax(
            dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32)
        )
        weights, chosen = probabilities.topk(self.per_token, dim=-1)
        if self.per_token > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return Routing(logits, probabilities, chosen, weights.to(tokens.dtype))


def expert_usage(routing: Routing) -> Float[Tensor, " expert"]:
    """Return the share of all choices that went to each expert; the shares sum to one.

    >>> logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    >>> routing = Routing(
    ...     logits,
    ...     logits.softmax(-1),
    ...     torch.tensor([[0, 1], [0, 2]]),
    ...     torch.full((2, 2), 0.5),
    ... )
    >>> expert_usage(routing)
    tensor([0.5000, 0.2500, 0.2500])
    """
    counts = routing.chosen.flatten().bincount(minlength=routing.probabilities.shape[1])
    return counts / routing.chosen.numel()


def usage_entropy(routing: Routing) -> Float[Tensor, ""]:
    """Return the entropy of `expert_usage` in nats: ln(experts) when all work alike, 0
    when one does everything.

    Its exponential is the number of experts that, used alike, would have this entropy.
    With k choices a token at least k experts work, so it is at least ln(k).
    """
    return torch.special.entr(expert_usage(routing)).sum()


def router_entropy(routing: Routing) -> Float[Tensor, ""]:
    """Return how undecided the router is about a token: the mean entropy of its
    probabilities, in nats.

    A router that always sends everything to the same expert is decided, and so is a
    good one: `usage_entropy` tells the two apart.
    """
    return torch.special.entr(routing.probabilities).sum(dim=-1).mean()


def load_balancing_loss(routing: Routing) -> Float[Tensor, ""]:
    """Punishes a router that sends most tokens to few experts; as small as `per_token`
    when all are used alike.

    For N experts it is N times the sum over experts of f P: f is how many choices a
    token gave the expert on average, P the expert's mean probability. Only P has a
    gradient, and it is f times larger where more tokens went.

    Give it one layer's routing at a time and add the losses up, so that every layer has
    to use all of its experts. `Routing.joined` makes it one loss over layers, in which
    one layer can make up for another.

    Source: Fedus et al., Switch Transformers, equations 4 to 6,
    https://arxiv.org/abs/2101.03961

    >>> alike = Routing(
    ...     torch.zeros(2, 2),
    ...     torch.full((2, 2), 0.5),
    ...     torch.tensor([[0], [1]]),
    ...     torch.ones(2, 1),
    ... )
    >>> load_balancing_loss(alike)
    tensor(1.)
    """
    tokens, experts = routing.probabilities.shape
    choices = routing.chosen.flatten().bincount(minlength=experts) / tokens
    return experts * (choices * routing.probabilities.mean(dim=0)).sum()


def router_z_loss(routing: Routing) -> Float[Tensor, ""]:
    """Punishes large scores, which make a softmax brittle in low precision: the mean of
    (log sum exp of logits)^2.

    Source: Zoph et al., ST-MoE, equation 5, https://arxiv.org/abs/2202.08906

    >>> router_z_loss(
    ...     Routing(
    ...         torch.zeros(1, 4),
    ...         torch.full((1, 4), 0.25),
    ...         torch.tensor([[0]]),
    ...         torch.ones(1, 1),
    ...     )
    ... )
    tensor(1.9218)
    """
    return routing.logits.logsumexp(dim=-1).square().mean()
