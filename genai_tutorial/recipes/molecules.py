"""The recipes of the molecule models: a decoder that writes SMILES strings, and a
diffusion model of small molecules in space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.alignment import (
    Example,
    answer_log_probs,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.data import (
    HEAVY_ELEMENTS,
    LIGANDS_SOURCE,
    MOLECULES_SOURCE,
    graph_key,
    load_drug_likeness,
    load_ligand_split,
    load_molecule_split,
)
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
from genai_tutorial.science.structures import (
    EquivariantConfig,
    EquivariantNetwork,
    Geometry,
    StructureScores,
    bond_pairs,
    draw_sizes,
    judge_structure,
    judge_structures,
    molecule_loss,
    sample_molecules,
    to_table,
)
from genai_tutorial.training import OptimizerSettings
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .recipe import RunSettings, Trained, draw_items
from .sampling import DecoderRecipe, TextRecipe

SAMPLES, COOLER_SAMPLES, LABELLED_SAMPLES = 1_000, 300, 100
"""The number of strings that a card's metrics are measured on: at temperature 1, at
0.7, and for each property token.
"""


@dataclass(frozen=True, kw_only=True)
class MoleculeOptions:
    """The options of the molecule model."""

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
    """A recipe for a language model of molecules with property tokens."""

    label_dropout: float

    source = MOLECULES_SOURCE
    options = MoleculeOptions()
    metric = "held_out_nats_per_molecule"
    in_words = (
        "{valid_at_temperature_1:.0%} of samples are molecules, "
        "{sampled[novelty]:.0%} of those are new"
    )

    @cached_property
    def tokenizer(self) -> SmilesTokenizer:
        return SmilesTokenizer.from_smiles(load_molecule_split()[0], QED_LABELS)

    def fit(self, run: RunSettings) -> Trained:
        train, held_out = load_molecule_split()
        length = self.config.context_length
        qed_of = load_drug_likeness()
        labels = property_bins([qed_of[smiles] for smiles in train])
        rows = molecule_rows(self.tokenizer, train, length, labels)
        others = molecule_rows(self.tokenizer, held_out, length)
        unseen = [
            part[:100].to(run.device)
            for part in (others.ids, others.is_text, others.documents)
        ]
        return run.fit(
            self,
            self.build(),
            run.batches(self, rows.ids, rows.is_text, rows.documents),
            lambda *batch, generator: label_dropout_loss(
                self.tokenizer, self.label_dropout, generator
            )(*batch),
            evaluate=lambda model: float(supervised_loss(model, *unseen)),
            evaluate_every=400,
            generator=torch.Generator().manual_seed(self.seed),
            notes={"tokenizer": self.tokenizer.to_dict()},
        )

    def measure(self, model: DecoderLM) -> dict:
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

    def score(self, loaded: MoleculeModel, n: int, seed: int) -> list:
        molecules = draw_items(load_molecule_split()[1], n, seed)
        return held_out_losses(loaded, molecules)

    def write(self, loaded: MoleculeModel, options: MoleculeOptions, seed: int) -> str:
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
)
"""The model that chapter 29 loads."""


MAX_ATOMS = 9
STRUCTURES = 1000
"""The number of sampled molecules on which a card's scores are measured."""


@dataclass(frozen=True, kw_only=True)
class StructureOptions:
    """The options of a model of molecules in space."""

    atoms: int | None = None
    steps: int = 50

    def __post_init__(self):
        if self.atoms is not None and not 2 <= self.atoms <= 12:
            raise ValueError(f"atoms must be from 2 to 12, got {self.atoms}.")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps must be from 1 to 1,000, got {self.steps}.")


