"""The recipe of the diffusion model of small molecules in space."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from genai_tutorial.data import HEAVY_ELEMENTS, Source, load_ligand_split
from genai_tutorial.data.ligands import SOURCE
from genai_tutorial.recipes.recipe import Recipe, RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck
from genai_tutorial.science.equivariant import EquivariantConfig, EquivariantNetwork
from genai_tutorial.science.molecule_diffusion import molecule_loss, to_table
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel


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
        return {}

    def spot_check(self, loaded: EquivariantNetwork, n: int, seed: int) -> SpotCheck:
        return SpotCheck("x", [])

    def summary(self, metrics: dict) -> str:
        return ""


@torch.no_grad()
def held_out_molecule_loss(model, x, mask) -> float:
    """Return the loss with the same noise every time, and timesteps spread evenly."""
    timesteps = torch.linspace(0, 999, len(x)).round().to(x.device)
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
