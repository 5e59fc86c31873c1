"""SELFIES and RDKit's own similarity, beside ours."""

import pytest

from genai_tutorial.data import load_molecule_split
from genai_tutorial.science.molecules import canonical_smiles
from genai_tutorial.science.molecules.metrics import nearest_similarities

rdkit = pytest.importorskip("rdkit")


def test_selfies_spell_every_held_out_molecule():
    """Encoding and decoding by the `selfies` package gives the same molecules."""
    selfies = pytest.importorskip("selfies")
    for smiles in load_molecule_split()[1][:200]:
        decoded = selfies.decoder(selfies.encoder(smiles, strict=False))
        assert canonical_smiles(decoded) == smiles


def test_nearest_similarities_are_those_of_rdkit_pair_by_pair():
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    train, held_out = (part[:40] for part in load_molecule_split())
    generator = GetMorganGenerator(radius=2, fpSize=1024)
    ours, theirs = (
        [generator.GetFingerprint(MolFromSmiles(smiles)) for smiles in part]
        for part in (held_out, train)
    )
    expected = [max(TanimotoSimilarity(one, two) for two in theirs) for one in ours]
    assert nearest_similarities(held_out, train).tolist() == pytest.approx(expected)
