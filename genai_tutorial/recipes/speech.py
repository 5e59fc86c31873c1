"""The recipes of the speech recognizer and of the voice that reads captions aloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from genai_tutorial.audio import (
    PAUSE,
    Lexicon,
    RecognizerConfig,
    SpeechRecognizer,
    SpeechSynthesizer,
    SynthesizerConfig,
    TextToSpeech,
    Transcriber,
    recognition_loss,
    synthesis_loss,
)
from genai_tutorial.data import ESPEAK_SOURCE, Utterance, Voice, speak
from genai_tutorial.metrics import word_error_rate, word_errors
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.tasks.speech import (
    MELS,
    SPEECH_WORDS,
    AlignedBatches,
    Recordings,
    SpeechBatches,
    align,
    draw_non_speech,
    draw_sentences,
    load_recordings,
    pad_aligned,
    record_non_speech,
)
from genai_tutorial.training import OptimizerSettings

from .recipe import (
    Recipe,
    RunSettings,
    SoundSamples,
    Trained,
    draw_items,
    load_recipe,
    mean,
)

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

    network = SpeechRecognizer
    source = ESPEAK_SOURCE
    metric = "mean_errors"
    in_words = (
        "a word error rate of {word_error_rate:.1%} for unseen sentences by unseen "
        "voices"
    )

    def recordings(self) -> Recordings:
        """Return the training set."""
        recordings = load_recordings(self.utterances, self.data_seed)
        if self.non_speech:
            recordings += record_non_speech(self.non_speech, self.data_seed)
        return recordings

    def fit(self, run: RunSettings) -> Trained:
        recordings = self.recordings()
        return run.fit(
            self,
            self.build(),
            SpeechBatches(recordings, self.batch_size, self.seed, **run.share),
            lambda *batch, generator: recognition_loss(*batch, masks=generator),
            generator=torch.Generator().manual_seed(self.seed),
            losses_every=50,
            notes={"words": list(SPEECH_WORDS)},
        )

    def wrap(self, model: SpeechRecognizer, card: dict) -> Transcriber:
        return Transcriber(model, tuple(card["words"]))

    def measure(self, model: SpeechRecognizer) -> dict:
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
            "mean_errors": round(mean(_errors(unseen, transcripts)), 4),
            "words_invented": sum(len(text.split()) for text in invented),
            "sounds_without_words": TESTED_SOUNDS,
            "held_out_utterances": TESTED,
        }

    def score(self, loaded: Transcriber, n: int, seed: int) -> list:
        recordings = held_out_recordings()
        chosen = recordings.choose(draw_items(range(len(recordings)), n, seed))
        return _errors(chosen, transcribe(loaded, chosen))


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
)
"""The recognizer that chapter 18 loads."""


READ, READ_SEED = 60, 1_000_019
"""The number of held-out sentences for the metrics, and their seed."""

SYMBOLS = (
    PAUSE, "b", "d", "dʒ", "f", "j", "k", "l", "m", "n", "oʊ", "p", "s", "t", "v", "w",
    "z", "æ", "ð", "ŋ", "ɐ", "ɔ", "ə", "əl", "ɚ", "ɡ", "ɪ", "ɹ", "ɾ", "ˈaɪ", "ˈeɪ",
    "ˈiə", "ˈiː", "ˈuː", "ˈɑː", "ˈɑːɹ", "ˈɔ", "ˈɔː", "ˈɔːɹ", "ˈɛ", "ˈɛɹ", "ˈɜː", "ˈɪ",
    "ˈʌ", "ˌoʊ", "ˌʌ", "θ", "ᵻ",
)  # fmt: skip
"""The phonemes of the American accent in these sentences, after the pause."""


@dataclass(frozen=True, kw_only=True)
class SpokenOptions:
    """The options of the synthesizer."""

    prompt: str = "a small red circle above a large blue square"
    voice: float | int = 0.0
    pace: float | int = 1.0


@dataclass(frozen=True, kw_only=True)
class CaptionVoiceRecipe(Recipe):
    """A synthesizer of spoken captions and digits."""

    config: SynthesizerConfig
    sentences: int
    speakers: tuple[str, ...]

    network = SpeechSynthesizer
    source = ESPEAK_SOURCE
    makes = "sounds"
    rate = 16_000
    options = SpokenOptions()
    metric = "log_mel_distance"
    in_words = (
        "the book's recognizer misreads {word_error_rate:.1%} of its words, and "
        "{word_error_rate_original:.1%} of the original's"
    )

    @cached_property
    def utterances(self) -> list[Utterance]:
        """The training set, synthesized by eSpeak NG."""
        texts = draw_sentences(self.sentences, self.seed)
        return speak(texts, self._in_turn(len(texts)))

    def fit(self, run: RunSettings) -> Trained:
        if run.process.world_size > 1:
            raise ValueError(
                "This small model trains in one process: start it without torchrun."
            )
        aligned = [align(one, SYMBOLS, self.config.mel) for one in self.utterances]
        numbers = [place % len(self.speakers) for place in range(len(aligned))]
        lexicon = Lexicon.from_utterances(self.utterances)
        return run.fit(
            self,
            self.build(),
            AlignedBatches(aligned, numbers, self.batch_size, self.seed),
            synthesis_loss,
            losses_every=50,
            notes={"pronunciations": dict(lexicon.pronunciations)},
        )

    def wrap(self, model: SpeechSynthesizer, card: dict) -> TextToSpeech:
        pronunciations = {
            word: tuple(phonemes) for word, phonemes in card["pronunciations"].items()
        }
        return TextToSpeech(model, Lexicon(pronunciations), SYMBOLS, self.speakers)

    def measure(self, model: SpeechSynthesizer) -> dict:
        lexicon = Lexicon.from_utterances(self.utterances)
        loaded = TextToSpeech(model, lexicon, SYMBOLS, self.speakers)
        said = draw_sentences(READ, READ_SEED, held_out=True)
        real = speak(said, self._in_turn(READ))
        transcripts = self._heard(loaded, said)
        original = load_recipe(SPOKEN_CAPTIONS).transcribe([one.wave for one in real])
        distances = self._distances(model, range(READ))
        return {
            "word_error_rate": round(word_error_rate(said, transcripts), 4),
            "word_error_rate_original": round(word_error_rate(said, original), 4),
            "log_mel_distance": round(sum(distances) / READ, 4),
            "held_out_sentences": READ,
        }

    def score(self, loaded: TextToSpeech, n: int, seed: int) -> list:
        places = draw_items(range(READ), n, seed)
        return self._distances(loaded.model, places)

    def sample(
        self, loaded: TextToSpeech, options: SpokenOptions, count: int, seed: int
    ) -> SoundSamples:
        if not 0 <= options.voice <= 1:
            raise ValueError(f"voice must be from 0 to 1, got {options.voice}.")
        mixture = (1 - options.voice, options.voice)
        return SoundSamples(
            torch.stack(
                [
                    loaded.say(
                        options.prompt,
                        mixture,
                        torch.Generator().manual_seed(seed + number),
                        options.pace,
                    )
                    for number in range(count)
                ]
            ),
            self.rate,
        )

    def _in_turn(self, n: int) -> list[Voice]:
        """Return the voices of eSpeak NG that the model imitates, in turn."""
        voices = [Voice("en-us", speaker) for speaker in self.speakers]
        return [voices[place % len(voices)] for place in range(n)]

    def _heard(self, loaded: TextToSpeech, said: Sequence[str]) -> list[str]:
        """Return the recognizer's transcripts when the model says the sentences."""
        waves = []
        for place, text in enumerate(said):
            mixture = [0.0] * len(self.speakers)
            mixture[place % len(self.speakers)] = 1.0
            generator = torch.Generator().manual_seed(place)
            waves.append(loaded.say(text, mixture, generator))
        return load_recipe(SPOKEN_CAPTIONS).transcribe(waves)

    @torch.no_grad()
    def _distances(
        self, model: SpeechSynthesizer, places: Sequence[int]
    ) -> list[float]:
        """Return for each held-out sentence the mean absolute difference between the
        model's and the original log-mel spectrogram, given the original durations.
        """
        real = speak(
            draw_sentences(READ, READ_SEED, held_out=True), self._in_turn(READ)
        )
        distances = []
        for place in places:
            sentence = align(real[place], SYMBOLS, self.config.mel)
            *arguments, log_mels = pad_aligned([sentence], [place % len(self.speakers)])
            _, painted = model(*arguments)
            distances.append((painted - log_mels).abs().mean().item())
        return distances


CAPTION_VOICE = CaptionVoiceRecipe(
    name="caption-voice",
    title="A voice of half a million weights that reads captions aloud",
    config=SynthesizerConfig(
        EncoderConfig(width=96, layers=2, heads=4), symbols=len(SYMBOLS), voices=2
    ),
    sentences=1000,
    speakers=("f2", "m3"),
    optimizer=OptimizerSettings(
        matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.005
    ),
    batch_size=16,
    steps=600,
    warmup_steps=20,
)
"""The voice that chapter 18 loads."""
