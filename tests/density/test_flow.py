import pytest
import torch
from torch import nn

from genai_tutorial.density import AffineCoupling, Density, Gaussianize, RealNVP


def make_flow(dim=5, layers=4, seed=0):
    """A flow in double precision, with random weights."""
    torch.manual_seed(seed)
    first = torch.arange(dim) % 2 == 0
    masks = torch.stack([first, ~first] * (layers // 2))
    return RealNVP(
        masks,
        lambda: nn.Sequential(nn.Linear(dim, 16), nn.Tanh(), nn.Linear(16, 2 * dim)),
    ).double()


def rows(n=6, dim=5, seed=1):
    return torch.randn(
        n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_coupling_scales_and_shifts_what_is_not_kept():
    class Two(nn.Module):
        def forward(self, x):
            return torch.tensor([[9.0, 0.5, 9.0, 0.25]]).expand(len(x), 4)

    z, log_det = AffineCoupling(torch.tensor([True, False]), Two())(
        torch.tensor([[3.0, 2.0]])
    )
    scale = 3 * torch.tanh(torch.tensor(0.5 / 3))
    torch.testing.assert_close(z, torch.tensor([[3.0, 2 * scale.exp() + 0.25]]))
    torch.testing.assert_close(log_det, scale[None])


def test_inverse_undoes_the_flow():
    flow, x = make_flow(), rows()
    torch.testing.assert_close(flow.inverse(flow(x)[0]), x)
    torch.testing.assert_close(flow(flow.inverse(x))[0], x)


def test_log_determinant_equals_autograd():
    flow, x = make_flow(), rows()
    _, log_det = flow(x)
    for row, ours in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda y: flow(y[None])[0][0], row
        )
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, ours)


def test_density_integrates_to_one():
    flow = make_flow(dim=2)
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        mass = flow.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-3)


def test_samples_follow_the_density():
    """The mean log-density of samples is minus the entropy, by change of variables."""
    flow = make_flow(dim=2).float()
    assert isinstance(flow, Density)
    drawn = flow.sample(4000, torch.Generator().manual_seed(0))
    z = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(flow(drawn)[0].detach(), z, rtol=0, atol=1e-3)
    assert flow.parameter_count() == 4 * (3 * 16 + 17 * 4)


def test_flow_refuses_masks_that_leave_a_coordinate_alone():
    with pytest.raises(ValueError, match="changed by another"):
        RealNVP(torch.tensor([[True, False]]), lambda: nn.Linear(2, 4))


def levels():
    return torch.randint(
        0, 4, (50, 3), generator=torch.Generator().manual_seed(0)
    ) * torch.tensor([1, 1, 0])


def test_gaussianize_has_the_density_of_the_counts():
    """With independent normal numbers behind it, the table of counts is the model."""
    layer, seen = Gaussianize(levels(), 4), levels()
    x = (seen + 0.3) / 4
    z, log_det = layer(x)
    log_prob = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1) + log_det
    p = layer.probability[torch.arange(3), seen]
    torch.testing.assert_close(log_prob, (4 * p).log().sum(dim=1))
    assert torch.equal(layer.inverse(z), seen)


def test_gaussianize_log_determinant_equals_autograd():
    layer = Gaussianize(levels(), 4)
    x = torch.tensor([[0.1, 0.6, 0.05]], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda y: layer(y[None])[0][0], x[0])
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(layer(x)[1][0], expected)
