"""The molecules: how they are cleaned, and their split."""

import pytest

from genai_tutorial.data import load_drug_likeness, load_molecule_split, load_molecules
from genai_tutorial.data.molecules import standardize_smiles

pytest.importorskip("rdkit")


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("C[C@H](N)C(=O)O.Cl", "CC(N)C(=O)O"),  # a salt with a handed centre
        ("OC(=O)/C=C/C(=O)O", "O=C(O)C=CC(=O)O"),
        ("CCCC", None),  # four heavy atoms
        ("C" * 41, None),
        ("C[Si](C)(C)CCO", None),
        ("[13CH3]CCCCO", None),
        ("C1CC", None),
        ("", None),
    ],
)
def test_standardize_smiles(smiles, expected, capfd):
    assert standardize_smiles(smiles) == expected
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_molecules_are_distinct_and_already_standard():
    molecules = load_molecules()
    assert 14_000 < len(molecules) < 15_000
    assert len(set(molecules)) == len(molecules)
    assert all(standardize_smiles(smiles) == smiles for smiles in molecules[::500])
    assert not any(mark in smiles for smiles in molecules for mark in "@/\\.")


@pytest.mark.slow
def test_molecule_split_is_complete_and_disjoint():
    train, held_out = load_molecule_split()
    assert len(held_out) == 1_000
    assert sorted(train + held_out) == sorted(load_molecules())
    assert load_molecule_split() == (train, held_out)


@pytest.mark.slow
def test_drug_likeness_is_that_of_each_molecule():
    values = load_drug_likeness()
    assert list(values) == list(load_molecules())
    from rdkit.Chem import QED, MolFromSmiles

    for smiles in list(values)[::2_000]:
        assert values[smiles] == pytest.approx(QED.qed(MolFromSmiles(smiles)))
