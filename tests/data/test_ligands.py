"""The small molecules in space: what is kept, and a split without leaks."""

import pytest
import torch

from genai_tutorial.data import (
    HEAVY_ELEMENTS,
    graph_key,
    load_ligand_split,
    load_ligands,
)


@pytest.fixture(scope="module")
def ligands():
    pytest.importorskip("biotite")
    return load_ligands(12)


@pytest.mark.slow
def test_ligands_are_centred_complete_and_connected(ligands):
    assert len(ligands) > 5000
    assert len({ligand.name for ligand in ligands}) == len(ligands)
    for ligand in ligands:
        count = len(ligand)
        assert 4 <= count <= 12
        assert ligand.positions.shape == (count, 3)
        assert ligand.charges.shape == (count,)
        assert ligand.positions.isfinite().all()
        assert ligand.positions.mean(dim=0).abs().max() < 1e-4
        assert 0 <= ligand.elements.min() <= ligand.elements.max() < 8
        assert len(ligand.orders) == len(ligand.bonds)
        assert ligand.bonds.min() >= 0
        assert ligand.bonds.max() < count


@pytest.mark.slow
def test_ligand_bonds_have_the_lengths_of_bonds(ligands):
    for ligand in ligands[::20]:
        ends = ligand.positions[ligand.bonds]
        lengths = (ends[:, 0] - ends[:, 1]).norm(dim=1)
        assert 0.9 < lengths.min() <= lengths.max() < 2.6


@pytest.mark.slow
def test_alanine_has_its_known_bonds(ligands):
    alanine = next(ligand for ligand in ligands if ligand.name == "ALA")
    bonds = {
        tuple(sorted((alanine.symbols[first], alanine.symbols[second]))): order
        for (first, second), order in zip(
            alanine.bonds.tolist(), alanine.orders.tolist(), strict=True
        )
    }
    assert bonds[("C", "N")] == 1
    assert sorted(alanine.orders.tolist()) == [1, 1, 1, 1, 2]


def test_load_ligands_rejects_sizes_out_of_range():
    with pytest.raises(ValueError, match="max_atoms must be from 4 to 12, got 3"):
        load_ligands(3)
    with pytest.raises(ValueError, match="got 13"):
        load_ligand_split(13)


@pytest.mark.slow
@pytest.mark.slow
def test_ligand_split_shares_no_bond_graph(ligands):
    train, held_out = load_ligand_split(9)
    assert 200 <= len(held_out) <= 210
    assert len(train) + len(held_out) == sum(len(ligand) <= 9 for ligand in ligands)
    keys = [
        {graph_key(ligand.symbols, ligand.bonds) for ligand in part}
        for part in (train, held_out)
    ]
    assert not keys[0] & keys[1]
    # so a split by entry would leak
    assert len(keys[0]) + len(keys[1]) < len(train) + len(held_out)


def test_graph_key_depends_on_the_graph_and_not_on_the_order_of_atoms():
    ring = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0]])
    two_rings = torch.tensor([[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 3]])
    chain = ring[:-1]
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert graph_key("CCOCNC", ring) == graph_key(
        [("CCOCNC")[order.tolist().index(k)] for k in range(6)], order[ring]
    )
    assert graph_key("CCOCNC", ring) != graph_key("CCOCNC", chain)
    assert graph_key("CCOCNC", ring) != graph_key("CCNCNC", ring)
    assert graph_key("CCOCNC", ring) != graph_key("CCOCNC", two_rings)


@pytest.mark.slow
def test_heavy_elements_all_occur(ligands):
    found = {symbol for ligand in ligands for symbol in ligand.symbols}
    assert found == set(HEAVY_ELEMENTS)


def test_load_ligands_names_the_line_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "genai_tutorial\[science\]"'):
        load_ligands()
