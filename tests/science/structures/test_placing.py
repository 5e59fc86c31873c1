"""AlphaFold 3's diffusion module in small."""

import pytest
import torch

from genai_tutorial.data import Ligand
from genai_tutorial.science.structures import (
    StructureNetwork,
    aligned_rmsd,
    kabsch,
    karras_sigmas,
    place_atoms,
    structure_loss,
    to_graphs,
    to_positions,
)


def ligand(name, elements, bonds, orders):
    generator = torch.Generator().manual_seed(len(elements))
    positions = torch.randn(len(elements), 3, generator=generator)
    return Ligand(
        name,
        torch.tensor(elements),
        positions - positions.mean(dim=0),
        torch.tensor(bonds),
        torch.tensor(orders),
        torch.zeros(len(elements), dtype=torch.long),
    )


CHAIN = ligand("chain", [0, 1, 0, 2, 0], [[0, 1], [1, 2], [2, 3], [3, 4]], [1, 2, 1, 3])
RING = ligand("ring", [0, 0, 0, 0], [[0, 1], [1, 2], [2, 3], [3, 0]], [1, 1, 1, 1])


def tiny():
    model = StructureNetwork(width=16, layers=2)
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn(
            weight.shape, generator=torch.Generator().manual_seed(weight.numel())
        )
    return model.eval()


def test_to_positions_pads_with_zeros():
    positions = to_positions([CHAIN, RING])
    assert positions.shape == (2, 5, 3)
    assert torch.equal(positions[1, :4], RING.positions)
    assert torch.equal(positions[1, 4], torch.zeros(3))


def test_graphs_count_bonds_between_atoms():
    graphs = to_graphs([CHAIN, RING])
    # 0 the same atom, 1 to 3 the order of a bond, then 2 more than the bonds between
    assert graphs.relations[0].tolist() == [
        [0, 1, 4, 5, 6],
        [1, 0, 2, 4, 5],
        [4, 2, 0, 1, 4],
        [5, 4, 1, 0, 3],
        [6, 5, 4, 3, 0],
    ]
    assert graphs.relations[1, :4, :4].tolist() == [
        [0, 1, 4, 1],
        [1, 0, 1, 4],
        [4, 1, 0, 1],
        [1, 4, 1, 0],
    ]
    assert graphs.mask.tolist() == [[True] * 5, [True] * 4 + [False]]
    assert graphs.repeated(3).mask.shape == (6, 5)


def test_karras_sigmas_need_two_steps():
    with pytest.raises(ValueError, match="steps must be at least 2"):
        karras_sigmas(1)


def test_structure_network_ignores_padding_and_reads_the_graph():
    model = tiny()
    graphs = to_graphs([CHAIN, RING])
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([1.0, 1.0])
    placed = model(x, sigma, graphs)
    alone = model(x[1:, :4], sigma[1:], to_graphs([RING]))
    assert torch.allclose(placed[1:, :4], alone, atol=1e-5)
    assert (placed[1, 4] == 0).all()
    single = graphs.relations.clone()
    single[(single == 2) | (single == 3)] = 1
    other = model(x, sigma, graphs._replace(relations=single))
    assert not torch.allclose(placed[0], other[0], atol=1e-3)


def test_structure_loss_of_the_true_positions_is_zero():
    graphs, positions = to_graphs([CHAIN, RING]), to_positions([CHAIN, RING])

    def oracle(x, sigma, graphs):
        return positions  # in another pose than the loss's

    def loss(model):
        generator = torch.Generator().manual_seed(0)
        return structure_loss(model, positions, *graphs, generator=generator).item()

    assert loss(oracle) < 1e-5
    assert loss(lambda x, sigma, graphs: 1e-3 * x) > 0.5


def test_place_atoms_arrives_where_an_oracle_points():
    """Up to the pose: the sampler turns the atoms at each step."""
    graphs = to_graphs([CHAIN]).repeated(4)
    target = CHAIN.positions.expand(4, -1, -1)

    def oracle(x, sigma, graphs):
        return kabsch(target, x, graphs.mask.float()).apply(target)

    *_, placed = place_atoms(oracle, graphs, 30, torch.Generator().manual_seed(0))
    assert aligned_rmsd(placed, target, graphs.mask).max() < 0.05
    # each copy in another pose
    assert (placed[0] - placed[1]).abs().max() > 0.1


def test_place_atoms_depends_on_the_generator_alone():
    graphs = to_graphs([RING])
    drawn = [
        list(place_atoms(tiny(), graphs, 5, torch.Generator().manual_seed(seed)))
        for seed in (0, 0, 1)
    ]
    assert len(drawn[0]) == 5
    assert torch.equal(drawn[0][-1], drawn[1][-1])
    assert not torch.equal(drawn[0][-1], drawn[2][-1])
