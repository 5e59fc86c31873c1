import itertools

import pytest
import torch

from genai_tutorial.training import Schedule, TensorBatches, warmup_linear


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
