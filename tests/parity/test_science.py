"""Structures, peptides and crystals against the libraries that scientists use."""

import numpy as np
import pytest
import torch

from genai_tutorial.data import AMINO_ACIDS, load_crystals
from genai_tutorial.science.crystals.rules import periodic_distances
from genai_tutorial.science.peptides import judge
from genai_tutorial.science.structures import kabsch, karras_sigmas, random_rotations
from genai_tutorial.science.structures.placing import precondition


def test_karras_sigmas_and_preconditioning_are_those_of_diffusers():
    """With AlphaFold 3's settings: σ_data 16 Å, from 160 to 0.0004 times that, ρ 7."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.EDMEulerScheduler(
        sigma_min=0.0064, sigma_max=2560.0, sigma_data=16.0, rho=7.0
    )
    scheduler.set_timesteps(200)
    sigmas = karras_sigmas(200, sigma_data=16.0)
    theirs = scheduler.sigmas[:-1].double()
    assert ((sigmas - theirs).abs() / sigmas).max() < 1e-6
    x, output = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    for sigma in sigmas[::40].float():
        scale = precondition(sigma, sigma_data=16.0)
        inputs = scheduler.precondition_inputs(x, sigma)
        assert torch.allclose(scale.c_in * x, inputs, rtol=1e-6)
        expected = scheduler.precondition_outputs(x, output, sigma)
        ours = scale.c_skip * x + scale.c_out * output
        assert torch.allclose(ours, expected, rtol=1e-5, atol=1e-6)
        noise = scheduler.precondition_noise(sigma)
        assert torch.allclose(scale.c_noise, noise, rtol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_kabsch_is_scipys_align_vectors(mirrored):
    transform = pytest.importorskip("scipy.spatial.transform")
    generator = torch.Generator().manual_seed(int(mirrored))
    moving = torch.randn(20, 9, 3, generator=generator, dtype=torch.float64)
    turned = moving @ random_rotations(20, generator).double().transpose(1, 2)
    fixed = turned + 0.2 * torch.randn(turned.shape, generator=generator)
    if mirrored:
        fixed = -fixed
    weights = torch.rand(20, 9, generator=generator, dtype=torch.float64)
    ours = kabsch(moving, fixed, weights)
    for index in range(20):
        share = (weights[index] / weights[index].sum())[:, None]
        a = moving[index] - (share * moving[index]).sum(dim=0)
        b = fixed[index] - (share * fixed[index]).sum(dim=0)
        rotation, _ = transform.Rotation.align_vectors(
            b.numpy(), a.numpy(), weights=weights[index].numpy()
        )
        expected = torch.from_numpy(rotation.as_matrix())
        assert torch.allclose(ours.rotation[index], expected, atol=1e-9)


def test_peptide_descriptors_are_modlamps():
    descriptors = pytest.importorskip("modlamp.descriptors")
    generator = torch.Generator().manual_seed(0)
    sequences = [
        "".join(
            AMINO_ACIDS[index]
            for index in torch.randint(20, (length,), generator=generator).tolist()
        )
        for length in range(8, 41, 4)
    ]
    whole = descriptors.GlobalDescriptor(sequences)
    whole.calculate_charge(ph=7.4, amide=False)
    # modlamp rounds the charge to three digits
    assert [judge.charge(each) for each in sequences] == pytest.approx(
        whole.descriptor[:, 0].tolist(), abs=6e-4
    )
    scale = descriptors.PeptideDescriptor(sequences, "eisenberg")
    scale.calculate_moment()
    assert [judge.hydrophobic_moment(each) for each in sequences] == pytest.approx(
        scale.descriptor[:, 0].tolist(), abs=1e-9
    )
    scale.calculate_global()
    assert [judge.hydrophobicity(each) for each in sequences] == pytest.approx(
        scale.descriptor[:, 0].tolist(), abs=1e-9
    )


def test_periodic_distances_are_those_of_ase():
    """For 40 real cells, among them skewed ones."""
    ase = pytest.importorskip("ase")
    for crystal in load_crystals()[::6]:
        atoms = ase.Atoms(
            "H" * len(crystal.symbols),
            cell=crystal.lattice.numpy(),
            scaled_positions=crystal.fractional.numpy(),
            pbc=True,
        )
        ours = periodic_distances(crystal.lattice, crystal.fractional)
        theirs = atoms.get_all_distances(mic=True)
        apart = ~np.eye(len(atoms), dtype=bool)
        assert np.allclose(ours.numpy()[apart], theirs[apart], atol=1e-4), crystal.name
