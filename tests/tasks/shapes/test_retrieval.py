"""The retrieval task: pictures of which no two have the same caption."""

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    caption_accuracy,
    distinct_scenes,
    encode_captions,
    full_captions,
    random_scenes,
    retrieval_task,
)


@pytest.mark.parametrize("split", ["train", "new pairs", "new relations"])
def test_distinct_scenes_have_different_meanings(split):
    """No two scenes share a caption, in any order of its words."""
    scenes = distinct_scenes(300, torch.Generator().manual_seed(0), (2,), split)
    assert len({min(full_captions(scene)) for scene in scenes}) == len(scenes) == 300


def test_distinct_scenes_more_than_there_are_is_refused():
    """Single objects have 200 different captions."""
    with pytest.raises(
        ValueError, match="fewer than 300 different captions of this kind: found 200"
    ):
        distinct_scenes(300, torch.Generator().manual_seed(0), (1,))


def test_retrieval_task_has_a_true_caption_for_each_picture():
    """Each caption is that of its own picture, and the seed decides both."""
    images, captions = retrieval_task(20, seed=3)
    assert caption_accuracy(captions, images).everything == 1
    assert len(set(captions)) == 20
    assert retrieval_task(20, seed=3)[1] == captions != retrieval_task(20, seed=4)[1]


def test_caption_length_is_that_of_the_longest_caption():
    """Every caption fits into a row, and those of three objects fill it."""
    scenes = random_scenes(500, torch.Generator().manual_seed(0), (1, 2, 3), "train")
    captions = [text for scene in scenes for text in full_captions(scene)]
    lengths = {len(CAPTION_TOKENIZER.encode(text)) for text in captions}
    ends = encode_captions(sorted(set(captions))[::50]) == CAPTION_TOKENIZER.END
    assert (ends.sum(dim=1) == 1).all()
    assert max(lengths) == CAPTION_LENGTH


def test_retrieval_task_keeps_scenes_with_one_of_the_pairs():
    """Each caption names a pair that was asked for; too few scenes are refused."""
    pairs = [
        (colour, shape) for colour in ("red", "blue") for shape in ("cross", "circle")
    ]
    images, captions = retrieval_task(30, seed=3, pairs=pairs)
    assert len(images) == len(captions) == len(set(captions)) == 30
    named = [f"{colour} {shape}" for colour, shape in pairs]
    assert all(any(pair in text for pair in named) for text in captions)
    with pytest.raises(ValueError, match="Only 0 of 5 scenes"):
        retrieval_task(5, seed=3, pairs=[])
