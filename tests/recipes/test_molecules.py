"""The molecule recipe: repeatable runs, its metrics, its options, and its model."""

import dataclasses

import pytest
import torch

from genai_tutorial.data import load_molecule_split
from genai_tutorial.recipes import load, molecules
from genai_tutorial.recipes.molecules import MOLECULES, held_out_losses
from genai_tutorial.science.molecules import MoleculeModel, canonical_smiles, qed
from genai_tutorial.transformer import AttentionConfig, DecoderConfig
from tests.recipes.spot_check import spot_check, write

pytest.importorskip("rdkit")

TINY = dataclasses.replace(
    MOLECULES,
    config=DecoderConfig(
        MOLECULES.config.vocab_size,
        MOLECULES.config.context_length,
        width=8,
        layers=1,
        attention=AttentionConfig(heads=2),
    ),
    batch_size=2,
    steps=6,
    warmup_steps=1,
)


@pytest.mark.slow
def test_molecule_run_resumes(resumes):
    resumes(TINY, molecules, "label_dropout_loss")


def test_held_out_losses_leave_out_nothing_but_long_molecules():
    model = MoleculeModel(TINY.build().eval(), MOLECULES.tokenizer)
    losses = held_out_losses(model, ["CCO", "C" * 200, "c1ccccc1"])
    assert len(losses) == 2
    assert losses[0] < losses[1]  # an untrained model: longer is less probable


@pytest.mark.slow
def test_sampled_molecules_come_with_their_drug_likeness():
    text = write("molecules", molecules=8, seed=3)
    assert text == write("molecules", molecules=8, seed=3)
    for line in text.splitlines():
        value, smiles = line.split()
        assert canonical_smiles(smiles) == smiles
        assert float(value) == pytest.approx(qed(smiles), abs=0.0051)


@pytest.mark.slow
def test_property_token_moves_the_drug_likeness():
    model = load("molecules")
    generator = torch.Generator().manual_seed(0)
    means = []
    for label in (0, 4):
        drawn = model.sample(60, label=label, temperature=0.8, generator=generator)
        values = [qed(s) for s in map(canonical_smiles, drawn) if s is not None]
        assert len(values) > 20
        means.append(sum(values) / len(values))
    assert means[1] > means[0] + 0.1


@pytest.mark.slow
def test_published_model_knows_molecules_it_has_not_seen():
    """It beats a uniform choice among its tokens by far."""
    _, held_out = load_molecule_split()
    model = load("molecules")
    tokens = sum(len(model.tokenizer.encode(s)) + 1 for s in held_out[:100])
    per_token = sum(held_out_losses(model, held_out[:100])) / tokens
    assert per_token < 1.0 < torch.tensor(44.0).log()


@pytest.mark.slow
def test_molecule_metrics_hold_the_real_molecules_beside_the_samples(monkeypatch):
    monkeypatch.setattr(molecules, "SAMPLES", 40)
    monkeypatch.setattr(molecules, "COOLER_SAMPLES", 20)
    monkeypatch.setattr(molecules, "LABELLED_SAMPLES", 20)
    model = load("molecules")
    assert MOLECULES.tokenizer == model.tokenizer  # of all molecules, before the cut
    train, held_out = (part[:300] for part in load_molecule_split())
    monkeypatch.setattr(molecules, "load_molecule_split", lambda: (train, held_out))
    metrics = MOLECULES.measure(model.decoder)
    assert metrics["held_out"]["validity"] == 1
    assert metrics["failures"]["valid"] == metrics["sampled"]["valid"]
    assert "are molecules" in MOLECULES.summary(metrics)
    check = spot_check(MOLECULES, model, n=100, seed=0)
    mean = sum(check.values) / 100
    assert mean == pytest.approx(metrics[check.metric], rel=0.2)
