import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.replay_learner import (
    BATCH,
    DISCOUNT,
    RATE,
    GreedyPlayer,
    ReplayBuffer,
    ReplayLearner,
    double_q_targets,
)
from genai_tutorial.tasks.paddle_game import PaddleWorld, RandomPlayer
from genai_tutorial.worldmodels import Recording, record_games

CHAPTER = Path(__file__).parents[2] / "notebooks" / "27_world_models.ipynb"


def corridor(steps=60, games=16):
    """A pixel in a row of five: the right end pays 1, the left end -1; both end."""
    generator = torch.Generator().manual_seed(0)
    place, kept = torch.full((games,), 2), []
    for _ in range(steps):
        action = torch.randint(3, (games,), generator=generator)
        frames = torch.zeros(games, 1, 5, dtype=torch.uint8)
        frames[torch.arange(games), 0, place] = 255
        after = place + action - 1
        over = (after == 0) | (after == 4)
        reward = (after == 4).float() - (after == 0).float()
        kept.append((frames, action, reward, over, over))
        place = torch.where(over, 2, after)
    return Recording(*(torch.stack(part) for part in zip(*kept, strict=True)))


def test_double_q_targets_take_the_choice_of_one_network_and_the_value_of_the_other():
    network, slow = nn.Linear(1, 2, bias=False), nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0], [2.0]]))
        slow.weight.copy_(torch.tensor([[30.0], [10.0]]))
    after, rewards = torch.ones(2, 1), torch.tensor([1.0, -1.0])
    targets = double_q_targets(
        network, slow, rewards, after, torch.tensor([False, True])
    )
    assert targets.tolist() == pytest.approx([1 + DISCOUNT * 10, -1])


def test_replay_buffer_shows_the_first_frame_of_an_episode_twice():
    recording = corridor()
    buffer = ReplayBuffer(recording)
    time, game = (recording.ended[:-1].nonzero()[0] + torch.tensor([1, 0])).split(1)
    before, now = buffer.seen(time, game).view(2, 5)
    assert torch.equal(before, now)
    assert now.tolist() == [0, 0, 1, 0, 0]


def test_replay_buffer_leaves_out_steps_without_a_recorded_next_frame():
    recording = corridor()
    recording.terminated[3, 5], recording.ended[3, 5] = False, True
    places = ReplayBuffer(recording).places.tolist()
    assert [3, 5] not in places
    assert max(time for time, _ in places) == len(recording.actions) - 2


@pytest.mark.slow
def test_replay_learner_walks_to_the_rewarded_end():
    recording = corridor()
    learner = ReplayLearner(recording)
    learner.learn(150)
    frames = torch.eye(5)[1:4].view(3, 1, 5)
    first = torch.ones(3, dtype=torch.bool)
    assert GreedyPlayer(learner.network)(frames, first).tolist() == [2, 2, 2]


def test_greedy_player_remembers_the_last_frame_within_an_episode():
    class Echo(nn.Module):
        def forward(self, seen):
            return seen[:, :3]  # the pixels of the frame before

    player = GreedyPlayer(Echo())
    start, later = (
        torch.eye(3)[[0, 0]].view(2, 1, 3),
        torch.eye(3)[[1, 2]].view(2, 1, 3),
    )
    assert player(start, torch.tensor([True, True])).tolist() == [0, 0]
    assert player(later, torch.tensor([False, True])).tolist() == [0, 2]


def test_replay_learner_makes_the_updates_that_chapter_27_writes_by_hand():
    recording = record_games(PaddleWorld(8, seed=0), RandomPlayer(seed=0), 60)
    by_hand = {"torch": torch, "F": F, "real": recording}
    for cell in json.loads(CHAPTER.read_text())["cells"]:
        source = "".join(cell["source"])
        if any(part in source for part in ("usable = ", "def draw(", "def q_update(")):
            exec(source, by_hand)
    learner = ReplayLearner(recording)
    network, slow = deepcopy(learner.network), deepcopy(learner.slow)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        batch = by_hand["draw"](BATCH, generator)
        by_hand["q_update"](network, slow, optimizer, *batch)
    learner.learn(3)
    for ours, theirs in ((network, learner.network), (slow, learner.slow)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-7)
