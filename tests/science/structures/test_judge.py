"""The ruler, measured on real molecules before anything else is."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch

from genai_tutorial.data import load_ligand_split, load_ligands
from genai_tutorial.science.structures import (
    Geometry,
    accepted_smiles,
    aligned_rmsd,
    alpha_carbon_hands,
    bond_pairs,
    expert_positions,
    judge_structure,
    judge_structures,
    noised,
    random_rotations,
    shuffled_elements,
    symmetric_rmsd,
)

CARBON, OXYGEN, FLUORINE = 0, 2, 3
METHANOL_LIKE = Geometry(
    torch.tensor([CARBON, CARBON, OXYGEN]),
    torch.tensor([[0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [2.0, 1.3, 0.0]]),
)


@pytest.fixture(scope="module")
def held_out():
    pytest.importorskip("biotite")
    return load_ligand_split()[1]


def test_ruler_finds_all_real_bonds_and_no_others(held_out):
    for molecule in held_out:
        found = {tuple(pair) for pair in bond_pairs(molecule).tolist()}
        assert found == {tuple(sorted(pair)) for pair in molecule.bonds.tolist()}


@pytest.mark.slow
def test_ruler_accepts_real_molecules_and_rejects_noise(held_out):
    generator = torch.Generator().manual_seed(0)
    real = judge_structures(held_out)
    assert real.connected == real.clash_free == 1.0
    assert real.sound >= 0.98
    mean, deviation = real.carbon_bonds
    assert 1.4 < mean < 1.54
    assert deviation < 0.1
    shares = [
        judge_structures(noised(held_out, sigma, generator)).sound
        for sigma in (0.1, 0.2, 0.3)
    ]
    assert real.sound > shares[0] > shares[1] + 0.3 > shares[2] + 0.4
    assert judge_structures(shuffled_elements(held_out, generator)).sound < 0.7


def test_ruler_needs_connection_because_distant_atoms_keep_every_valence():
    apart = Geometry(torch.tensor([CARBON, CARBON, FLUORINE]), 10.0 * torch.eye(3))
    verdict = judge_structure(apart)
    assert verdict.valences_kept
    assert verdict.clash_free
    assert not verdict.connected
    assert not verdict.sound


def test_ruler_sees_clashes_and_overfull_atoms():
    close = Geometry(
        torch.tensor([CARBON, CARBON]), torch.tensor([[0.0, 0, 0], [0.9, 0, 0]])
    )
    assert not judge_structure(close).clash_free
    star = torch.tensor([[0.0, 0, 0], [1.3, 0, 0], [-1.3, 0, 0]])
    fluorine = judge_structure(Geometry(torch.tensor([FLUORINE, CARBON, CARBON]), star))
    assert not fluorine.valences_kept
    assert judge_structure(Geometry(torch.tensor([OXYGEN, CARBON, CARBON]), star)).sound


def test_ruler_does_not_depend_on_the_pose():
    rotation = random_rotations(1, torch.Generator().manual_seed(0))[0]
    moved = METHANOL_LIKE._replace(positions=METHANOL_LIKE.positions @ rotation.T + 5.0)
    assert torch.equal(bond_pairs(moved), bond_pairs(METHANOL_LIKE))
    assert judge_structure(moved) == judge_structure(METHANOL_LIKE)


def test_judge_structures_rejects_an_empty_list():
    with pytest.raises(ValueError, match="no molecules to judge"):
        judge_structures([])


def test_accepted_smiles_names_the_skeleton(held_out):
    pytest.importorskip("rdkit")
    assert accepted_smiles(METHANOL_LIKE) == "CCO"
    far = METHANOL_LIKE._replace(positions=10 * METHANOL_LIKE.positions)
    assert accepted_smiles(far) is None
    accepted = [accepted_smiles(each) is not None for each in held_out]
    assert sum(accepted) / len(accepted) > 0.95


def test_expert_places_the_atoms_of_rigid_molecules():
    """Benzene and phenol; lysine, whose bonds can turn, comes out differently."""
    pytest.importorskip("biotite")
    pytest.importorskip("rdkit")
    named = {ligand.name: ligand for ligand in load_ligands(12)}
    for name, bound in (("BNZ", 0.1), ("IPH", 0.1)):
        molecule = named[name]
        found = expert_positions(molecule, 5)
        target = molecule.positions.expand(5, -1, -1)
        mask = torch.ones(target.shape[:2], dtype=torch.bool)
        assert aligned_rmsd(found, target, mask).min() < bound, name
    placed = expert_positions(named["LYS"], 2)
    assert (placed[0] - placed[1]).abs().max() > 0.1


def test_symmetric_rmsd_is_the_best_over_all_exchanges_of_equivalent_atoms():
    """All permutations that keep the elements and the symmetrized bonds, by hand."""
    pytest.importorskip("biotite")
    pytest.importorskip("rdkit")
    named = {molecule.name: molecule for molecule in load_ligands()}
    generator = torch.Generator().manual_seed(0)
    # acetate: two equivalent oxygens; glycine: the two oxygens of its acid;
    # methoxyethane: nothing to exchange
    for name, exchanges in (("ACT", 2), ("GLY", 2), ("2ME", 1)):
        molecule = named[name]
        noise = torch.randn(3, len(molecule), 3, generator=generator)
        positions = molecule.positions + 0.3 * noise
        orders = _exchanges(molecule)
        assert len(orders) == exchanges, name
        target = molecule.positions.expand(3, -1, -1)
        mask = torch.ones(target.shape[:2], dtype=torch.bool)
        by_hand = torch.stack(
            [aligned_rmsd(positions[:, order], target, mask) for order in orders]
        ).amin(dim=0)
        found = symmetric_rmsd(molecule, positions)
        assert torch.allclose(found, by_hand, atol=1e-4), name
        swapped = molecule.positions[orders[-1]][None]
        assert symmetric_rmsd(molecule, swapped).item() < 1e-3, name


def _exchanges(molecule):
    """Return the permutations that keep elements and neighbours."""
    pairs = {frozenset(pair) for pair in molecule.bonds.tolist()}
    elements = molecule.elements.tolist()
    return [
        list(order)
        for order in permutations(range(len(molecule)))
        if [elements[k] for k in order] == elements
        and {frozenset(order[k] for k in pair) for pair in pairs} == pairs
    ]


def test_expert_told_the_hands_places_the_hand_of_the_molecule():
    pytest.importorskip("biotite")
    pytest.importorskip("rdkit")
    named = {molecule.name: molecule for molecule in load_ligands()}
    for name in ("ALA", "DAL"):
        hands = [
            alpha_carbon_hands(replace(named[name], positions=placed))
            for placed in expert_positions(named[name], 5, handed=True)
        ]
        assert hands == [alpha_carbon_hands(named[name])] * 5, name
