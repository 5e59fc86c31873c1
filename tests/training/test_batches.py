import itertools

import pytest
import torch

from genai_tutorial.training import Schedule, TensorBatches, TokenBatches, warmup_linear

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


def rows(batches, count):
    return [next(batches)[0].tolist() for _ in range(count)]


@pytest.mark.parametrize(("examples", "size"), [(10, 3), (4, 4), (3, 10), (1, 2)])
def test_tensor_batches_visit_each_example_once_per_epoch(examples, size):
    flat = list(
        itertools.chain(
            *rows(TensorBatches((torch.arange(examples),), size, seed=0), examples)
        )
    )
    assert len(flat) == examples * size
    for start in range(0, len(flat), examples):
        assert (
            sorted(flat[start : start + examples])
            == list(range(examples))[: len(flat) - start]
        )


def test_tensor_batches_shuffle_each_epoch_by_the_seed():
    first, again, other_seed = (
        rows(TensorBatches((torch.arange(50),), 50, seed), 2) for seed in (0, 0, 1)
    )
    assert first == again != other_seed
    assert first[0] != first[1]


def test_tensor_batches_keep_rows_together():
    numbers = torch.arange(20)
    for values, squares in itertools.islice(
        TensorBatches((numbers, numbers.square()), 6, seed=0), 10
    ):
        assert torch.equal(values.square(), squares)


def test_tensor_batches_of_all_processes_form_the_joint_batch():
    alone = TensorBatches((torch.arange(11),), 4, seed=2)
    shares = [
        TensorBatches((torch.arange(11),), 4, seed=2, rank=rank, world_size=2)
        for rank in (0, 1)
    ]
    for _ in range(8):
        (whole,), parts = next(alone), [next(share)[0] for share in shares]
        assert sorted(torch.cat(parts).tolist()) == sorted(whole.tolist())


@pytest.mark.parametrize("after", range(6))
def test_tensor_batches_continue_from_a_saved_state(after):
    batches = TensorBatches((torch.arange(7),), 3, seed=0)
    rows(batches, after)
    state = batches.state_dict()
    expected = rows(batches, 8)
    resumed = TensorBatches((torch.arange(7),), 3, seed=99)
    resumed.load_state_dict(state)
    assert rows(resumed, 8) == expected


def test_tensor_batches_refuse_bad_arguments():
    ten = torch.arange(10)
    for tensors, counts in (
        ((), r"\[\]"),
        ((ten[:0],), r"\[0\]"),
        ((ten, ten[:9]), r"\[10, 9\]"),
    ):
        with pytest.raises(
            ValueError, match=rf"the same number of rows, at least 1; got {counts}"
        ):
            TensorBatches(tensors, 2, seed=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        TensorBatches((ten,), 0, seed=0)
    with pytest.raises(ValueError, match="multiple of the number of processes"):
        TensorBatches((ten,), 3, seed=0, world_size=2)
    with pytest.raises(
        ValueError, match=r"rank must be from 0 to world_size - 1 \(1\), got 2"
    ):
        TensorBatches((ten,), 2, seed=0, rank=2, world_size=2)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100, 5000])
@pytest.mark.parametrize(
    "whole",
    [
        warmup_linear(1000, 10),
        Schedule(1000, 100, "linear", decay_steps=300, final_factor=0.1),
        Schedule(
            1000, warmup_steps=100, decay="linear", final_factor=0.6, cooldown_steps=800
        ),
        Schedule(
            1000, warmup_steps=200, decay="cosine", decay_steps=100, cooldown_steps=700
        ),
        Schedule(1000, decay="none"),
    ],
)
def test_schedule_over_keeps_its_shape(whole, steps):
    scaled = whole.over(steps)
    assert scaled.steps == steps
    assert scaled(steps) == pytest.approx(whole(1000))
    assert max(scaled(step) for step in range(steps)) <= 1
    assert whole.over(1000) == whole
    # the warmup keeps its length; after it, the shapes are equal
    if steps == 5000:
        for share in (0.5, 0.8, 0.9, 0.97, 1.0):
            assert scaled(round(share * 5000)) == pytest.approx(
                whole(round(share * 1000)), abs=0.11
            )
