"""Kinds of invalid strings."""

import pytest

from genai_tutorial.science.molecules import count_failures, smiles_failure
from genai_tutorial.science.molecules.smiles import FAILURES

pytest.importorskip("rdkit")


@pytest.mark.parametrize(
    ("smiles", "failure"),
    [
        ("CCO", "valid"),
        ("", "grammar"),
        ("C1CC", "grammar"),
        ("CC(C", "grammar"),
        ("CC)C", "grammar"),
        ("c1cccc1", "aromaticity"),
        ("cC", "aromaticity"),
        ("CCOC(=O)C(=NOC(=O)C1C(C)=O)c2ccccc2n1(C)C", "aromaticity"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("CN(C)(C)C", "valence"),
        ("FCF(C)c1cccc1", "valence"),
    ],
)
def test_smiles_failure_names_the_first_check(smiles, failure, capfd):
    assert smiles_failure(smiles) == failure
    assert capfd.readouterr() == ("", "")


def test_count_failures_counts_every_string(molecules):
    counts = count_failures([*molecules, "C1CC", "c1cccc1"])
    assert tuple(counts) == FAILURES
    assert list(counts.values()) == [len(molecules), 1, 1, 0]
