"""Searching for molecules with a high score: a filter of scaffolds, learned scores,
hill climbing, and random changes without a model.
"""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.alignment import answer_log_probs, supervised_loss
from genai_tutorial.runtime import require
from genai_tutorial.science.molecules import (
    MoleculeModel,
    MoleculeScore,
    Steered,
    SteeringStep,
    canonical_smiles,
    molecule_rows,
    murcko_scaffold,
    split_smiles,
    valid_scores,
)
from genai_tutorial.science.molecules.properties import BITS, RADIUS, parse_smiles
from genai_tutorial.training import TensorBatches, fit


def fingerprint_counts(
    molecules: Sequence[str], bits: int = BITS
) -> Float[Tensor, "molecule bit"]:
    """Return how often each neighbourhood of atoms occurs in each molecule.

    Source: Rogers and Hahn, Extended-Connectivity Fingerprints,
        https://doi.org/10.1021/ci100050t
    """
    generators = require("rdkit.Chem.rdFingerprintGenerator", "science")
    generator = generators.GetMorganGenerator(radius=RADIUS, fpSize=bits)
    counts = map(generator.GetCountFingerprintAsNumPy, map(parse_smiles, molecules))
    return torch.stack([torch.from_numpy(row.astype("float32")) for row in counts])


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


