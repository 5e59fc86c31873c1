"""The recipe of the CLIP for shapes: distinct captions per batch, resuming, loading."""

import pytest
import torch

from genai_tutorial.recipes import SHAPES_CLIP
from genai_tutorial.recipes.shapes_clip import SceneBatches
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    caption_accuracy,
)


def captions_of(ids: torch.Tensor) -> list[str]:
    return [CAPTION_TOKENIZER.decode(row) for row in ids.tolist()]


@pytest.mark.slow
def test_scene_batches_captions_are_true_and_distinct():
    batches = SceneBatches(batch_size=128, seed=0)
    for _ in range(2):
        images, ids = next(batches)
        assert images.shape == (128, 3, 32, 32)
        assert ids.shape == (128, CAPTION_LENGTH)
        captions = captions_of(ids)
        assert caption_accuracy(captions, images).everything == 1
        # No caption describes two of the pictures.
        first = captions[0]
        others = caption_accuracy([first] * 127, images[1:])
        assert others.everything == 0
        assert len(set(captions)) == 128


def test_scene_batches_resume():
    first, again, other = (SceneBatches(8, seed) for seed in (0, 0, 1))
    one, same = next(first), next(again)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[1], next(other)[1])
    state = first.state_dict()
    expected = next(first)
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(expected, next(other), strict=True))


def test_scene_batches_are_split_over_processes():
    whole = next(SceneBatches(6, seed=3))
    parts = [
        next(SceneBatches(6, seed=3, rank=rank, world_size=2)) for rank in range(2)
    ]
    for k, tensor in enumerate(whole):
        for rank in range(2):
            assert torch.equal(tensor[rank::2], parts[rank][k])


@pytest.mark.parametrize(("size", "world"), [(0, 1), (5, 2)])
def test_scene_batches_refuse_indivisible_batch_sizes(size, world):
    with pytest.raises(ValueError, match="batch_size must be a multiple"):
        SceneBatches(size, seed=0, world_size=world)


@pytest.mark.slow
def test_shapes_clip_untrained_recall_is_chance():
    metrics = SHAPES_CLIP.measure(SHAPES_CLIP.build())
    assert all(
        value < 0.05 for name, value in metrics.items() if name.endswith("recall_at_1")
    )
    assert "0." in SHAPES_CLIP.summary(metrics)
