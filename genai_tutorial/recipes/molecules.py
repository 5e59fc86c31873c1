"""The recipe of the molecule model: a decoder that writes SMILES strings."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.data import Source, load_molecule_split
from genai_tutorial.data.molecules import SOURCE
from genai_tutorial.recipes.decoder import DecoderRecipe
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck
from genai_tutorial.science import (
    QED_LABELS,
    MoleculeModel,
    SmilesTokenizer,
    label_dropout_loss,
    molecule_rows,
    property_bins,
)
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel
from genai_tutorial.transformer import DecoderConfig, DecoderLM


@dataclass(frozen=True, kw_only=True)
class MoleculeRecipe(DecoderRecipe):
    """A recipe for a language model of molecules with property tokens.

    Attributes:
        label_dropout: The probability with which a molecule is shown without its
            property token.
    """

    label_dropout: float

    source: ClassVar[Source] = SOURCE

    @cached_property
    def tokenizer(self) -> SmilesTokenizer:
        """The tokenizer of the training molecules."""
        return SmilesTokenizer.from_smiles(load_molecule_split()[0], QED_LABELS)

    def fit(self, run: RunSettings) -> Trained:
        """Train the model, or resume a run that was stopped."""
        from rdkit.Chem import QED, MolFromSmiles

        train, held_out = load_molecule_split()
        length = self.config.context_length
        values = [QED.qed(MolFromSmiles(smiles)) for smiles in train]
        rows = molecule_rows(self.tokenizer, train, length, property_bins(values))
        unseen = molecule_rows(self.tokenizer, held_out, length)
        labels = torch.Generator().manual_seed(self.seed)
        model = self.build().to(run.device)
        _, history = run.fit(
            parallel(model),
            run.batches(
                (rows.ids, rows.is_text, rows.documents), self.batch_size, self.seed
            ),
            label_dropout_loss(self.tokenizer, self.label_dropout, labels),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            evaluate=lambda model: float(
                supervised_loss(
                    model,
                    unseen.ids[:100],
                    unseen.is_text[:100],
                    unseen.documents[:100],
                )
            ),
            evaluate_every=400,
            generators=[labels],
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
        """Return nothing yet."""
        return {}

    def spot_check(self, loaded: MoleculeModel, n: int, seed: int) -> SpotCheck:
        """Measure nothing yet."""
        raise NotImplementedError

    def summary(self, metrics: dict) -> str:
        """Return the share of valid molecules as a phrase."""
        return ""

    def wrap(self, model: DecoderLM, card: dict) -> MoleculeModel:
        """Return the decoder with its tokenizer."""
        return MoleculeModel(model, SmilesTokenizer.from_dict(card["tokenizer"]))


MOLECULES = MoleculeRecipe(
    name="molecules",
    title="A decoder that writes molecules as SMILES, with a token for drug-likeness",
    config=DecoderConfig.fast(
        vocab_size=44, context_length=96, width=128, layers=4, heads=4
    ),
    optimizer=OptimizerSettings(weight_decay=0.1),
    label_dropout=0.5,
    batch_size=12,
    steps=4_000,
    warmup_steps=50,
    published=True,
)
"""The model that chapter 29 loads."""
