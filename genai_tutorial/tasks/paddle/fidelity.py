"""The fidelity of dreams of the paddle world: how long they equal reality.

No model can know how the ball bounces at the top. Frames that no such bounce has
influenced yet are therefore measured separately: every difference there is an error of
the model.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.worldmodels import DreamComparison

from .positions import read_positions


@dataclass(frozen=True)
class DreamFidelity:
    """A comparison of dreams with reality, for each dream after each step.

    Attributes:
        exact: True where the dreamed frame equals the real one in every pixel.
        distance: Distance between the dreamed and the real ball in pixels.
        predictable: True where the real frame follows from the frames seen and the
            actions; False once a bounce at the top has decided where the ball goes.
    """

    exact: Bool[Tensor, "step dream"]
    distance: Float[Tensor, "step dream"]
    predictable: Bool[Tensor, "step dream"]

    def share_exact(
        self, where: Bool[Tensor, "step dream"] | None = None
    ) -> Float[Tensor, "step"]:
        """Return the share of exact frames after each step, NaN if there is none.

        Args:
            where: The frames that count, such as `predictable`; None for all.
        """
        return _mean(self.exact.float(), where)

    def mean_distance(
        self, where: Bool[Tensor, "step dream"] | None = None
    ) -> Float[Tensor, "step"]:
        """Return the mean distance of the balls after each step, NaN if there is none.

        Args:
            where: The frames that count, such as `predictable`; None for all.
        """
        return _mean(self.distance, where)


def dream_fidelity(films: DreamComparison) -> DreamFidelity:
    """Compare dreamed frames with the real ones; pixels above 0.5 count as white."""
    real, dreamed = films.real > 0.5, films.dreamed > 0.5
    where, dreamt = read_positions(films.real), read_positions(films.dreamed)
    distance = torch.hypot((where.x - dreamt.x).float(), (where.y - dreamt.y).float())
    return DreamFidelity(
        (real == dreamed).flatten(start_dim=2).all(dim=2),
        distance,
        ~_chance_has_acted(films),
    )


def _chance_has_acted(films: DreamComparison) -> Bool[Tensor, "step dream"]:
    """Return where a bounce at the top, unseen by the model, has moved the ball."""
    rows = read_positions(torch.cat([films.seen[-2:], films.real])).y
    falls_from_top = (rows[:-1] == 0) & (rows[1:] == 1)
    return falls_from_top[:-1].int().cumsum(dim=0)[: len(films.real)] > 0


def _mean(values: Tensor, where: Tensor | None) -> Tensor:
    if where is None:
        return values.mean(dim=1)
    return (values * where).sum(dim=1) / where.sum(dim=1)
