"""Centring, rotations and alignment."""

import pytest
import torch

from genai_tutorial.data import load_ligands
from genai_tutorial.science.structures import (
    aligned_rmsd,
    alpha_carbon_hands,
    kabsch,
    random_rotations,
    remove_mean,
)
from genai_tutorial.science.structures.graph import handedness


def points(seed, count=7, batch=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, count, 3, generator=generator), generator


def test_remove_mean_ignores_padding_and_is_idempotent():
    x, _ = points(0)
    mask = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    centred = remove_mean(x, mask)
    assert centred.sum(dim=1).abs().max() < 1e-5
    assert (centred[~mask] == 0).all()
    assert torch.allclose(remove_mean(centred, mask), centred, atol=1e-6)


def test_random_rotations_are_rotations_and_have_no_preferred_direction():
    matrices = random_rotations(4000, torch.Generator().manual_seed(0))
    identity = matrices @ matrices.transpose(1, 2)
    assert torch.allclose(identity, torch.eye(3).expand_as(identity), atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(4000), atol=1e-5)
    # the mean of a uniform rotation is zero; standard error 1 / sqrt(3 * 4000)
    assert matrices.mean(dim=0).abs().max() < 0.04
    # and the angle of a uniform rotation is not uniform: its mean is pi / 2 + 2 / pi
    traces = matrices.diagonal(dim1=1, dim2=2).sum(dim=1)
    angles = ((traces - 1) / 2).clamp(-1, 1).acos()
    assert angles.mean().item() == pytest.approx(torch.pi / 2 + 2 / torch.pi, abs=0.04)


def test_kabsch_ignores_atoms_of_weight_zero():
    x, generator = points(2)
    moved = x @ random_rotations(3, generator).transpose(1, 2)
    moved[:, 5:] = 100.0
    mask = torch.arange(7).expand(3, 7) < 5
    assert aligned_rmsd(x, moved, mask).max() < 1e-4
    assert aligned_rmsd(x, moved, torch.ones_like(mask)).min() > 1


def test_kabsch_rejects_weights_that_say_nothing():
    x, _ = points(3)
    with pytest.raises(ValueError, match="weights must not be negative"):
        kabsch(x, x, -torch.ones(3, 7))
    with pytest.raises(ValueError, match="each molecule needs one above zero"):
        kabsch(x, x, torch.zeros(3, 7))


def test_handedness_is_flipped_by_mirrors_and_kept_by_rotations():
    x, generator = points(5, count=4, batch=200)
    hands = handedness(*x.unbind(dim=1))
    turned = x @ random_rotations(200, generator).transpose(1, 2)
    sure = hands != 0
    assert sure.sum() > 50
    assert torch.equal(handedness(*turned.unbind(dim=1))[sure], hands[sure])
    assert torch.equal(handedness(*(-x).unbind(dim=1))[sure], -hands[sure])


def test_alpha_carbon_hands_know_left_from_right_amino_acids():
    pytest.importorskip("biotite")
    named = {ligand.name: ligand for ligand in load_ligands()}
    names = ("ALA", "SER", "VAL", "DAL", "DSN", "GLY")
    # D-alanine and D-serine are left; glycine has no hand
    hands = [alpha_carbon_hands(named[name]) for name in names]
    assert hands == [[1], [1], [1], [-1], [-1], []]
