import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.worldmodels import (
    CodeEnsemble,
    DreamState,
    Imagined,
    Recording,
    WorldModel,
    WorldModelConfig,
    disagreement,
    penalized,
    train_ensemble,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(seed=st.integers(0, 1000), heads=st.integers(2, 5))
def test_disagreement_lies_between_zero_and_the_entropy_of_the_heads(seed, heads):
    logits = 5 * torch.randn(heads, 7, 3, 4, generator=generator(seed))
    apart = disagreement(logits)
    assert (apart >= 0).all()
    assert (apart <= 3 * torch.tensor(float(heads)).log() + 1e-5).all()


def test_disagreement_is_the_mean_divergence_from_the_mean():
    logits = torch.randn(3, 5, 2, 4, generator=generator())
    heads = torch.distributions.Categorical(logits=logits)
    mean = torch.distributions.Categorical(probs=heads.probs.mean(dim=0))
    expected = torch.distributions.kl_divergence(heads, mean).mean(dim=0).sum(dim=-1)
    assert torch.allclose(disagreement(logits), expected, atol=1e-6)


def test_disagreement_is_none_where_all_heads_are_equally_uncertain():
    logits = torch.randn(1, 6, 2, 4, generator=generator()).expand(4, -1, -1, -1)
    assert disagreement(logits).abs().max() < 1e-5


def recording(games=8, time=60):
    """One pixel walks along a row of eight, to the right or to the left."""
    actions = torch.randint(0, 2, (time, games), generator=generator())
    place = (torch.cumsum(2 * actions - 1, dim=0) - (2 * actions - 1)) % 8
    frames = 255 * torch.nn.functional.one_hot(place, 8).to(torch.uint8)
    never = torch.zeros(time, games, dtype=torch.bool)
    return Recording(frames, actions, torch.zeros(time, games), never, never)


@pytest.fixture
def model():
    config = WorldModelConfig(
        frame=(8,), actions=2, groups=2, codes=4, hidden=16, memory=8
    )
    return WorldModel(config)


def test_training_lowers_the_loss_and_leaves_the_world_model_alone(model):
    before = [weight.clone() for weight in model.parameters()]
    ensemble = CodeEnsemble(memory=8, groups=2, codes=4, heads=3, width=16)
    history = train_ensemble(ensemble, model, recording(), 80, length=8, progress=False)
    assert history.losses[-1] < 0.7 * history.losses[0]
    for old, weight in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, weight)


def test_heads_begin_with_different_weights():
    first, second, *_ = CodeEnsemble(heads=3).heads
    assert not torch.equal(first[0].weight, second[0].weight)


def test_penalized_dreams_pay_less_by_the_weighted_disagreement():
    ensemble = CodeEnsemble(memory=8, groups=2, codes=4, heads=3)
    states = DreamState(
        torch.randn(5, 6, 8, generator=generator()), torch.zeros(5, 6, 8)
    )
    dreams = Imagined(
        states,
        torch.zeros(4, 6, dtype=torch.int64),
        torch.ones(4, 6),
        torch.ones(4, 6),
    )
    apart = disagreement(ensemble(states.memory[1:])).detach()
    assert torch.allclose(penalized(dreams, ensemble, 0.5).rewards, 1 - 0.5 * apart)
    assert torch.equal(penalized(dreams, ensemble, 0).rewards, dreams.rewards)


def test_ensemble_refuses_a_single_head():
    with pytest.raises(ValueError, match="at least two heads, got 1"):
        CodeEnsemble(heads=1)
