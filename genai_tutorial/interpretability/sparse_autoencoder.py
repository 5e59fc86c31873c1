"""A sparse autoencoder: a dictionary of directions, of which only a few are used for
each hidden state.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_UNUSED = 200  # steps without a use, after which a latent is dead
_RESTARTS_UNTIL = 0.7  # share of the training in which dead latents are restarted


class SparseAutoencoder(nn.Module):
    """Write each state as a sum of `active` directions from a dictionary: the latents
    with the largest activations are kept, and all others are set to zero.

    Attributes:
        directions: The dictionary: what each latent adds to the state.

    Raises:
        ValueError: If `active` is not from 1 to the number of latents.

    Source: Gao et al., Scaling and Evaluating Sparse Autoencoders, section 2.3,
    https://arxiv.org/abs/2406.04093

    >>> x = SparseAutoencoder(dim=4, latents=8, active=2, seed=0).encode(torch.eye(4))
    >>> bool(((x > 0).sum(dim=1) <= 2).all())
    True
    """

    def __init__(self, dim: int, latents: int, active: int, seed: int) -> None:
        super().__init__()
        if not 1 <= active <= latents:
            raise ValueError(
                f"active must be from 1 to the number of latents, {latents}, got "
                f"{active}."
            )
        # Transposed, because `random_directions` with the same seed may have drawn the
        # directions behind the states, and the search must not begin with them.
        draws = torch.Generator().manual_seed(seed)
        start = torch.randn(dim, latents, generator=draws).T
        start = start / start.norm(dim=1, keepdim=True)
        self.readers = nn.Parameter(start.clone())
        self.directions = nn.Parameter(start)
        self.bias = nn.Parameter(torch.zeros(dim))
        self.active = active

    def encode(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch latent"]:
        """Return the activations: at most `active` of each row are above zero."""
        found = ((x - self.bias) @ self.readers.T).relu()
        largest, where = found.topk(self.active, dim=1)
        return torch.zeros_like(found).scatter(1, where, largest)

    def decode(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch dim"]:
        """Return the sum of the directions, each times its activation."""
        return z @ self.directions + self.bias

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return the reconstructed states."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def restart(self, dead: Int[Tensor, "dead"], x: Float[Tensor, "batch dim"]) -> None:
        """Point dead latents to what is left of the states that are explained worst."""
        rest = x - self(x)
        worst = rest.norm(dim=1).argsort(descending=True)[: len(dead)]
        found = rest[worst] / rest[worst].norm(dim=1, keepdim=True)
        self.directions[dead[: len(found)]] = found
        self.readers[dead[: len(found)]] = found


def train_sparse_autoencoder(
    states: Float[Tensor, "state dim"],
    latents: int,
    active: int,
    steps: int,
    seed: int,
    learning_rate: float = 3e-3,
) -> SparseAutoencoder:
    """Train a sparse autoencoder on states by their squared error.

    The directions are kept at length one, and a latent that no state used for 200 steps
    is restarted.

    Source: Bricken et al. (2023), Towards Monosemanticity, appendix on resampling,
    https://transformer-circuits.pub/2023/monosemantic-features/index.html
    """
    model = SparseAutoencoder(states.shape[1], latents, active, seed).to(states.device)
    draws = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    unused = torch.zeros(latents, device=states.device)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
        rows = torch.randint(len(states), (256,), generator=draws)
        x = states[rows.to(states.device)]
        z = model.encode(x)
        loss = (model.decode(z) - x).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        unused = torch.where((z > 0).any(dim=0), 0, unused + 1)
        with torch.no_grad():
            model.directions /= model.directions.norm(dim=1, keepdim=True)
        if step % _UNUSED == _UNUSED - 1 and step < _RESTARTS_UNTIL * steps:
            dead = (unused >= _UNUSED).nonzero().flatten()
            model.restart(dead, x)
            unused[dead[: len(x)]] = 0
    return model.requires_grad_(False)
