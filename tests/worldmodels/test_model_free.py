import pytest
import torch

from genai_tutorial.worldmodels import (
    PixelAgent,
    PixelPlayer,
    PPOLearner,
    WorldStep,
    lambda_returns,
    learn_by_playing,
)
from genai_tutorial.worldmodels.model_free import TwoFrames


class Signals:
    """A world of one pixel, bright or dark; action 1 pays when it is bright, action 0
    when it is dark. Every fourth step cuts the episode off.
    """

    n_actions = 2

    def __init__(self, games=32, seed=0):
        self.games, self.age = games, 0
        self.generator = torch.Generator().manual_seed(seed)
        self._draw()

    def _draw(self):
        self.bright = torch.rand(self.games, 1, generator=self.generator) < 0.5

    @property
    def frames(self):
        return self.bright.float()

    def step(self, actions):
        rewards = (actions == self.bright[:, 0]).float()
        self.age += 1
        self._draw()
        last = self.frames
        ended = torch.full((self.games,), self.age % 4 == 0)
        return WorldStep(self.frames, rewards, ended, torch.zeros_like(ended), last)


def agent():
    return PixelAgent(frame=(1,), actions=2)


def test_two_frames_are_the_last_and_the_present_one():
    eyes, first = TwoFrames(), torch.tensor([True, True])
    one, two = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0]])
    assert eyes(one, first).tolist() == [[1, 1], [2, 2]]
    assert eyes(two, torch.tensor([False, True])).tolist() == [[1, 3], [4, 4]]


def test_pixel_agent_begins_with_equal_chances():
    logits, values = agent()(torch.rand(5, 2))
    assert torch.equal(logits, logits[:1].expand(5, -1))
    assert values.shape == (5,)


def test_play_credits_the_value_of_the_last_frame_of_an_episode_cut_off():
    learner = PPOLearner(agent(), Signals(games=3))
    with torch.no_grad():
        learner.agent.critic[-1].bias.fill_(8.0)
    play = learner.play(5)
    # the fourth step ends an episode whose next value would have been 8
    assert torch.allclose(play.returns[:, 3], play.rewards[:, 3] + 0.97 * 8.0)


def test_play_returns_are_lambda_returns_within_an_episode():
    learner = PPOLearner(agent(), Signals(games=3))
    play = learner.play(3)
    after = learner.agent(learner._seen)[1].detach()
    expected = lambda_returns(
        play.rewards.T,
        torch.cat([play.values.T, after[None]]),
        torch.ones(3, 3),
    )
    assert torch.allclose(play.returns.T, expected, atol=1e-6)


@pytest.mark.slow
def test_learning_by_playing_finds_what_pays():
    learner = PPOLearner(agent(), Signals())
    rewards = learn_by_playing(learner, 32 * 32 * 25, progress=False)
    assert len(rewards) == 25
    # random buttons are right half of the time
    assert rewards[0] < 0.6
    assert rewards[-1] > 0.9


def test_same_seeds_give_the_same_agent():
    agents = [agent(), agent()]
    for one in agents:
        learn_by_playing(PPOLearner(one, Signals(), seed=3), 64, progress=False)
    for first, second in zip(*(one.parameters() for one in agents), strict=True):
        assert torch.equal(first, second)


def test_pixel_player_takes_the_most_probable_action():
    one = agent()
    with torch.no_grad():
        one.actor[-1].bias.copy_(torch.tensor([0.0, 1.0]))
    player = PixelPlayer(one)
    assert player(torch.rand(4, 1), torch.ones(4, dtype=torch.bool)).tolist() == [1] * 4

    with pytest.raises(ValueError, match="at least one step, got 0"):
        learn_by_playing(PPOLearner(one, Signals()), 0)
