from collections import Counter

import pytest
import torch

from benchmarks.melody_model import (
    caption_tokens,
    held_out_captions,
    seen_captions,
    train_melody_model,
    write_melodies,
)
from genai_tutorial.tasks.melodies import (
    CAPTIONS,
    attributes_right,
    listen,
    play_melody,
)


@pytest.mark.slow
def test_melody_model_follows_captions_after_a_few_seconds():
    model = train_melody_model(steps=150, seed=0)
    captions = seen_captions()
    right = {}
    for guidance in (0, 1):
        melodies = write_melodies(
            model,
            captions,
            guidance=guidance,
            generator=torch.Generator().manual_seed(0),
        )
        readings = [listen(play_melody(each.tolist())).caption for each in melodies]
        right[guidance] = attributes_right(captions, readings)
    assert sum(right[1]["register"]) > 0.9 * 45 > 0.6 * 45 > sum(right[0]["register"])


def test_held_out_captions_cover_every_value():
    held_out = held_out_captions()
    assert len(set(held_out)) == 9
    for name in ("timbre", "tempo", "register"):
        counts = Counter(getattr(caption, name) for caption in held_out)
        assert set(counts.values()) == {3}


def test_caption_tokens_differ_for_all_captions():
    tokens = caption_tokens(CAPTIONS)
    assert len({tuple(row) for row in tokens.tolist()}) == 54
    assert (tokens > 0).all()
    assert tokens[0].tolist() == [1, 4, 7, 10]
    assert caption_tokens([None]).tolist() == [[0] * 4]
