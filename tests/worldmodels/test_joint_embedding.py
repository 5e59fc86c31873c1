import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.training import EMA
from genai_tutorial.worldmodels import (
    EmbeddingTraining,
    JointEmbedding,
    Recording,
    effective_rank,
    train_joint_embedding,
)
from genai_tutorial.worldmodels.joint_embedding import joint_embedding_loss


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def model(seed=0):
    return JointEmbedding(frame=(8,), actions=2, features=6, width=24, seed=seed)


@pytest.fixture(scope="module")
def recording():
    """One pixel walks along a row of eight; its games never end."""
    actions = torch.randint(0, 2, (80, 16), generator=generator())
    moves = 2 * actions - 1
    place = (moves.cumsum(dim=0) - moves) % 8
    frames = 255 * torch.nn.functional.one_hot(place, 8).to(torch.uint8)
    never = torch.zeros(80, 16, dtype=torch.bool)
    return Recording(frames, actions, torch.zeros(80, 16), never, never)


def trained(recording, target, seed=0):
    one = model(seed)
    settings = EmbeddingTraining(target, steps=150, batch_size=64)
    return one, train_joint_embedding(one, recording, settings, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_trained_target_collapses_and_an_untrained_one_does_not(recording, seed):
    spreads = {
        target: trained(recording, target, seed)[1].spreads
        for target in ("trained", "stopped", "average")
    }
    assert spreads["trained"][-1] < 0.1 * spreads["trained"][0]
    assert spreads["stopped"][-1] > spreads["stopped"][0]
    assert spreads["average"][-1] > spreads["average"][0]


def test_given_target_gets_no_gradient_and_an_own_one_does(recording):
    windows = recording.windows(recording.unbroken_starts(2)[:16], 2)
    one = model()
    own = one.encode(*windows.frames[1:]).detach()
    gradients = []
    for target in (None, own):
        one.zero_grad()
        loss = joint_embedding_loss(one, windows.frames, windows.actions[1], target)
        loss.backward()
        gradients.append((loss.detach(), one.encoder[0].weight.grad.clone()))
    assert torch.allclose(gradients[0][0], gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1])


def test_average_target_comes_from_the_averaged_weights(recording):
    """The first step's target is the model itself, the later ones lag behind it."""
    one, history = trained(recording, "average")
    _, stopped = trained(recording, "stopped")
    assert history.losses[0] == pytest.approx(stopped.losses[0])
    assert history.losses[5] != stopped.losses[5]
    assert EMA(one, 0.98).model.encoder[0].weight.requires_grad is False


@given(rank=st.integers(1, 6))
def test_effective_rank_counts_equal_directions(rank):
    axes = torch.eye(6)[:rank]
    assert effective_rank(torch.cat([axes, -axes])) == pytest.approx(rank, abs=1e-4)


def test_effective_rank_is_below_the_number_of_unequal_directions():
    points = torch.randn(500, 6, generator=generator())
    assert 5.5 < effective_rank(points) <= 6
    assert effective_rank(points * torch.tensor([9.0, 1, 1, 1, 1, 1])) < 2
    shifted = points + 100
    assert effective_rank(shifted) == pytest.approx(effective_rank(points), rel=1e-3)


def test_training_refuses_an_unknown_target():
    with pytest.raises(ValueError, match="target must be one of trained, stopped"):
        EmbeddingTraining("frozen")
