"""Properties by RDKit: values of known molecules, silence, and a safe table."""

import importlib.util
import io
import pickle

import pytest
import torch

from genai_tutorial.science.molecules import canonical_smiles, log_p, qed
from genai_tutorial.science.molecules.properties import (
    _NumbersOnly,
    _sa_scorer,
    murcko_scaffold,
    parse_smiles,
    synthetic_accessibility,
    tanimoto_similarities,
)

pytest.importorskip("rdkit")

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize("smiles", ["OCC", "C(O)C", "[CH3][CH2][OH]"])
def test_canonical_smiles_is_the_same_for_every_form(smiles):
    assert canonical_smiles(smiles) == "CCO"


@pytest.mark.parametrize("smiles", ["", "C1CC", "c1cccc1", "C(C)(C)(C)(C)C", "?"])
def test_canonical_smiles_is_none_for_invalid_strings_and_stays_silent(smiles, capfd):
    assert canonical_smiles(smiles) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("smiles", ["C" * 200_000, "[" * 50_000])
def test_a_string_that_is_too_long_is_refused_at_once(smiles):
    with pytest.raises(ValueError, match="may have 5,000 characters, got"):
        canonical_smiles(smiles)


def test_properties_of_known_molecules():
    """Values that RDKit's documentation and the original papers give."""
    assert qed(ASPIRIN) == pytest.approx(0.550, abs=0.01)
    assert log_p(ASPIRIN) == pytest.approx(1.31, abs=0.01)
    assert 1 < synthetic_accessibility(ASPIRIN) < 2
    assert murcko_scaffold(ASPIRIN) == "c1ccccc1"


@pytest.mark.parametrize("measure", [qed, log_p, synthetic_accessibility])
def test_properties_reject_invalid_strings(measure):
    with pytest.raises(ValueError, match="'C1CC' is no molecule: check it with"):
        measure("C1CC")


def test_table_of_fragments_never_runs_code():
    with pytest.raises(ValueError, match=r"numbers only, not builtins\.print"):
        _NumbersOnly(io.BytesIO(pickle.dumps(print))).load()


@pytest.mark.slow
def test_synthetic_accessibility_is_the_score_of_rdkits_own_module(molecules):
    """The table is read without unpickling objects, and gives the same scores."""
    scorer = _sa_scorer()
    safely = [synthetic_accessibility(smiles) for smiles in molecules]
    scorer.readFragmentScores()
    assert safely == [scorer.calculateScore(parse_smiles(s)) for s in molecules]


def test_missing_rdkit_is_one_sentence_with_the_line_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as error:
        canonical_smiles("CCCCCCCCCCCCCCCCCCC")
    assert str(error.value) == (
        'rdkit is not installed: run pip install "genai_tutorial[science]" and try '
        "again"
    )


def test_tanimoto_similarity_is_symmetric_and_one_for_the_same(molecules):
    matrix = tanimoto_similarities(molecules, molecules)
    assert torch.equal(matrix, matrix.T)
    assert torch.equal(matrix.diagonal(), torch.ones(len(molecules)))
    assert float(matrix.min()) >= 0
    assert tanimoto_similarities(["OCC"], ["CCO"]).tolist() == [[1.0]]