@dataclass(frozen=True)
class FingerprintRidge:
    """Ridge regression on fingerprint counts, in closed form.

    Attributes:
        weights: The weight of each bit of a fingerprint.
        intercept: The prediction for a fingerprint of zeros.
    """

    weights: Float[Tensor, " bit"]
    intercept: float

    @classmethod
    def fit(
        cls,
        molecules: Sequence[str],
        values: Sequence[float],
        penalty: float | int = 10.0,
    ) -> "FingerprintRidge":
        """Return the weights that minimize the squared error plus `penalty` times the
        squared weights.

        Raises:
            ValueError: If there are no molecules, their number is not that of the
                values, or the penalty is not above 0.
        """
        if not molecules or len(molecules) != len(values):
            raise ValueError(
                "There must be a value for each molecule, and at least one; got "
                f"{len(molecules)} molecules and {len(values)} values."
            )
        if not penalty > 0:
            raise ValueError(f"penalty must be above 0, got {penalty}.")
        counts = fingerprint_counts(molecules).double()
        targets = torch.tensor(list(values), dtype=torch.float64)
        mean, middle = counts.mean(dim=0), targets.mean()
        centred = counts - mean
        gram = centred.T @ centred + penalty * torch.eye(len(mean), dtype=torch.float64)
        weights = torch.linalg.solve(gram, centred.T @ (targets - middle))
        return cls(weights.float(), float(middle - mean @ weights))

    def predict(self, molecules: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Return the predicted value of each molecule.

        Raises:
            ValueError: If a string is no molecule.
        """
        counts = fingerprint_counts(molecules, len(self.weights))
        return counts @ self.weights + self.intercept

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Score strings by the prediction, at least 0."""
        return valid_scores(samples, lambda valid: self.predict(valid).clamp(min=0))


@dataclass(frozen=True)
class RidgeEnsemble:
    """Several regressions, each fitted to a bootstrap sample of the molecules. They
    agree where there are data.

    Attributes:
        penalty: The number of standard deviations of the members that are subtracted
            from their mean.
    """

    members: tuple[FingerprintRidge, ...]
    penalty: float | int = 1.0

    @classmethod
    def fit(
        cls,
        molecules: Sequence[str],
        values: Sequence[float],
        *,
        size: int = 5,
        penalty: float | int = 1.0,
        seed: int = 0,
    ) -> "RidgeEnsemble":
        """Fit `size` members to molecules drawn with replacement.

        Raises:
            ValueError: If there are fewer than two members, or the molecules and values
                cannot be fitted.
        """
        if size < 2:
            raise ValueError(f"size must be at least 2, got {size}.")
        generator = torch.Generator().manual_seed(seed)
        draws = torch.randint(
            len(molecules), (size, len(molecules)), generator=generator
        ).tolist()
        members = (
            FingerprintRidge.fit(
                [molecules[i] for i in rows], [values[i] for i in rows]
            )
            for rows in draws
        )
        return cls(tuple(members), penalty)

    def predictions(self, molecules: Sequence[str]) -> Float[Tensor, "member molecule"]:
        """Return every member's prediction for each molecule."""
        return torch.stack([member.predict(molecules) for member in self.members])

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Score strings by the mean minus the weighted disagreement, at least 0."""

        def cautious(valid: list[str]) -> Tensor:
            predictions = self.predictions(valid)
            lower = predictions.mean(dim=0) - self.penalty * predictions.std(dim=0)
            return lower.clamp(min=0)

        return valid_scores(samples, cautious)


@dataclass(frozen=True)
class HillClimbSettings:
    """The settings of a run.

    Attributes:
        rounds: The number of times that molecules are sampled and learned.
        samples: The number of molecules sampled in each round.
        keep: The number of best molecules, over all rounds, to fine-tune on.
        updates: The number of updates per round.
        batch_size: The number of packed rows in a batch.
        learning_rate: AdamW's learning rate.
        seed: Seed of samples and batches.

    Raises:
        ValueError: If a number is out of range.
    """

    rounds: int = 8
    samples: int = 256
    keep: int = 128
    updates: int = 8
    batch_size: int = 12
    learning_rate: float | int = 5e-4
    seed: int = 0

    def __post_init__(self):
        for name in ("rounds", "samples", "keep", "updates", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if not self.learning_rate > 0:
            raise ValueError(
                f"learning_rate must be above 0, got {self.learning_rate}."
            )


def hill_climb(
    prior: MoleculeModel, score: MoleculeScore, settings: HillClimbSettings
) -> Steered:
    """Train a copy of a model on its own best molecules, round after round.

    No prior term limits the change, only the small number of updates per round.

    Args:
        prior: The model to begin with; it does not change.

    Raises:
        ValueError: If no sample of the first round is valid.

    Source: Segler et al., Generating Focused Molecule Libraries for Drug Discovery with
        Recurrent Neural Networks, https://doi.org/10.1021/acscentsci.7b00512
    """
    agent = MoleculeModel(deepcopy(prior.decoder), prior.tokenizer)
    optimizer = torch.optim.AdamW(
        agent.decoder.parameters(), settings.learning_rate, betas=(0.9, 0.99)
    )
    generator = torch.Generator().manual_seed(settings.seed)
    best: dict[str, tuple[float, str]] = {}  # with the form that was sampled
    steps = []
    for number in range(settings.rounds):
        drawn = agent.rollouts(settings.samples, generator=generator)
        samples = agent.strings(drawn)
        scores = score(samples)
        for smiles, value in zip(samples, scores.tolist(), strict=True):
            if (canonical := canonical_smiles(smiles)) is not None:
                best[canonical] = (value, smiles)
        if not best:
            raise ValueError(
                "None of the samples is a molecule, so there is nothing to learn from: "
                "begin with a model that was trained longer."
            )
        ranked = sorted(best, key=best.__getitem__, reverse=True)[: settings.keep]
        best = {canonical: best[canonical] for canonical in ranked}
        rows = molecule_rows(
            agent.tokenizer,
            [smiles for _, smiles in best.values()],
            agent.decoder.config.context_length,
        )
        with torch.no_grad():
            before = answer_log_probs(prior.decoder, drawn.ids, drawn.is_answer)
        kl = float((drawn.log_probs.sum(dim=1) - before).mean())
        steps.append(SteeringStep.of(samples, scores, kl))
        seed = settings.seed + number
        fit(
            agent.decoder,
            TensorBatches(rows.tensors, settings.batch_size, seed),
            supervised_loss,
            optimizer,
            steps=settings.updates,
            progress=False,
        )
        agent.decoder.eval()
    return Steered(agent, tuple(steps))


def change_token(smiles: str, symbols: Sequence[str], random: Random) -> str:
    """Remove a token, replace it, or put one in front of it."""
    tokens = split_smiles(smiles)
    place, kind = random.randrange(len(tokens)), random.randrange(3)
    new = [] if kind == 0 else [random.choice(symbols)]
    return "".join([*tokens[:place], *new, *tokens[place + (kind < 2) :]])


def change_at_random(
    start: Sequence[str],
    score: MoleculeScore,
    settings: HillClimbSettings,
    *,
    free_when_invalid: bool,
) -> tuple[list[str], int]:
    """Change tokens of the best molecules so far at random, round after round.

    Args:
        start: The molecules of the first round.
        free_when_invalid: Whether only molecules count as samples, so that strings that
            are none cost nothing.

    Returns:
        The molecules that were found, and the number of strings that were tried.
    """
    random = Random(settings.seed)
    symbols = sorted({token for smiles in start for token in split_smiles(smiles)})
    drawn = random.sample(start, settings.samples)
    best = dict(zip(drawn, score(drawn).tolist(), strict=True))
    found, tried, seen = [], 0, set(start)
    for _ in range(settings.rounds - 1):
        parents = sorted(best, key=best.__getitem__, reverse=True)[: settings.keep]
        children, scored = [], 0
        while scored < settings.samples:
            child = change_token(random.choice(parents), symbols, random)
            canonical = canonical_smiles(child)
            tried += 1
            scored += canonical is not None or not free_when_invalid
            if canonical is not None and canonical not in seen:
                children.append(canonical)
                seen.add(canonical)
        best |= dict(zip(children, score(children).tolist(), strict=True))
        found += children
    return found, tried
