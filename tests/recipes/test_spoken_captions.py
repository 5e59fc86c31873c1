import dataclasses

import pytest

from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import speech
from genai_tutorial.recipes.speech import SPOKEN_CAPTIONS

pytest.importorskip("espeakng_loader")
TINY = dataclasses.replace(
    SPOKEN_CAPTIONS,
    config=dataclasses.replace(SPOKEN_CAPTIONS.config, encoder=EncoderConfig(8, 1, 2)),
    utterances=12,
    non_speech=4,
    batch_size=4,
    steps=8,
    warmup_steps=1,
)


@pytest.mark.slow
def test_resumed_run_ends_at_the_same_weights(resumes):
    resumes(TINY, speech, "recognition_loss")


def test_training_set_holds_sounds_without_words():
    recordings = TINY.recordings()
    assert len(recordings) == 16
    assert recordings.sentences[-4:] == ("",) * 4
    assert all(recordings.sentences[:12])


@pytest.mark.slow
def test_perfect_and_silent_recognizers_are_measured(monkeypatch):
    """The measures are 0 for what was said, and 1 for a recognizer that hears nothing;
    words in noise are counted.
    """
    monkeypatch.setattr(speech, "TESTED", 3)
    monkeypatch.setattr(speech, "TESTED_SOUNDS", 5)
    model = TINY.build()
    model.head.weight.data.zero_()
    model.head.bias.data[0] = 9.0
    metrics = TINY.measure(model)
    assert metrics["word_error_rate"] == 1
    assert metrics["sentences_right"] == metrics["words_invented"] == 0
    monkeypatch.setattr(
        speech, "transcribe", lambda loaded, recordings: recordings.sentences
    )
    model.head.bias.data[7] = 99.0
    metrics = TINY.measure(model)
    assert metrics["word_error_rate"] == metrics["mean_errors"] == 0
    assert metrics["sentences_right"] == 1
    assert metrics["words_invented"] == 5
