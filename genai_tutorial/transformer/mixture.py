"""The mixture of experts, which can replace the feed-forward layer: a router chooses a
few of many feed-forward layers for each token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .layers import Activation, FeedForward


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
    def joined(cls, parts: Sequence["Routing"]) -> "Routing":
        """Concatenate several routings, such as the routings of all layers."""
        names = ("logits", "probabilities", "chosen", "weights")
        columns = ([getattr(part, name) for part in parts] for name in names)
        return cls(*map(torch.cat, columns))


class Router(nn.Module):
    """A linear router: scores all experts for each token and chooses the best
    `per_token`.

    The weights of the chosen experts are their probabilities, divided by their sum. A
    single expert would then always have weight 1, and the router would get no gradient
    from the output, so with `per_token=1` the weight is the probability itself.

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


class MixtureOfExperts(nn.Module):
    """A layer of feed-forward experts: the weighted sum of the outputs of the experts
    that the router chose for each token.

    The number of parameters grows with the number of experts, the arithmetic per token
    only with `per_token`. After each forward pass `routing` holds the router's
    decisions, for `load_balancing_loss` and for inspection. It is not part of a copy or
    a saved model.

    Args:
        width: The number of input and output features.
        hidden_width: The number of hidden features of each expert.
        experts: The number of experts that the router chooses from.
        shared: The number of further experts that every token uses, with weight 1;
            they are stored as one wider layer.
        activation: See `activate`.

    Raises:
        ValueError: If `per_token` is not from 1 to `experts`.

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
        self.router = Router(width, experts, per_token)
        self.experts = nn.ModuleList(
            FeedForward(width, hidden_width, activation, bias) for _ in range(experts)
        )
        wider = shared * hidden_width
        self.shared = FeedForward(width, wider, activation, bias) if shared else None
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

    def _mix(self, tokens: Tensor, routing: Routing) -> Tensor:
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
        # The tensors of a forward pass's graph cannot be copied.
        return {**self.__dict__, "routing": None}


def routings(model: nn.Module) -> list[Routing]:
    """Return the routing of the last forward pass in each mixture layer, first layer
    first.

    Raises:
        ValueError: If the model has no mixture of experts, or has not run yet.
    """
    layers = [m for m in model.modules() if isinstance(m, MixtureOfExperts)]
    found = [layer.routing for layer in layers if layer.routing is not None]
    if not layers or len(found) < len(layers):
        raise ValueError(
            f"The model has {len(layers)} MixtureOfExperts with {len(found)} routings: "
            "build it with experts, and run it first."
        )
    return found


def load_balancing_loss(routing: Routing) -> Float[Tensor, ""]:
    """Return the load-balancing loss, which penalizes a router that sends most tokens
    to few experts; it equals `per_token` if all experts are used equally. Without it, a
    router prefers the experts that are already good, and the others stop learning.

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


def usage_entropy(routing: Routing) -> Float[Tensor, ""]:
    """Return the entropy of `expert_usage` in nats: ln(experts) if all are used
    equally, 0 if one receives everything.

    Its exponential is the effective number of experts: that many, used equally, have
    the same entropy. With k choices per token at least k experts are in use, so the
    entropy is at least ln(k).
    """
    return torch.special.entr(expert_usage(routing)).sum()


def expert_usage(routing: Routing) -> Float[Tensor, " expert"]:
    """Return each expert's load: its share of all choices."""
    counts = routing.chosen.flatten().bincount(minlength=routing.probabilities.shape[1])
    return counts / routing.chosen.numel()
