"""The recipe of the molecule model: a decoder that writes SMILES strings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import ClassVar

import torch

from genai_tutorial.alignment import (
    Example,
    answer_log_probs,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.data import Source, load_drug_likeness, load_molecule_split
from genai_tutorial.data.molecules import SOURCE
from genai_tutorial.recipes.decoder import DecoderRecipe
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck, draw_items
from genai_tutorial.science.molecules import (
    QED_LABELS,
    MoleculeModel,
    SmilesTokenizer,
    count_failures,
    label_dropout_loss,
    measure_molecules,
    molecule_rows,
    property_bins,
    qed,
    sample_guided,
    valid_molecules,
    validity,
)
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel
from genai_tutorial.transformer import DecoderConfig, DecoderLM

SAMPLES, COOLER_SAMPLES, LABELLED_SAMPLES = 1_000, 300, 100
"""The number of strings that a card's metrics are measured on: at temperature 1, at
0.7, and for each property token.
"""


@dataclass(frozen=True, kw_only=True)
class MoleculeOptions:
    """The options of the molecule model.

    Attributes:
        molecules: The number of strings to sample; those that are no molecules are left
            out.
        drug_likeness: The bin of drug-likeness to ask for, from 0 to 4.
        guidance: The weight of classifier-free guidance: 0 ignores the bin, 1 is plain
            conditioning.
        temperature: Below 1 favours likely tokens, above 1 unlikely ones.

    Raises:
        ValueError: If a number is out of range.
    """

    molecules: int = 16
    drug_likeness: int = 4
    guidance: float | int = 1.0
    temperature: float | int = 0.8

    def __post_init__(self):
        if not 1 <= self.molecules <= 1_000:
            raise ValueError(f"molecules must be from 1 to 1000, got {self.molecules}.")
        if not 0 <= self.drug_likeness < len(QED_LABELS):
            raise ValueError(
                f"drug_likeness must be from 0 to {len(QED_LABELS) - 1}, got "
                f"{self.drug_likeness}."
            )
        if not 0 <= self.guidance <= 10:
            raise ValueError(f"guidance must be from 0 to 10, got {self.guidance}.")


@dataclass(frozen=True, kw_only=True)
class MoleculeRecipe(DecoderRecipe):
    """A recipe for a language model of molecules with property tokens.

    Attributes:
        label_dropout: The probability with which a molecule is shown without its
            property token.
    """

    label_dropout: float

    source: ClassVar[Source] = SOURCE

    @property
    def options(self) -> MoleculeOptions:
        """Drug-like molecules."""
        return MoleculeOptions()

    @cached_property
    def tokenizer(self) -> SmilesTokenizer:
        """The tokenizer of the training molecules."""
        return SmilesTokenizer.from_smiles(load_molecule_split()[0], QED_LABELS)

    def fit(self, run: RunSettings) -> Trained:
        """Train the model, or resume a run that was stopped."""
        train, held_out = load_molecule_split()
        length = self.config.context_length
        qed_of = load_drug_likeness()
        labels = property_bins([qed_of[smiles] for smiles in train])
        rows = molecule_rows(self.tokenizer, train, length, labels)
        unseen = molecule_rows(self.tokenizer, held_out, length)
        drops = torch.Generator().manual_seed(self.seed)
        model = self.build().to(run.device)
        _, history = run.fit(
            parallel(model),
            run.batches(
                (rows.ids, rows.is_text, rows.documents), self.batch_size, self.seed
            ),
            label_dropout_loss(self.tokenizer, self.label_dropout, drops),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            evaluate=lambda model: float(
                supervised_loss(
                    model,
                    unseen.ids[:100].to(run.device),
                    unseen.is_text[:100].to(run.device),
                    unseen.documents[:100].to(run.device),
                )
            ),
            evaluate_every=400,
            generators=[drops],
        )
        losses = [[point.step, round(point.value, 4)] for point in history.evaluations]
        return Trained(
            model,
            history.seconds,
            {
                "held_out_while_training": losses,
                "tokenizer": self.tokenizer.to_dict(),
            },
        )

    def measure(self, model: DecoderLM) -> dict:
        """Return the held-out loss, the metrics of samples and of held-out molecules,
        and the drug-likeness for each property token.
        """
        writer = MoleculeModel(model, self.tokenizer)
        train, held_out = load_molecule_split()
        generator = torch.Generator().manual_seed(0)
        sampled = writer.sample(SAMPLES, generator=generator)
        cooler = writer.sample(COOLER_SAMPLES, temperature=0.7, generator=generator)
        labelled = {
            label: writer.sample(LABELLED_SAMPLES, label=number, generator=generator)
            for number, label in enumerate(QED_LABELS)
        }
        losses = held_out_losses(writer, held_out)
        return {
            "held_out_nats_per_molecule": round(fmean(losses), 4),
            "held_out_molecules": len(losses),
            "valid_at_temperature_1": round(validity(sampled), 4),
            "valid_at_temperature_0.7": round(validity(cooler), 4),
            "failures": count_failures(sampled),
            "sampled": measure_molecules(sampled, train).to_dict(),
            "held_out": measure_molecules(held_out, train).to_dict(),
            "qed_by_token": {
                label: round(fmean(map(qed, valid_molecules(samples))), 4)
                for label, samples in labelled.items()
            },
        }

    def spot_check(self, loaded: MoleculeModel, n: int, seed: int) -> SpotCheck:
        """Measure the loss on a sample of the held-out molecules."""
        molecules = draw_items(load_molecule_split()[1], n, seed)
        return SpotCheck(
            "held_out_nats_per_molecule", held_out_losses(loaded, molecules)
        )

    def summary(self, metrics: dict) -> str:
        """Return the valid and the novel share as a phrase."""
        return (
            f"{metrics['valid_at_temperature_1']:.0%} of samples are molecules, "
            f"{metrics['sampled']['novelty']:.0%} of those are new"
        )

    def write(self, loaded: MoleculeModel, options: MoleculeOptions, seed: int) -> str:
        """Return the valid ones of some samples, one in each line with its
        drug-likeness.

        Raises:
            ValueError: If an option is out of range.
        """
        samples = sample_guided(
            loaded,
            options.molecules,
            options.drug_likeness,
            options.guidance,
            temperature=options.temperature,
            generator=torch.Generator().manual_seed(seed),
        )
        valid = dict.fromkeys(valid_molecules(samples))
        return "\n".join(f"{qed(smiles):.2f}  {smiles}" for smiles in valid)

    def wrap(self, model: DecoderLM, card: dict) -> MoleculeModel:
        """Return the decoder with its tokenizer."""
        return MoleculeModel(model, SmilesTokenizer.from_dict(card["tokenizer"]))


@torch.no_grad()
def held_out_losses(model: MoleculeModel, molecules: Sequence[str]) -> list[float]:
    """Return -log p of each molecule that fits into the context, in nats per molecule,
    without a property token.
    """
    start, end = (model.tokenizer.start,), (model.tokenizer.end,)
    examples = [
        Example(start, (*model.tokenizer.encode(smiles), *end)) for smiles in molecules
    ]
    longest = model.decoder.config.context_length
    losses: list[float] = []
    kept = [example for example in examples if len(example) <= longest]
    for place in range(0, len(kept), 100):
        rows = pad_examples(kept[place : place + 100])
        losses += (-answer_log_probs(model.decoder, rows.ids, rows.is_answer)).tolist()
    return losses


MOLECULES = MoleculeRecipe(
    name="molecules",
    title="A decoder that writes molecules as SMILES, with a token for drug-likeness",
    config=DecoderConfig.fast(
        vocab_size=44, context_length=96, width=128, layers=4, heads=4
    ),
    optimizer=OptimizerSettings(weight_decay=0.1),
    label_dropout=0.5,
    batch_size=12,
    steps=1_000,
    warmup_steps=30,
    published=True,
)
"""The model that chapter 29 loads."""
