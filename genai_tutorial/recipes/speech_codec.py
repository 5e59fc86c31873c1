"""The recipe of the neural codec that chapter 18 loads."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.audio import (
    SeanetConfig,
    WaveCodec,
    WaveCodecConfig,
    log_mel_distance,
    wave_codec_loss,
)
from genai_tutorial.data import ESPEAK_SOURCE
from genai_tutorial.tasks.speech import draw_utterances
from genai_tutorial.training import AdamW, CombinedOptimizer, Muon

from .recipe import Recipe, RunSettings, Trained, draw_items, mean

TESTED, TEST_SEED = 60, 1_000_020
"""The number of held-out utterances for the metrics, and their seed."""


@dataclass(frozen=True, kw_only=True)
class SpeechCodecRecipe(Recipe):
    """A codec for speech."""

    config: WaveCodecConfig
    utterances: int
    data_seed: int = 0
    samples: int
    kernel_lr: float
    vector_lr: float

    network = WaveCodec
    source = ESPEAK_SOURCE
    metric = "log_mel_distance"
    in_words = (
        "a log-mel distance of {log_mel_distance:.2f} nats at {bits:.0f} bits per "
        "second"
    )

    def examples(self) -> Float[Tensor, "example time"]:
        """Return the training speech, cut into pieces of equal length."""
        said = draw_utterances(self.utterances, self.data_seed)
        whole = torch.cat([utterance.wave for utterance in said])
        return whole[: len(whole) // self.samples * self.samples].view(-1, self.samples)

    def fit(self, run: RunSettings) -> Trained:
        generator = torch.Generator().manual_seed(self.seed)
        examples = self.examples()
        codec = self.build().to(run.device)
        with torch.no_grad():
            first = codec.vectors(examples[: 8 * self.batch_size].to(run.device))
        codec.quantizer.start(first, generator)
        return run.fit(
            self,
            codec,
            run.batches(self, examples),
            wave_codec_loss,
            self._optimizer(codec),
            generator=generator,
            losses_every=100,
        )

    def _optimizer(self, codec: WaveCodec) -> CombinedOptimizer:
        kernels = [
            layer.weight
            for layer in codec.modules()
            if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)
            and min(layer.in_channels, layer.out_channels) > 1
        ]
        chosen = set(kernels)
        rest = [weight for weight in codec.parameters() if weight not in chosen]
        return CombinedOptimizer(
            [
                Muon(kernels, self.kernel_lr, momentum=0.9),
                AdamW(rest, self.vector_lr, betas=(0.8, 0.99)),
            ]
        )

    def measure(self, model: WaveCodec) -> dict:
        waves = held_out_waves()
        distances = {
            f"{self.config.bits_per_second(books):.0f} bits per second": round(
                mean(distances_after(model, waves, books)), 4
            )
            for books in range(1, self.config.books + 1)
        }
        return {
            "log_mel_distance": list(distances.values())[-1],
            "log_mel_distances": distances,
            "held_out_utterances": TESTED,
        }

    def score(self, loaded: WaveCodec, n: int, seed: int) -> list:
        waves = held_out_waves()
        chosen = [waves[place] for place in draw_items(range(TESTED), n, seed)]
        return distances_after(loaded, chosen)

    def summary(self, metrics: dict) -> str:
        bits = self.config.bits_per_second()
        return super().summary(metrics | {"bits": bits})


def held_out_waves() -> list[Float[Tensor, "_time"]]:
    """Return the codec's test set: unseen sentences by unseen voices."""
    said = draw_utterances(
        TESTED, TEST_SEED, held_out_sentences=True, held_out_voices=True
    )
    return [utterance.wave for utterance in said]


@torch.no_grad()
def distances_after(
    codec: WaveCodec, waves: Sequence[Float[Tensor, "_time"]], books: int | None = None
) -> list[float]:
    """Return the log-mel distance between each wave and what the codec makes of it."""
    codec.eval()
    return [log_mel_distance(codec(wave[None], books).waves[0], wave) for wave in waves]


SPEECH_CODEC = SpeechCodecRecipe(
    name="speech-codec",
    title="A neural codec for speech, from waves to codes and back",
    config=WaveCodecConfig(SeanetConfig(channels=16, strides=(4, 4, 8), dim=32)),
    utterances=1500,
    samples=8192,
    kernel_lr=0.02,
    vector_lr=0.003,
    batch_size=8,
    steps=1500,
    warmup_steps=20,
    ema_decay=0.99,
)
"""The codec that chapter 18 loads."""
