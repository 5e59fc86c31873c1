"""Two codecs for speech at equal bits: a quantizer for mel columns with Griffin-Lim,
and the published codec from wave to wave.

Both make 125 columns a second with up to six codebooks of 256 entries. They code
sentences that neither has heard, by voices that neither has heard. Measured: the
distance of the log-mels, the word error rate of the published recognizer, and how many
entries of each codebook are in use. Beside them: the original, and its exact mel
columns through Griffin-Lim, the best that the first codec can reach.

    # about two minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/speech_codecs.py
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from finished import script_parser
from torch import Tensor

from genai_tutorial.audio import (
    MelConfig,
    Transcriber,
    WaveCodec,
    log_mel_distance,
    log_mel_spectrogram,
    mel_to_wave,
)
from genai_tutorial.metrics import word_error_rate
from genai_tutorial.recipes import TEST_SEED, card, load
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.speech import draw_utterances
from genai_tutorial.vae import ResidualVectorQuantizer, codebook_usage

GRID = MelConfig()
BOOKS, CODES = 6, 256
TRAINED_ON, SEEDS = 150, range(3)
SHOWN = (1, 2, 4, 6)


def mel_quantizer(seed: int) -> ResidualVectorQuantizer:
    """Return the quantizer of the page: codebooks fitted to mel columns by k-means."""
    said = draw_utterances(TRAINED_ON, 0)
    columns = torch.cat([log_mel_spectrogram(one.wave, GRID).T for one in said])
    generator = torch.Generator().manual_seed(seed)
    sample = columns[torch.randperm(len(columns), generator=generator)[:16_000]]
    quantizer = ResidualVectorQuantizer(BOOKS, CODES, GRID.mels).eval()
    quantizer.start(sample, generator, steps=10)
    return quantizer


def through_griffin_lim(log_mels: Tensor, samples: int, seed: int) -> Tensor:
    """Return a wave of as many samples for mel columns."""
    generator = torch.Generator().manual_seed(seed)
    wave = mel_to_wave(log_mels, GRID, generator)
    return torch.nn.functional.pad(wave, (0, max(0, samples - len(wave))))[:samples]


class Exam:
    """The test sentences, and the recognizer that reads them."""

    def __init__(self, items: int):
        self.said = draw_utterances(
            items, TEST_SEED, held_out_sentences=True, held_out_voices=True
        )
        self.waves = [one.wave for one in self.said]
        self.recognizer: Transcriber = load("spoken-captions")

    def grade(self, rebuilt: Sequence[Tensor]) -> dict[str, float]:
        """Return the distance and the word error rate of what a codec returned."""
        pairs = zip(rebuilt, self.waves, strict=True)
        distances = [log_mel_distance(found, wave) for found, wave in pairs]
        texts = self.recognizer.transcribe(rebuilt)
        rate = word_error_rate([one.text for one in self.said], texts)
        return {
            "log_mel_distance": round(sum(distances) / len(distances), 4),
            "word_error_rate": round(rate, 4),
        }

    def mel_codec(self, seed: int) -> list[dict]:
        """Grade the quantizer for mel columns at each number of codebooks."""
        quantizer, rows = mel_quantizer(seed), []
        for books in SHOWN:
            rebuilt = []
            for wave in self.waves:
                columns = log_mel_spectrogram(wave, GRID).T
                shown = quantizer(columns, books).vectors.T
                rebuilt.append(through_griffin_lim(shown, len(wave), seed))
            rows.append({"books": books, **self.grade(rebuilt)})
        return rows

    @torch.no_grad()
    def wave_codec(self, codec: WaveCodec) -> list[dict]:
        """Grade the codec for waves at each number of codebooks."""
        return [
            {
                "books": books,
                **self.grade(
                    [codec(wave[None], books).waves[0] for wave in self.waves]
                ),
            }
            for books in SHOWN
        ]


def main() -> None:
    """Grade both codecs and keep the record."""
    parser = script_parser(__doc__)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="of the codec, if not published")
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()
    exam = Exam(settings.items)
    codec = load("speech-codec", settings.folder)
    exact = [
        through_griffin_lim(log_mel_spectrogram(wave, GRID), len(wave), 0)
        for wave in exam.waves
    ]
    codes = torch.cat([codec.encode(wave[None]).flatten(0, 1) for wave in exam.waves])
    measured = {
        "items": settings.items,
        "original": exam.grade(exam.waves),
        "griffin_lim": exam.grade(exact),
        "wave_codec": exam.wave_codec(codec),
        "perplexity": [
            round(codebook_usage(book, CODES).perplexity, 1)
            for book in codes.unbind(dim=1)
        ],
        "steps": card("speech-codec", settings.folder)["steps"],
        "mel_codec": [exam.mel_codec(seed) for seed in SEEDS],
        "machine": describe_machine(),
    }
    print(measured)
    if not settings.no_save:
        keep_record("speech_codecs", measured)


if __name__ == "__main__":
    main()
