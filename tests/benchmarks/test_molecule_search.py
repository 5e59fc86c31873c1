"""Random changes of molecules: what one change does, and what the search returns."""

from random import Random

import pytest
import torch

from benchmarks.molecule_search import (
    HillClimbSettings,
    change_at_random,
    change_token,
)
from genai_tutorial.science.molecules import canonical_smiles, split_smiles

pytest.importorskip("rdkit")

START = ["CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCl", "OCCO", "CCCC", "C1CCCCC1"]


def test_one_token_is_removed_replaced_or_inserted():
    random, lengths = Random(0), set()
    for _ in range(100):
        changed = split_smiles(change_token("CCBrO", ["N", "Cl"], random))
        lengths.add(len(changed))
        kept = [token for token in changed if token not in ("N", "Cl")]
        assert len(kept) in (3, 4)
        assert kept in (
            ["C", "C", "Br", "O"],
            ["C", "Br", "O"],
            ["C", "C", "O"],
            ["C", "C", "Br"],
        )
    assert lengths == {3, 4, 5}


@pytest.mark.parametrize("free", [True, False])
def test_changes_find_new_molecules_with_more_oxygen(free):
    def oxygen(molecules):
        return torch.tensor([float(each.count("O")) for each in molecules])

    settings = HillClimbSettings(rounds=16, samples=8, keep=4, seed=0)
    found, tried = change_at_random(START, oxygen, settings, free_when_invalid=free)
    assert len(set(found)) == len(found)
    assert not set(found) & set(START)
    assert all(canonical_smiles(each) == each for each in found)
    assert oxygen(found).max() > oxygen(START).max()
    scored = (settings.rounds - 1) * settings.samples
    assert tried > scored if free else tried == scored
