"""ControlNet: without training it changes nothing, and then it learns in two steps."""

import torch

from genai_tutorial.diffusion import ControlNet, Residuals, UNet, UNetConfig
from tests.drawn import stirred

CONFIG = UNetConfig(
    image_channels=4, patch_size=1, channels=(8, 16), groups=4, image_size=8
)
X, T, LABELS = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 700.0]), torch.tensor([1, 2])
HINT = torch.rand(2, 1, 32, 32)


def both():
    network = stirred(UNet(CONFIG), 0).requires_grad_(False)
    control = ControlNet(CONFIG, 1)
    control.copy_from(network)
    return network, control


def predict(network, control):
    residuals = control(X, *network.embed(X, T, LABELS), HINT)
    return network(X, T, LABELS, residuals)


def test_untrained_control_net_changes_nothing_and_is_a_copy():
    network, control = both()
    assert torch.equal(predict(network, control), network(X, T, LABELS))
    for ours, theirs in zip(
        control.middle.parameters(), network.middle.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
        assert (ours.requires_grad, theirs.requires_grad) == (True, False)


def test_zero_convolutions_learn_first_and_the_copy_after_them():
    network, control = both()
    predict(network, control).square().sum().backward()
    assert control.middle_zero.weight.grad.abs().max() > 0
    assert control.skip_zeros[0].weight.grad.abs().max() > 0
    assert all(not one.grad.any() for one in control.stem.parameters())
    with torch.no_grad():
        control.middle_zero.weight.fill_(0.1)
    predict(network, control).square().sum().backward()
    assert control.stem.weight.grad.abs().max() > 0
    assert control.hint_zero.weight.grad.abs().max() > 0
    assert not control.hint[0].weight.grad.any()  # behind a layer that is still zero


def test_residuals_are_scaled_in_skips_and_bottleneck():
    skip, middle = torch.ones(1, 2, 4, 4), torch.full((1, 3, 2, 2), 2.0)
    half = Residuals([skip, skip], middle).scaled(0.5)
    assert [float(one.mean()) for one in (*half.skips, half.middle)] == [0.5, 0.5, 1.0]