@dataclass(frozen=True, kw_only=True)
class Molecules3DRecipe(TextRecipe):
    """A recipe for a diffusion model of molecules in space."""

    config: EquivariantConfig
    optimizer: OptimizerSettings

    network = EquivariantNetwork
    source = LIGANDS_SOURCE
    options = StructureOptions()
    metric = "sampled.sound"
    in_words = (
        "{sampled[sound]:.0%} of its molecules are connected, have no clashes and keep "
        "their valences"
    )

    def fit(self, run: RunSettings) -> Trained:
        train, held_out = load_ligand_split(MAX_ATOMS)
        unseen = to_table(held_out)
        return run.fit(
            self,
            self.build(),
            run.batches(self, *to_table(train)),
            molecule_loss,
            evaluate=lambda model: held_out_molecule_loss(model, *unseen),
            evaluate_every=500,
            generator=torch.Generator().manual_seed(self.seed),
        )

    def measure(self, model: EquivariantNetwork) -> dict:
        train, held_out = load_ligand_split(MAX_ATOMS)
        sampled = self.draw_molecules(model, STRUCTURES, StructureOptions(), seed=0)
        known = {graph_key(ligand.symbols, ligand.bonds) for ligand in train}
        keys = [
            graph_key(molecule.symbols, bond_pairs(molecule))
            for molecule in sampled
            if judge_structure(molecule).sound
        ]
        return {
            "held_out_loss": round(
                held_out_molecule_loss(model, *to_table(held_out)), 4
            ),
            "samples": STRUCTURES,
            "sampled": _scores(judge_structures(sampled)),
            "held_out": _scores(judge_structures(held_out)),
            "different_share_of_sound": round(len(set(keys)) / max(len(keys), 1), 4),
            "new_share_of_sound": round(
                sum(key not in known for key in keys) / max(len(keys), 1), 4
            ),
        }

    def score(self, loaded: EquivariantNetwork, n: int, seed: int) -> list:
        sampled = self.draw_molecules(loaded, n, StructureOptions(), seed)
        return [judge_structure(molecule).sound for molecule in sampled]

    def draw_molecules(
        self,
        loaded: EquivariantNetwork,
        count: int,
        options: StructureOptions,
        seed: int,
    ) -> list[Geometry]:
        """Return sampled molecules."""
        generator = torch.Generator().manual_seed(seed)
        if options.atoms is None:
            train = load_ligand_split(MAX_ATOMS)[0]
            sizes = draw_sizes(train, count, generator)
        else:
            sizes = torch.full((count,), options.atoms)
        device = next(loaded.parameters()).device
        return sample_molecules(loaded, sizes.to(device), options.steps, generator)

    def write(
        self, loaded: EquivariantNetwork, options: StructureOptions, seed: int
    ) -> str:
        drawn = self.draw_molecules(loaded, 8, options, seed)
        sound = [molecule for molecule in drawn if judge_structure(molecule).sound]
        return to_xyz((sound or drawn)[0], f"molecules-3d, seed {seed}")


def to_xyz(molecule: Geometry, comment: str) -> str:
    """Return a molecule in the XYZ format: the number of atoms, a comment, and a line
    with element and position in ångström for each atom.
    """
    lines = [
        f"{symbol:2s} {x:9.4f} {y:9.4f} {z:9.4f}"
        for symbol, (x, y, z) in zip(
            molecule.symbols, molecule.positions.tolist(), strict=True
        )
    ]
    return "\n".join([str(len(lines)), comment, *lines])


def _scores(scores: StructureScores) -> dict[str, float]:
    mean, deviation = scores.carbon_bonds or (0.0, 0.0)
    shares = ("connected", "clash_free", "valences_kept", "sound")
    values = {name: getattr(scores, name) for name in shares}
    values |= {"carbon_bond_mean": mean, "carbon_bond_deviation": deviation}
    return {name: round(value, 4) for name, value in values.items()}


@torch.no_grad()
def held_out_molecule_loss(
    model: nn.Module,
    x: Float[Tensor, "batch atom channels"],
    mask: Bool[Tensor, "batch atom"],
) -> float:
    """Return the loss with the same noise every time, and timesteps spread evenly."""
    device = next(model.parameters()).device
    x, mask = x.to(device), mask.to(device)
    timesteps = torch.linspace(0, 999, len(x)).round().to(device)
    generator = torch.Generator().manual_seed(0)
    return float(
        molecule_loss(model, x, mask, generator=generator, timesteps=timesteps)
    )


MOLECULES_3D = Molecules3DRecipe(
    name="molecules-3d",
    title="A diffusion model of small molecules in space, in an equivariant network",
    config=EquivariantConfig(len(HEAVY_ELEMENTS), width=80, layers=5),
    optimizer=OptimizerSettings(
        matrix_lr=0.02, head_lr=0.005, vector_lr=0.005, betas=(0.9, 0.99)
    ),
    batch_size=64,
    steps=7_000,
    warmup_steps=100,
    ema_decay=0.999,
)
"""The model that chapter 29 loads."""
