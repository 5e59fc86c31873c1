"""The recipe of molecules in space: repeatable runs, its metrics and its files."""

import dataclasses

import pytest
import torch

from genai_tutorial.recipes import molecules
from genai_tutorial.recipes.molecules import MOLECULES_3D, to_xyz
from genai_tutorial.recipes.sampling import set_options
from genai_tutorial.science.structures import EquivariantConfig, Geometry
from tests.recipes.spot_check import spot_check

pytest.importorskip("biotite")

TINY = dataclasses.replace(
    MOLECULES_3D,
    config=EquivariantConfig(8, width=8, layers=1),
    batch_size=4,
    steps=6,
    warmup_steps=1,
)


@pytest.mark.slow
def test_molecule_run_resumes_and_its_metrics_hold_real_molecules_beside_samples(
    resumes, monkeypatch
):
    monkeypatch.setattr(molecules, "STRUCTURES", 10)
    model = resumes(TINY, molecules, "molecule_loss").model
    metrics = TINY.measure(model)
    assert 1.5 < metrics["held_out_loss"] < 2.5
    assert metrics["held_out"]["sound"] > 0.98 > metrics["sampled"]["sound"]
    assert "molecules are connected" in TINY.summary(metrics)
    check = spot_check(TINY, model, n=5, seed=0)
    assert len(check.values) == 5
    assert check.on_card(metrics) == metrics["sampled"]["sound"]


def test_molecule_is_written_as_an_xyz_file():
    options = set_options(TINY, {"atoms": 5, "steps": 3})
    text = TINY.write(TINY.build(), options, seed=3)
    count, comment, *atoms = text.splitlines()
    assert count == "5"
    assert "seed 3" in comment
    assert [len(line.split()) for line in atoms] == [4] * 5
    methane = Geometry(torch.tensor([0, 6]), torch.tensor([[0.0, 0, 0], [1.77, 0, 0]]))
    assert to_xyz(methane, "x").splitlines()[3].split()[0] == "Cl"
