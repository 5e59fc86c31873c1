"""Metrics of generated molecules: those that papers quote, and those that expose
trivial generators.

Validity, uniqueness and novelty count strings. They say nothing about whether the
molecules are like real ones: that is what the similarity to the nearest training
molecule, the scaffolds and the properties are for.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from statistics import fmean

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require

from .properties import (
    EXTRA,
    canonical_smiles,
    log_p,
    murcko_scaffold,
    qed,
    synthetic_accessibility,
    tanimoto_similarities,
)
from .smiles import split_smiles

COMPARED = 300  # molecules that the slower metrics of a report look at


@dataclass(frozen=True)
class MoleculeReport:
    """The metrics of a set of samples. A share whose denominator is 0 is NaN.

    Attributes:
        distinct: The number of different molecules among those.
        novel: The number of those that are not in the training data.
        internal_diversity: See `internal_diversity`.
        nearest_similarity: The mean of `nearest_similarities` to the training data.
        scaffold_diversity: See `scaffold_diversity`.
        qed: Mean drug-likeness of the valid samples.
        log_p: Mean logP of the valid samples.
        synthetic_accessibility: Mean synthetic accessibility of the valid samples.
        length: Mean number of characters of the valid samples.
    """

    count: int
    valid: int
    distinct: int
    novel: int
    internal_diversity: float
    nearest_similarity: float
    scaffold_diversity: float
    qed: float
    log_p: float
    synthetic_accessibility: float
    length: float

    @property
    def validity(self) -> float:
        """The valid share of the samples."""
        return _share(self.valid, self.count)

    @property
    def uniqueness(self) -> float:
        """The share of different molecules among the valid samples."""
        return _share(self.distinct, self.valid)

    @property
    def novelty(self) -> float:
        """The share of different molecules that are not in the training data."""
        return _share(self.novel, self.distinct)

    def to_dict(self) -> dict[str, float | int]:
        """Return all numbers, the three shares included, for JSON."""
        shares = ("validity", "uniqueness", "novelty")
        numbers = asdict(self) | {name: getattr(self, name) for name in shares}
        return {
            name: value if isinstance(value, int) else round(value, 4)
            for name, value in numbers.items()
        }


def measure_molecules(samples: Sequence[str], train: Collection[str]) -> MoleculeReport:
    """Return the metrics of some samples; the similarities, the scaffolds and the
    synthetic accessibility refer to the first 300 different molecules.

    Args:
        samples: SMILES strings, valid or not.
        train: The canonical SMILES of the training data.

    Raises:
        ValueError: If no sample is valid.
    """
    valid = valid_molecules(samples)
    if not valid:
        raise ValueError(
            f"None of the {len(samples)} samples is a molecule: there is nothing to "
            "measure but validity, which is 0."
        )
    distinct = [*dict.fromkeys(valid)]
    compared = distinct[:COMPARED]
    return MoleculeReport(
        count=len(samples),
        valid=len(valid),
        distinct=len(distinct),
        novel=len(set(distinct) - set(train)),
        internal_diversity=internal_diversity(compared),
        nearest_similarity=float(nearest_similarities(compared, [*train]).mean()),
        scaffold_diversity=scaffold_diversity(compared),
        qed=fmean(map(qed, valid)),
        log_p=fmean(map(log_p, valid)),
        synthetic_accessibility=fmean(map(synthetic_accessibility, compared)),
        length=fmean(map(len, valid)),
    )


def valid_molecules(samples: Iterable[str]) -> list[str]:
    """Return the canonical SMILES of the valid samples, in their order.

    >>> valid_molecules(["OCC", "C1CC", "CCO"])
    ['CCO', 'CCO']
    """
    return [smiles for smiles in map(canonical_smiles, samples) if smiles is not None]


def validity(samples: Sequence[str]) -> float:
    """Return the share of strings that are molecules.

    >>> validity(["OCC", "C1CC"])
    0.5
    """
    return _share(len(valid_molecules(samples)), len(samples))


def uniqueness(samples: Sequence[str]) -> float:
    """Return the share of different molecules among the valid samples.

    >>> uniqueness(["OCC", "CCO", "C1CC"])
    0.5
    """
    valid = valid_molecules(samples)
    return _share(len(set(valid)), len(valid))


def novelty(samples: Sequence[str], train: Collection[str]) -> float:
    """Return the share of different valid molecules that are not in the training data.

    Args:
        samples: SMILES strings, valid or not, in any form.
        train: The canonical SMILES of the training data.

    >>> novelty(["OCC", "CCN"], train=["CCO"])
    0.5
    """
    distinct = set(valid_molecules(samples))
    return _share(len(distinct - set(train)), len(distinct))


def internal_diversity(molecules: Sequence[str]) -> float:
    """Return one minus the mean Tanimoto similarity of all pairs, each molecule paired
    with itself included.

    Source: Polykovskiy et al., Molecular Sets (MOSES), section 4.2 (IntDiv with p = 1),
        https://arxiv.org/abs/1811.12823
    """
    return 1.0 - float(tanimoto_similarities(molecules, molecules).mean())


def nearest_similarities(
    molecules: Sequence[str], reference: Sequence[str]
) -> Float[Tensor, "molecule"]:
    """Return the Tanimoto similarity of each molecule to the most similar one of a
    reference set.

    Source: Polykovskiy et al., Molecular Sets (MOSES), section 4.2 (SNN is its mean),
        https://arxiv.org/abs/1811.12823
    """
    return tanimoto_similarities(molecules, reference).amax(dim=1)


def scaffold_diversity(molecules: Sequence[str]) -> float:
    """Return the number of different Murcko scaffolds per molecule."""
    return _share(len(set(map(murcko_scaffold, molecules))), len(molecules))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


ATTEMPTS = 200
"""Number of times that `add_carbon` tries to change one molecule."""


def add_carbon(molecules: Sequence[str], count: int, seed: int) -> list[str]:
    """Put one carbon atom into a training molecule, at a random position that gives a
    new valid molecule.

    Args:
        molecules: The canonical SMILES of the training data.
        count: The number of molecules to return, all different.
        seed: Seed of the molecules and positions.

    Raises:
        ValueError: If there are fewer than `count` molecules to change.

    Source: Renz et al., On failure modes in molecule generation and optimization,
        section 2, https://doi.org/10.1016/j.ddtec.2020.09.003
    """
    random, known, made = Random(seed), set(molecules), {}
    for smiles in random.sample(molecules, len(molecules)):
        if len(made) == count:
            break
        tokens = split_smiles(smiles)
        for _ in range(ATTEMPTS):
            place = random.randint(0, len(tokens))
            longer = canonical_smiles("".join([*tokens[:place], "C", *tokens[place:]]))
            if longer is not None and longer not in known and longer not in made:
                made[longer] = None
                break
    if len(made) < count:
        raise ValueError(
            f"{len(molecules)} molecules gave {len(made)} new ones, {count} were asked "
            "for: give more molecules."
        )
    return [*made]


def random_selfies(molecules: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw random SELFIES symbols and return them as SMILES.

    In SELFIES, every string of symbols is a valid molecule. Symbols and lengths are as
    frequent as in the training molecules; the order of the symbols is random.

    Args:
        molecules: SMILES strings whose symbols are used; a few hundred are enough.
        count: The number of molecules to return.

    Raises:
        ImportError: If selfies is not installed; the message gives the command to
            install it.

    Source: Krenn et al., Self-Referencing Embedded Strings (SELFIES),
        https://arxiv.org/abs/1905.13741
    """
    selfies = require("selfies", EXTRA)
    random = Random(seed)
    rows = [
        [*selfies.split_selfies(selfies.encoder(smiles, strict=False))]
        for smiles in molecules
    ]
    symbols = [symbol for row in rows for symbol in row]
    drawn = (random.choices(symbols, k=len(random.choice(rows))) for _ in range(count))
    return [selfies.decoder("".join(row)) for row in drawn]
