import pytest
import torch

from genai_tutorial.training import TokenBatches

TOKENS = torch.arange(1000)


def test_token_batches_targets_are_the_inputs_one_token_later():
    inputs, targets = next(
        TokenBatches(TOKENS, context_length=16, batch_size=5, seed=0)
    )
    assert inputs.shape == targets.shape == (5, 16)
    assert torch.equal(targets, inputs + 1)


def test_token_batches_windows_reach_the_first_and_the_last_token():
    batches = TokenBatches(torch.arange(6), context_length=3, batch_size=64, seed=0)
    inputs, targets = next(batches)
    assert inputs[:, 0].unique().tolist() == [0, 1, 2]
    assert targets.max() == 5


def test_token_batches_depend_on_the_seed_alone():
    first, again, other_seed = (
        next(TokenBatches(TOKENS, 16, 8, seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other_seed)


def test_token_batches_continue_from_a_saved_state():
    batches = TokenBatches(TOKENS, 16, 8, seed=5)
    next(batches)
    state = batches.state_dict()
    expected = [next(batches)[0] for _ in range(3)]
    restored = TokenBatches(TOKENS, 16, 8, seed=99)
    restored.load_state_dict(state)
    assert all(torch.equal(next(restored)[0], window) for window in expected)


@pytest.mark.parametrize("world_size", [2, 4])
def test_token_batches_of_all_processes_form_the_joint_batch(world_size):
    joint, _ = next(TokenBatches(TOKENS, 16, 8, seed=5))
    shares = [
        next(TokenBatches(TOKENS, 16, 8, seed=5, rank=rank, world_size=world_size))[0]
        for rank in range(world_size)
    ]
    assert torch.equal(torch.stack(shares, dim=1).flatten(0, 1), joint)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context_length": 0}, "must be at least 1; got 0, 4"),
        ({"batch_size": 0}, "must be at least 1; got 8, 0"),
        (
            {"context_length": 1000},
            "needs 1000 tokens and the one that follows, but the text has only 1000",
        ),
        ({"rank": 2, "world_size": 2}, "rank must be from 0 to world_size - 1"),
        (
            {"world_size": 3},
            (
                "must be a multiple of the number of processes; got batch_size=4, "
                "world_size=3"
            ),
        ),
    ],
)
def test_token_batches_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenBatches(
            TOKENS, **({"context_length": 8, "batch_size": 4, "seed": 0} | arguments)
        )
