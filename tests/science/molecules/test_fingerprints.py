"""Fingerprints and similarities."""

import pytest
import torch

from genai_tutorial.science.molecules.properties import (
    fingerprint_counts,
    tanimoto_similarities,
)

pytest.importorskip("rdkit")


def test_tanimoto_similarity_is_symmetric_and_one_for_the_same(molecules):
    matrix = tanimoto_similarities(molecules, molecules)
    assert torch.equal(matrix, matrix.T)
    assert torch.equal(matrix.diagonal(), torch.ones(len(molecules)))
    assert float(matrix.min()) >= 0


def test_tanimoto_similarity_is_the_shared_part_of_the_fingerprints(molecules):
    bits = fingerprint_counts(molecules) > 0
    for i, row in enumerate(tanimoto_similarities(molecules, molecules)):
        for j, similarity in enumerate(row.tolist()):
            both, either = (bits[i] & bits[j]).sum(), (bits[i] | bits[j]).sum()
            assert similarity == pytest.approx(float(both / either))


def test_tanimoto_similarity_does_not_depend_on_the_form_of_the_string():
    assert tanimoto_similarities(["OCC"], ["CCO"]).tolist() == [[1.0]]


def test_fingerprints_of_no_molecules_have_no_rows():
    assert fingerprint_counts([], bits=16).shape == (0, 16)
    assert tanimoto_similarities([], ["C"]).shape == (0, 1)
