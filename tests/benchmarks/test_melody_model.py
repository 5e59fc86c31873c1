import pytest
import torch

from benchmarks.melody_model import seen_captions, train_melody_model, write_melodies
from genai_tutorial.tasks.melodies import attributes_right, listen, play_melody


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
