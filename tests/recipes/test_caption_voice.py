import dataclasses

import pytest
import torch

from genai_tutorial.audio import Lexicon
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import SYMBOLS, speech
from genai_tutorial.recipes.speech import CAPTION_VOICE, SpokenOptions

pytest.importorskip("espeakng_loader")
TINY = dataclasses.replace(
    CAPTION_VOICE,
    config=dataclasses.replace(CAPTION_VOICE.config, blocks=EncoderConfig(8, 1, 2)),
    sentences=8,
    batch_size=4,
    steps=8,
    warmup_steps=1,
)


@pytest.mark.slow
def test_resumed_run_ends_at_the_same_weights(resumes):
    resumes(TINY, speech, "synthesis_loss")


@pytest.mark.slow
def test_symbols_are_the_phonemes_of_the_training_set():
    labels = {
        phoneme.label for one in CAPTION_VOICE.utterances for phoneme in one.phonemes
    }
    assert set(SYMBOLS) == labels | {"_"}


def test_voice_speaks_and_checks_its_options():
    loaded = TINY.wrap(
        TINY.build(),
        {"pronunciations": Lexicon.from_utterances(TINY.utterances).pronunciations},
    )
    with torch.no_grad():
        loaded.model.duration_head.bias.fill_(2.0)  # long enough for Griffin-Lim
    word = next(iter(loaded.lexicon.pronunciations))
    options = SpokenOptions(prompt=word, voice=0.5)
    first, again = (TINY.sample(loaded, options, 1, seed=3).items for _ in "ab")
    assert first.shape[0] == 1
    assert torch.equal(first, again)
    with pytest.raises(ValueError, match="voice must be from 0 to 1, got 2"):
        TINY.sample(loaded, dataclasses.replace(options, voice=2), 1, seed=0)
