"""The two networks and the diffusion of molecules."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.science.structures import (
    AtomTransformer,
    EquivariantConfig,
    EquivariantLayer,
    EquivariantNetwork,
    Geometry,
    MoleculeTable,
    draw_sizes,
    equivariance_error,
    from_table,
    molecule_loss,
    molecule_steps,
    random_rotations,
    sample_molecules,
    to_table,
)
from genai_tutorial.science.structures.diffusion import (
    MOLECULE_SCHEDULE,
    MoleculeDenoiser,
    centred,
    rotate,
)

SIZES = torch.tensor([4, 7, 5])


def molecules(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        Geometry(
            torch.randint(8, (size,), generator=generator),
            2 * torch.randn(size, 3, generator=generator),
        )
        for size in SIZES.tolist()
    ]


def network(kind=EquivariantNetwork, seed=0):
    if kind is EquivariantNetwork:
        model = kind(EquivariantConfig(8, width=16, layers=2), seed)
    else:
        model = kind(8, width=16, layers=2, seed=seed)
    # layers that begin at zero would hide mistakes
    generator = torch.Generator().manual_seed(seed + 1)
    for weight in model.parameters():
        noise = torch.randn(weight.shape, generator=generator)
        weight.data += 0.2 * noise
    return model.eval()


def test_a_layer_moves_atoms_by_hoogebooms_bounded_step():
    """An atom moves by (x_i - x_j) / (|x_i - x_j| + 1) times the network's number."""
    layer = EquivariantLayer(2)
    layer.step_out = torch.nn.Identity()  # and the number is made 1:
    layer.step_in = torch.nn.Linear(2, 1)
    torch.nn.init.zeros_(layer.step_in.weight)
    torch.nn.init.constant_(layer.step_in.bias, 1.2784645)  # silu gives 1
    positions = torch.tensor([[[0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]])
    pairs = 1 - torch.eye(2)[None, :, :, None]
    _, moved = layer(torch.zeros(1, 2, 2), positions, 9 * pairs, pairs)
    torch.testing.assert_close(moved[0, :, 0], torch.tensor([-0.75, 3.75]))


def test_table_and_molecules_are_inverse():
    before = molecules()
    after = from_table(to_table(before))
    for one, two in zip(before, after, strict=True):
        assert torch.equal(one.elements, two.elements)
        centre = one.positions - one.positions.mean(dim=0)
        assert torch.allclose(centre, two.positions, atol=1e-5)
    with pytest.raises(ValueError, match="no molecules"):
        to_table([])


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_equivariant_network_turns_and_mirrors_with_its_input(seed):
    table = to_table(molecules(seed))
    matrices = random_rotations(3, torch.Generator().manual_seed(seed))
    t = torch.tensor([0.0, 500.0, 999.0])
    model = network(seed=seed % 7)
    assert equivariance_error(model, table, matrices, t) < 2e-5
    assert equivariance_error(model, table, -matrices, t) < 2e-5


def test_transformer_does_not_turn_with_its_input():
    table = to_table(molecules())
    matrices = random_rotations(3, torch.Generator().manual_seed(0))
    error = equivariance_error(network(AtomTransformer), table, matrices, torch.ones(3))
    assert error > 0.05


@pytest.mark.parametrize("kind", [EquivariantNetwork, AtomTransformer])
def test_networks_do_not_depend_on_the_order_of_atoms_or_on_padding(kind):
    table = to_table(molecules())
    model, t = network(kind), torch.tensor([3.0, 500.0, 999.0])
    output = model(table.x, t, table.mask)
    assert torch.isfinite(output).all()
    assert (output[~table.mask] == 0).all()
    assert output[..., :3].sum(dim=1).abs().max() < 1e-4
    order = torch.tensor([2, 0, 3, 1, 4, 5, 6])
    moved = model(table.x[:, order], t, table.mask[:, order])
    assert torch.allclose(moved, output[:, order], atol=1e-5)
    alone = model(table.x[:1, :4], t[:1], table.mask[:1, :4])
    assert torch.allclose(alone, output[:1, :4], atol=1e-5)


def test_mirror_image_has_exactly_the_loss_of_the_molecule():
    """With mirrored noise: an equivariant network cannot prefer one hand."""
    table, model = to_table(molecules()), network()
    generator = torch.Generator().manual_seed(0)
    noise = centred(torch.randn(table.x.shape, generator=generator), table.mask)
    t = torch.full((3,), 400.0)
    mirror = -torch.eye(3).expand(3, 3, 3)

    def error(x, noise):
        noisy = MOLECULE_SCHEDULE.add_noise(x, noise, t)
        return (model(noisy, t, table.mask) - noise).square().sum(dim=(1, 2))

    first = error(table.x, noise)
    both = error(rotate(table.x, mirror), rotate(noise, mirror))
    assert torch.allclose(both, first, rtol=1e-5)
    assert not torch.allclose(error(table.x, rotate(noise, mirror)), first, rtol=1e-3)


def test_molecule_loss_of_predicting_nothing_is_just_below_two():
    """The positions lose one atom's noise to the mean, the elements nothing."""
    table = to_table(
        [Geometry(torch.zeros(5, dtype=torch.long), torch.randn(5, 3))] * 4000
    )
    loss = molecule_loss(
        lambda x, t, mask: torch.zeros_like(x),
        *table,
        generator=torch.Generator().manual_seed(0),
    )
    assert loss.item() == pytest.approx(1 - 1 / 5 + 1, abs=0.02)


def oracle_of(table):
    """Return a model that knows the molecules, and so the noise."""

    def oracle(x, t, mask):
        level = MOLECULE_SCHEDULE.levels(t, x)
        return (x - level.signal * table.x) / level.noise

    return oracle


def test_molecule_loss_of_a_perfect_prediction_is_zero():
    table, t = to_table(molecules()), torch.tensor([100.0, 500.0, 900.0])
    generator = torch.Generator().manual_seed(0)
    loss = molecule_loss(oracle_of(table), *table, generator=generator, timesteps=t)
    assert loss.item() < 1e-6


def test_denoiser_ignores_a_shift_and_whatever_stands_in_the_padding():
    table = to_table(molecules())
    denoise = MoleculeDenoiser(network(), table.mask)
    dirty = table.x.clone()
    dirty[..., :3] += 5.0
    dirty[~table.mask] = 7.0
    for one, two in zip(denoise(table.x, 300), denoise(dirty, 300), strict=True):
        assert torch.allclose(one, two, atol=1e-4)
    x0 = denoise(table.x, 300).x0
    assert x0[..., :3].sum(dim=1).abs().max() < 1e-4


def test_samples_recover_what_an_oracle_knows():
    table = to_table(molecules())
    generator = torch.Generator().manual_seed(0)
    drawn = sample_molecules(oracle_of(table), SIZES, 20, generator)
    for molecule, expected in zip(drawn, from_table(table), strict=True):
        assert torch.equal(molecule.elements, expected.elements)
        assert torch.allclose(molecule.positions, expected.positions, atol=1e-2)


def test_molecule_steps_show_the_molecules_on_the_way():
    generator = torch.Generator().manual_seed(0)
    walk = list(molecule_steps(network(), SIZES, 5, generator))
    assert [step.t for step, _ in walk] == [999, 799, 599, 399, 199]
    for _, table in walk:
        assert isinstance(table, MoleculeTable)
        assert [len(each.elements) for each in from_table(table)] == SIZES.tolist()
    again = sample_molecules(network(), SIZES, 5, torch.Generator().manual_seed(0))
    last = from_table(walk[-1][1])
    assert torch.equal(again[0].positions, last[0].positions)


def test_draw_sizes_follows_the_data():
    sizes = draw_sizes(molecules(), 300, torch.Generator().manual_seed(0))
    assert set(sizes.tolist()) == {4, 5, 7}
