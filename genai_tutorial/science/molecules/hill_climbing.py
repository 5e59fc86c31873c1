"""Hill climbing: sample, keep the best molecules, fine-tune on them, repeat."""

from copy import deepcopy
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import answer_log_probs, supervised_loss
from genai_tutorial.training import TensorBatches, fit

from .model import MoleculeModel, molecule_rows
from .properties import canonical_smiles
from .scores import Score
from .steering import Steered, SteeringStep


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
    prior: MoleculeModel, score: Score, settings: HillClimbSettings
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
