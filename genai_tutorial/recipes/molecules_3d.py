"""The recipe of the diffusion model of small molecules in space."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.data import (
    HEAVY_ELEMENTS,
    Source,
    graph_key,
    load_ligand_split,
)
from genai_tutorial.data.ligands import SOURCE
from genai_tutorial.recipes.recipe import Recipe, RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck
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
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel

SAMPLES = 1000
"""The number of sampled molecules on which a card's scores are measured."""


@dataclass(frozen=True, kw_only=True)
class MoleculeOptions:
    """The options of a model of molecules in space.

    Attributes:
        atoms: The number of heavy atoms; None draws it as in the data.
        steps: The number of sampling steps.

    Raises:
        ValueError: If `atoms` is not from 2 to 12, or `steps` not from 1 to 1,000.
    """

    atoms: int | None = None
    steps: int = 50

    def __post_init__(self):
        if self.atoms is not None and not 2 <= self.atoms <= 12:
            raise ValueError(f"atoms must be from 2 to 12, got {self.atoms}.")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps must be from 1 to 1,000, got {self.steps}.")


@dataclass(frozen=True, kw_only=True)
class Molecules3DRecipe(Recipe):
    """A recipe for a diffusion model of molecules in space.

    Attributes:
        max_atoms: The largest number of heavy atoms.
    """

    config: EquivariantConfig
    optimizer: OptimizerSettings
    max_atoms: int = 9

    source: ClassVar[Source] = SOURCE
    makes: ClassVar[str] = "text"

    @property
    def options(self) -> MoleculeOptions:
        """The default options: a molecule of any size, in 50 steps."""
        return MoleculeOptions()

    def build(self) -> EquivariantNetwork:
        """Return the untrained network."""
        return EquivariantNetwork(self.config, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        train, held_out = load_ligand_split(self.max_atoms)
        generator = torch.Generator().manual_seed(self.seed)
        model = self.build().to(run.device)
        unseen = to_table(held_out)
        model, history = run.fit(
            parallel(model),
            run.batches(to_table(train), self.batch_size, self.seed),
            partial(molecule_loss, generator=generator),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            evaluate=lambda model: held_out_molecule_loss(model, *unseen),
            evaluate_every=500,
            generators=[generator],
        )
        losses = [[point.step, round(point.value, 4)] for point in history.evaluations]
        return Trained(model, history.seconds, {"held_out_while_training": losses})

    def measure(self, model: EquivariantNetwork) -> dict:
        """Return the held-out loss and the ruler's scores of sampled molecules, beside
        those of held-out ones.
        """
        train, held_out = load_ligand_split(self.max_atoms)
        sampled = self.draw_molecules(model, SAMPLES, MoleculeOptions(), seed=0)
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
            "samples": SAMPLES,
            "sampled": _scores(judge_structures(sampled)),
            "held_out": _scores(judge_structures(held_out)),
            "different_share_of_sound": round(len(set(keys)) / max(len(keys), 1), 4),
            "new_share_of_sound": round(
                sum(key not in known for key in keys) / max(len(keys), 1), 4
            ),
        }

    def spot_check(self, loaded: EquivariantNetwork, n: int, seed: int) -> SpotCheck:
        """Measure the share of new samples that are sound."""
        sampled = self.draw_molecules(loaded, n, MoleculeOptions(), seed)
        values = [judge_structure(molecule).sound for molecule in sampled]
        return SpotCheck("sampled.sound", values)

    def summary(self, metrics: dict) -> str:
        """Return the share of sound molecules as a phrase."""
        return (
            f"{metrics['sampled']['sound']:.0%} of its molecules are connected, have "
            "no clashes and keep their valences"
        )

    def draw_molecules(
        self,
        loaded: EquivariantNetwork,
        count: int,
        options: MoleculeOptions,
        seed: int,
    ) -> list[Geometry]:
        """Return sampled molecules."""
        generator = torch.Generator().manual_seed(seed)
        if options.atoms is None:
            train = load_ligand_split(self.max_atoms)[0]
            sizes = draw_sizes(train, count, generator)
        else:
            sizes = torch.full((count,), options.atoms)
        device = next(loaded.parameters()).device
        return sample_molecules(loaded, sizes.to(device), options.steps, generator)

    def write(
        self, loaded: EquivariantNetwork, options: MoleculeOptions, seed: int
    ) -> str:
        """Return a molecule as the text of an XYZ file, which every viewer of molecules
        opens; the best of eight samples if one of them is sound.
        """
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
    return {
        "connected": round(scores.connected, 4),
        "clash_free": round(scores.clash_free, 4),
        "valences_kept": round(scores.valences_kept, 4),
        "sound": round(scores.sound, 4),
        "carbon_bond_mean": round(mean, 4),
        "carbon_bond_deviation": round(deviation, 4),
    }


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
        matrix_lr=0.02,
        head_lr=0.005,
        vector_lr=0.005,
        betas=(0.9, 0.99),
    ),
    batch_size=64,
    steps=7_000,
    warmup_steps=100,
    ema_decay=0.999,
    published=True,
)
"""The model that chapter 29 loads."""
