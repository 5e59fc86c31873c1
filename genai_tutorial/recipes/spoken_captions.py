"""The recipe of the speech recognizer that chapter 18 loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from genai_tutorial.audio import (
    RecognizerConfig,
    SpeechRecognizer,
    Transcriber,
    recognition_loss,
)
from genai_tutorial.data import Source
from genai_tutorial.data.espeak import SOURCE
from genai_tutorial.metrics import word_error_rate, word_errors
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.tasks.speech import (
    MELS,
    SPEECH_WORDS,
    Recordings,
    SpeechBatches,
    draw_non_speech,
    load_recordings,
    record_non_speech,
)
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel

from .recipe import Recipe, RunSettings, Trained
from .spot_check import SpotCheck, draw_items

TESTED, TEST_SEED = 400, 1_000_018
"""The number of held-out utterances for the metrics, and their seed."""

TESTED_SOUNDS = 35
"""The number of non-speech test sounds, whose correct transcript is empty."""


@dataclass(frozen=True, kw_only=True)
class SpokenCaptionsRecipe(Recipe):
    """A recognizer of spoken captions and digits."""

    config: RecognizerConfig
    utterances: int
    non_speech: int
    data_seed: int = 0

    source: ClassVar[Source] = SOURCE

    def build(self) -> SpeechRecognizer:
        """Return the untrained recognizer."""
        return SpeechRecognizer(self.config, self.seed)

    def recordings(self) -> Recordings:
        """Return the training set."""
        recordings = load_recordings(self.utterances, self.data_seed)
        if self.non_speech:
            recordings += record_non_speech(self.non_speech, self.data_seed)
        return recordings

    def fit(self, run: RunSettings) -> Trained:
        """Train the recognizer, or resume a run that was stopped."""
        model = self.build().to(run.device)
        masks = torch.Generator().manual_seed(self.seed)
        trained, history = run.fit(
            parallel(model),
            SpeechBatches(
                self.recordings(),
                self.batch_size,
                self.seed,
                rank=run.process.rank,
                world_size=run.process.world_size,
            ),
            partial(recognition_loss, masks=masks),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            generators=[masks],
        )
        losses = [round(loss, 4) for loss in history.losses[::50]]
        notes = {"losses": losses, "words": list(SPEECH_WORDS)}
        return Trained(trained, history.seconds, notes)

    def wrap(self, model: SpeechRecognizer, card: dict) -> Transcriber:
        """Return the recognizer with its vocabulary."""
        return Transcriber(model, tuple(card["words"]))

    def measure(self, model: SpeechRecognizer) -> dict:
        """Return the word error rate on unseen sentences by unseen and by known voices,
        and the number of words transcribed for non-speech sounds.
        """
        loaded = Transcriber(model, SPEECH_WORDS)
        unseen = held_out_recordings()
        known = held_out_recordings(held_out_voices=False)
        transcripts = transcribe(loaded, unseen)
        right = [a == b for a, b in zip(unseen.sentences, transcripts, strict=True)]
        invented = loaded.transcribe(
            draw_non_speech(TESTED_SOUNDS, TEST_SEED, held_out=True)
        )
        return {
            "word_error_rate": round(word_error_rate(unseen.sentences, transcripts), 4),
            "word_error_rate_known_voices": round(
                word_error_rate(known.sentences, transcribe(loaded, known)), 4
            ),
            "sentences_right": round(sum(right) / len(right), 4),
            "mean_errors": round(_mean(_errors(unseen, transcripts)), 4),
            "words_invented": sum(len(text.split()) for text in invented),
            "sounds_without_words": TESTED_SOUNDS,
            "held_out_utterances": TESTED,
        }

    def spot_check(self, loaded: Transcriber, n: int, seed: int) -> SpotCheck:
        """Measure the number of word errors per sentence."""
        recordings = held_out_recordings()
        chosen = recordings.choose(draw_items(range(len(recordings)), n, seed))
        return SpotCheck("mean_errors", _errors(chosen, transcribe(loaded, chosen)))

    def summary(self, metrics: dict) -> str:
        """Return the word error rate as a phrase."""
        return (
            f"a word error rate of {metrics['word_error_rate']:.1%} for unseen "
            "sentences by unseen voices"
        )


def held_out_recordings(held_out_voices: bool = True) -> Recordings:
    """Return the test utterances of the recognizer: unseen sentences, by unseen voices
    or by the voices of its training set.
    """
    return load_recordings(
        TESTED, TEST_SEED, held_out_sentences=True, held_out_voices=held_out_voices
    )


def transcribe(loaded: Transcriber, recordings: Recordings) -> list[str]:
    """Return the transcript of each recording."""
    return [loaded.text(output) for output in loaded.read(recordings.features)]


def _errors(recordings: Recordings, transcripts: Sequence[str]) -> list[float]:
    return [
        float(word_errors(said, text).edits)
        for said, text in zip(recordings.sentences, transcripts, strict=True)
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


SPOKEN_CAPTIONS = SpokenCaptionsRecipe(
    name="spoken-captions",
    title="A recognizer of spoken captions and digits",
    config=RecognizerConfig(
        EncoderConfig(width=128, layers=3, heads=4),
        labels=len(SPEECH_WORDS) + 1,
        mels=MELS,
    ),
    utterances=4000,
    non_speech=200,
    optimizer=OptimizerSettings(matrix_lr=0.04, head_lr=0.005, vector_lr=0.005),
    batch_size=16,
    steps=2500,
    warmup_steps=30,
    published=True,
)
"""The recognizer that chapter 18 loads."""
