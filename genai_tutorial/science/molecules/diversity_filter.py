"""A diversity filter: no reward for scaffolds that have been found often enough."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from .properties import canonical_smiles, murcko_scaffold


@dataclass
class ScaffoldFilter:
    """Counts the Murcko scaffolds of rewarded molecules, and takes the reward away from
    those that occurred too often.

    Molecules without a ring share the empty scaffold.

    Attributes:
        limit: The number of molecules with the same scaffold that keep their score.
        threshold: Molecules with a lower score are not counted.
        counts: The number of molecules so far with each scaffold.

    Source: Blaschke et al., Memory-assisted reinforcement learning for diverse
        molecular de novo design, https://doi.org/10.1186/s13321-020-00473-0

    >>> import torch
    >>> once = ScaffoldFilter(limit=1)
    >>> once(["Cc1ccccc1", "CCc1ccccc1", "C1CCCCC1"], torch.ones(3))
    tensor([1., 0., 1.])
    """

    limit: int = 10
    threshold: float | int = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self):
        if self.limit < 1:
            raise ValueError(f"limit must be at least 1, got {self.limit}.")

    def __call__(
        self, samples: Sequence[str], scores: Float[Tensor, "molecule"]
    ) -> Float[Tensor, "molecule"]:
        """Return the scores, with 0 for each molecule whose scaffold is used up, and
        count these molecules.
        """
        kept = scores.clone()
        for place, smiles in enumerate(samples):
            if scores[place] <= self.threshold or canonical_smiles(smiles) is None:
                continue
            scaffold = murcko_scaffold(smiles)
            self.counts[scaffold] += 1
            if self.counts[scaffold] > self.limit:
                kept[place] = 0.0
        return kept
