"""Chunks of moves, heads, and the instructed policy."""

import pytest
import torch

from genai_tutorial.policies import (
    FlowHead,
    InstructedPolicy,
    InstructedPolicyConfig,
    MixtureHead,
    RegressionHead,
    make_chunks,
    temporal_ensemble,
)


def test_chunks_hold_the_moves_from_each_time_on():
    moves = torch.arange(10.0).view(5, 2)
    chunks, inside = make_chunks(moves, 3)
    assert torch.equal(chunks[1], moves[1:4])
    assert inside.sum(1).tolist() == [3, 3, 3, 2, 1]
    assert chunks[~inside].abs().sum() == 0


def test_ensemble_reads_the_present_move_of_each_chunk_that_reaches_it():
    chunks = [torch.full((1, 2, 1), float(k)) for k in range(5)]
    assert temporal_ensemble(chunks, rate=0.0).item() == 3.5  # chunks 3 and 4
    assert temporal_ensemble(chunks, rate=1.0).item() < 3.5  # the older weighs more


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="at least one move"):
        make_chunks(torch.zeros(3, 2), 0)
    with pytest.raises(ValueError, match="at least one chunk"):
        temporal_ensemble([])


CONTEXT = torch.zeros(128, 1)
SIDES = torch.tensor([-1.0, 1.0]).repeat(64)[:, None]  # half left, half right


def trained(kind, *settings):
    torch.manual_seed(0)
    head = kind(1, 1, *settings)
    for parameter in head.parameters():
        if parameter.ndim == 2:
            torch.nn.init.xavier_uniform_(parameter)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    for _ in range(800):
        optimizer.zero_grad()
        head.loss(CONTEXT, SIDES, generator).backward()
        optimizer.step()
    return head.sample(CONTEXT, generator)


@pytest.mark.slow
def test_regression_averages_the_two_sides():
    assert trained(RegressionHead).abs().max() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("head", [(MixtureHead, 2), (FlowHead,)])
def test_mixture_and_flow_draw_both_sides(head):
    drawn = trained(*head)
    assert (drawn.abs() > 0.6).float().mean() > 0.8
    assert 0.2 < (drawn > 0).float().mean() < 0.8


@pytest.mark.slow
def test_flow_completes_the_side_that_it_is_given():
    torch.manual_seed(0)
    flow = FlowHead(1, 4)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(flow.parameters(), lr=3e-3)
    for _ in range(800):
        optimizer.zero_grad()
        flow.loss(CONTEXT, SIDES.expand(-1, 4), generator).backward()
        optimizer.step()
    drawn = flow.complete(CONTEXT, SIDES.expand(-1, 3), generator)
    assert torch.equal(drawn[:, :3], SIDES.expand(-1, 3))
    assert (drawn[:, 3:] * SIDES > 0).float().mean() > 0.9


@pytest.mark.parametrize("known", [0, 4])
def test_flow_completes_neither_nothing_nor_everything(known):
    with pytest.raises(ValueError, match="first must hold"):
        FlowHead(1, 4).complete(CONTEXT, SIDES.expand(-1, known), torch.Generator())


def policy(seed=0):
    return InstructedPolicy(InstructedPolicyConfig(words=3, chunk=4, scale=2.0), seed)


def seen():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 32, 32, generator=generator)
    return images, torch.eye(3)[:2], torch.full((2, 2), 16.0)


@pytest.mark.parametrize("head", ["regression", "mixture", "flow"])
def test_policy_reads_the_words(head):
    images, words, gripper = seen()
    images = images[:1].expand(2, -1, -1, -1)
    generator = torch.Generator()
    chunks = policy().act(head, images, words, gripper, generator.manual_seed(0))
    swapped = policy().act(
        head, images, words.flip(0), gripper, generator.manual_seed(0)
    )
    assert chunks.shape == (2, 4, 2)
    assert not torch.equal(chunks[0], swapped[0])


def test_policy_with_the_same_seed_is_the_same():
    first, again, other = policy(), policy(), policy(1)
    assert torch.equal(first.film.weight, again.film.weight)
    assert not torch.equal(first.film.weight, other.film.weight)


def test_policy_without_such_a_head_says_so():
    with pytest.raises(ValueError, match="head must be one of"):
        policy().act("oracle", *seen(), torch.Generator())
