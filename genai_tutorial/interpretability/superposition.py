"""Superposition: more features than dimensions. A toy model that learns to store them,
and states made from known directions, to test what finds the directions again.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SuperpositionToy(nn.Module):
    """A model that squeezes features through fewer dimensions and restores them: a
    linear map down, its transpose up, a bias and a ReLU.

    Attributes:
        weight: The direction of each feature.

    Source: Elhage et al. (2022), Toy Models of Superposition, section 2,
    https://transformer-circuits.pub/2022/toy_model/index.html

    >>> SuperpositionToy(features=5, dims=2, seed=0)(torch.zeros(3, 5)).shape
    torch.Size([3, 5])
    """

    def __init__(self, features: int, dims: int, seed: int) -> None:
        super().__init__()
        drawn = torch.randn(
            features, dims, generator=torch.Generator().manual_seed(seed)
        )
        self.weight = nn.Parameter(drawn * dims**-0.5)
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(
        self, x: Float[Tensor, "batch feature"]
    ) -> Float[Tensor, "batch feature"]:
        """Return the restored features."""
        return (x @ self.weight @ self.weight.T + self.bias).relu()


def train_superposition(
    features: int, dims: int, share_on: float, seed: int, steps: int = 2000
) -> SuperpositionToy:
    """Train the toy model on features that are each on with the same probability, and
    then between 0 and 1.
    """
    model = SuperpositionToy(features, dims, seed)
    draws = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        on = torch.rand(512, features, generator=draws) < share_on
        x = on * torch.rand(512, features, generator=draws)
        loss = (model(x) - x).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)


def random_directions(
    count: int, dim: int, generator: torch.Generator
) -> Float[Tensor, "count dim"]:
    """Draw directions of length one."""
    drawn = torch.randn(count, dim, generator=generator)
    return drawn / drawn.norm(dim=1, keepdim=True)


def draw_superposed(
    count: int,
    directions: Float[Tensor, "feature dim"],
    share_on: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "count dim"], Float[Tensor, "count feature"]]:
    """Draw states that are sums of the directions that are on, each times an amount
    between 0.5 and 1.5, with noise of standard deviation 0.02.

    Returns:
        The states, and the amounts behind them: 0 where a direction is off.
    """
    shape = count, len(directions)
    on = torch.rand(shape, generator=generator) < share_on
    amounts = (on * (0.5 + torch.rand(shape, generator=generator))).to(directions)
    noise = torch.randn(count, directions.shape[1], generator=generator)
    return amounts @ directions + 0.02 * noise.to(directions), amounts


def best_cosines(
    directions: Float[Tensor, "feature dim"], candidates: Float[Tensor, "candidate dim"]
) -> Float[Tensor, "feature"]:
    """Return how well each direction was found: its largest cosine with a candidate,
    whose sign does not matter.

    >>> best_cosines(torch.eye(2), torch.tensor([[0.0, -3.0]]))
    tensor([0., 1.])
    """
    cosines = nn.functional.cosine_similarity(
        directions[:, None], candidates[None], dim=-1
    )
    return cosines.abs().amax(dim=1)
