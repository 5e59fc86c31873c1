import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.worldmodels import best_renaming, latent_action_loss
from tests.drawn import seeded


@given(seed=st.integers(0, 1000))
def test_loss_is_that_of_a_mixture_with_equal_weights(seed):
    scores = 3 * torch.randn(6, 3, generator=seeded(seed))
    expected = -scores.double().exp().mean(dim=1).log().mean()
    assert float(latent_action_loss(scores)) == pytest.approx(float(expected), abs=1e-4)


def test_loss_gradient_is_the_posterior():
    scores = torch.randn(1, 3, generator=seeded()).requires_grad_()
    latent_action_loss(scores).backward()
    assert torch.allclose(-scores.grad, scores.detach().softmax(dim=1))


def test_loss_at_high_temperature_divides_every_frame_equally():
    scores = torch.tensor([[0.0, -5.0, -9.0]], requires_grad=True)
    latent_action_loss(scores, temperature=1e4).backward()
    assert torch.allclose(-scores.grad, torch.full((1, 3), 1 / 3), atol=1e-3)


@given(seed=st.integers(0, 1000))
def test_best_renaming_undoes_any_renaming(seed):
    draw = seeded(seed)
    buttons = torch.randint(0, 3, (50,), generator=draw)
    names = torch.randperm(3, generator=draw)
    assert best_renaming(names[buttons], buttons).agreement == 1


def test_best_renaming_of_one_action_for_everything_is_its_most_frequent_button():
    buttons = torch.tensor([0, 1, 1, 2])
    assert best_renaming(torch.zeros_like(buttons), buttons).agreement == 0.5


def test_latent_actions_refuse():
    with pytest.raises(ValueError, match="above 0, got 0"):
        latent_action_loss(torch.zeros(1, 2), 0)
    with pytest.raises(ValueError, match="at least one step"):
        best_renaming(torch.zeros(0).long(), torch.zeros(0).long())
