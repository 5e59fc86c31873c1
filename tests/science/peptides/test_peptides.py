"""The peptide model, its descriptors and its judge."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.data import AMINO_ACIDS, Peptide, load_peptide_split
from genai_tutorial.science.peptides import (
    STUTTERS,
    PeptideJudge,
    flipped,
    measure_peptides,
    peptide_loss,
    shuffled,
    train_peptide_model,
    write_peptides,
)
from genai_tutorial.science.peptides.judge import (
    charge,
    composition,
    hydrophobicity,
    judge_features,
)
from genai_tutorial.science.peptides.model import peptide_rows
from genai_tutorial.transformer import DecoderConfig, DecoderLM

sequences = st.text(AMINO_ACIDS, min_size=8, max_size=40)


@given(sequences, st.integers(0, 100))
def test_shuffling_keeps_sums_over_residues(sequence, seed):
    mixed = shuffled([sequence], torch.Generator().manual_seed(seed))[0]
    assert sorted(mixed) == sorted(sequence)
    assert charge(mixed) == pytest.approx(charge(sequence))
    assert hydrophobicity(mixed) == pytest.approx(hydrophobicity(sequence))
    assert torch.allclose(composition(mixed), composition(sequence))


@pytest.mark.parametrize("sequence", ["KLX", ""])
def test_judge_features_reject_other_letters(sequence):
    message = f"letters ACDEFGHIKLMNPQRSTVWY, got '{sequence}'"
    with pytest.raises(ValueError, match=message):
        judge_features([sequence])


def test_peptide_rows_begin_with_the_label_and_learn_the_residues():
    peptides = [Peptide("ACDEFGHI", True), Peptide("KL" * 20, False)]
    rows = peptide_rows(peptides)
    assert rows.ids.shape == (2, 42)
    assert rows.ids[0, :9].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert rows.ids[0, 9].item() == 0
    assert rows.is_answer.sum(dim=1).tolist() == [9, 41]
    assert not rows.is_answer[:, 0].any()
    assert rows.ids[1, 0].item() == 1
    assert peptide_rows(flipped(peptides)).ids[:, 0].tolist() == [1, 2]


def test_peptide_loss_of_a_model_without_knowledge_is_log_of_the_vocabulary():
    model = DecoderLM(DecoderConfig(23, context_length=42, width=8, layers=1))
    for weight in model.parameters():
        weight.data.zero_()
    loss = peptide_loss(model, [Peptide("ACDEFGHI", True), Peptide("KLKLKLKL", False)])
    assert loss == pytest.approx(torch.tensor(23.0).log().item(), abs=1e-4)


@pytest.fixture(scope="module")
def split():
    pytest.importorskip("modlamp")
    return load_peptide_split()


@pytest.fixture(scope="module")
def judge(split):
    pytest.importorskip("sklearn")
    return PeptideJudge.train(split.judge)


@pytest.mark.slow
def test_judge_ranks_real_peptides_and_is_fooled_by_shuffled_ones(split, judge):
    """An area of 0.92 under the curve, and it hardly notices that the order is gone."""
    real = [each for each in split.held_out if each.antimicrobial]
    other = [each for each in split.held_out if not each.antimicrobial]
    assert judge.auroc(split.held_out) > 0.88
    mixed = shuffled([each.sequence for each in real], torch.Generator().manual_seed(0))
    sets = {
        "real": [each.sequence for each in real],
        "other": [each.sequence for each in other],
        "mixed": mixed,
        "stutters": STUTTERS,
    }
    scores = {name: measure_peptides(s, judge, split.model) for name, s in sets.items()}
    judged = {name: each.judged_antimicrobial for name, each in scores.items()}
    assert judged["real"] > judged["other"] + 0.5
    assert judged["mixed"] > judged["real"] - 0.12
    assert judged["stutters"] > 0.8
    moments = {name: each.hydrophobic_moment for name, each in scores.items()}
    assert moments["real"] > moments["mixed"] + 0.08
    assert scores["real"].copies == 0


@pytest.mark.slow
def test_peptide_model_reads_its_label(split):
    """In 60 steps the wrong label already costs something."""
    validation = split.validation[:100]
    training = train_peptide_model(split.model, validation, steps=60, evaluate_every=30)
    assert [step for step, _ in training.losses] == [30, 60]
    losses = [loss for _, loss in training.losses]
    assert peptide_loss(training.model, validation) == pytest.approx(min(losses))
    assert peptide_loss(training.last, validation) == pytest.approx(losses[-1])
    right = peptide_loss(training.model, split.held_out)
    wrong = peptide_loss(training.model, flipped(split.held_out))
    assert right < 2.85
    assert wrong > right + 0.05
    generator = torch.Generator().manual_seed(0)
    written = write_peptides(
        training.model, 40, antimicrobial=True, generator=generator
    )
    assert len(written) > 30
    assert all(set(sequence) <= set(AMINO_ACIDS) for sequence in written)


def test_judge_features_hold_composition_sums_and_pairs():
    features = judge_features(["KLKLKLKL"])
    assert features.shape == (1, 423)
    assert features[0, :20].sum().item() == pytest.approx(1)
    assert features[0, 20].item() == pytest.approx(charge("KLKLKLKL"), abs=1e-4)
    assert features[0, 23:].sum().item() == pytest.approx(7 / 8)
    with pytest.raises(ValueError, match="no sequences"):
        measure_peptides([], PeptideJudge(None), [])
