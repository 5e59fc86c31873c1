"""Diffusion on spectrograms: chapter 8's U-Net paints spoken digits, and a classifier
that was trained on other voices reads them.

Each seed trains a model on digits by the training speakers. The judge learns from the
held-out speakers, so that it recognizes words and not voices; how well it reads real
digits by the training speakers is measured beside it. Every painted spectrogram is read
twice: as it is, and after Griffin-Lim has turned it into a wave.

    # about five minutes per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/spoken_digits.py --seeds 0 1 2
    # a short trial
    python benchmarks/spoken_digits.py --seeds 0 --clips 60 --steps 3 --no-save
"""

import argparse
import time
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.audio import (
    LOWEST_MAGNITUDE,
    MelConfig,
    log_mel_spectrogram,
    mel_to_wave,
)
from genai_tutorial.data import speak
from genai_tutorial.diffusion import (
    VELOCITY,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    sample_images,
)
from genai_tutorial.pretrained.records import keep_images, keep_record
from genai_tutorial.runtime import describe_machine
from genai_tutorial.tasks.speech import DIGITS, draw_voices
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_cosine,
)

GRID = MelConfig(rate=16_000, window=1280, hop=320, mels=48)
"""48 bands and, with `FRAMES`, 48 columns: just under a second, in a square picture."""

FRAMES = 48
SCHEDULE = cosine_schedule(1000)
LOUDEST = 2.0
"""The natural logarithm of the magnitude that becomes white."""

SILENCE = float(torch.tensor(LOWEST_MAGNITUDE).log())
OPTIMIZER = OptimizerSettings(
    matrix_lr=0.03,
    kernel_lr=0.03,
    embedding_lr=0.01,
    head_lr=0.005,
    vector_lr=0.003,
    momentum=0.95,
)


def to_picture(log_mels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Map silence to 0 and the loudest magnitude to 1."""
    return ((log_mels - SILENCE) / (LOUDEST - SILENCE)).clamp(0, 1)


def to_log_mels(picture: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Map 0 back to silence and 1 to the loudest magnitude."""
    return SILENCE + picture * (LOUDEST - SILENCE)


def spoken_digits(
    n: int, seed: int, held_out: bool
) -> tuple[Float[Tensor, "n 48 48"], Int[Tensor, "n"]]:
    """Return spectrograms of spoken digits from 0 (silent) to 1 (loud), with labels."""
    labels = torch.arange(n) % 10
    voices = draw_voices(n, seed, held_out)
    words = [DIGITS[label] for label in labels]
    samples = GRID.hop * (FRAMES - 1)
    waves = torch.stack(
        [
            functional.pad(said.wave[:samples], (0, max(0, samples - len(said.wave))))
            for said in speak(words, voices)
        ]
    )
    return to_picture(log_mel_spectrogram(waves, GRID)), labels


class Judge(nn.Module):
    """A small convolutional network that reads a spoken digit."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *self._halving(1, 16), *self._halving(16, 32), *self._halving(32, 64)
        )
        self.head = nn.Linear(64, 10)

    @staticmethod
    def _halving(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        return convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, pictures: Float[Tensor, "n 48 48"]) -> Float[Tensor, "n digit"]:
        """Return a score for each digit."""
        return self.head(self.body(pictures[:, None]).mean(dim=(2, 3)))

    @torch.no_grad()
    def accuracy(
        self, pictures: Float[Tensor, "n 48 48"], labels: Int[Tensor, "n"]
    ) -> float:
        """Return the share of spectrograms that are read as their labels."""
        return (self.eval()(pictures).argmax(dim=1) == labels).double().mean().item()


def train_judge(
    pictures: Float[Tensor, "n 48 48"], labels: Int[Tensor, "n"], steps: int
) -> Judge:
    """Train the judge, shifting each spectrogram in time."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (64,), generator=generator)
        shift = int(torch.randint(-6, 7, (), generator=generator))
        logits = judge(pictures[rows].roll(shift, dims=2))
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels[rows]).backward()
        optimizer.step()
        schedule.step()
    return judge


def train_painter(
    pictures: Float[Tensor, "n 48 48"],
    labels: Int[Tensor, "n"],
    steps: int,
    seed: int,
) -> nn.Module:
    """Train the U-Net of chapter 8 to predict the velocity; return the average of its
    weights.
    """
    generator = torch.Generator().manual_seed(seed)
    model = UNet(UNetConfig(channels=(24, 96), image_size=FRAMES), seed)

    def loss(model: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
        condition = drop_labels(labels, 0.1, no_label=10, generator=generator)
        return diffusion_loss(
            model,
            SCHEDULE,
            VELOCITY,
            2 * pictures[:, None] - 1,
            condition,
            generator=generator,
        )

    average = EMA(model, decay=0.99)
    fit(
        model,
        TensorBatches((pictures, labels), batch_size=32, seed=seed),
        loss,
        build_optimizer(model, OPTIMIZER),
        steps=steps,
        schedule=warmup_cosine(steps, min(20, steps // 2)),
        ema=average,
    )
    return average.model


def after_griffin_lim(
    pictures: Float[Tensor, "n 48 48"], seed: int
) -> Float[Tensor, "n 48 48"]:
    """Return the spectrograms of the waves that Griffin-Lim makes of spectrograms."""
    generator = torch.Generator().manual_seed(seed)
    waves = mel_to_wave(to_log_mels(pictures), GRID, generator)
    return to_picture(log_mel_spectrogram(waves, GRID))


def run_seed(
    seed: int, settings: argparse.Namespace, train, judge: Judge
) -> tuple[dict, Tensor]:
    """Return the results of one seed, and ten painted spectrograms."""
    began = time.process_time()
    painter = train_painter(*train, settings.steps, seed)
    seconds = time.process_time() - began
    labels = torch.arange(settings.items) % 10
    pictures = sample_images(
        painter,
        SCHEDULE,
        VELOCITY,
        labels,
        (len(labels), 1, FRAMES, FRAMES),
        steps=25,
        seed=seed,
        guidance=1.5,
        batch_size=50,
    )[:, 0]
    results = {
        "seed": seed,
        "painted": judge.accuracy(pictures, labels),
        "painted_after_griffin_lim": judge.accuracy(
            after_griffin_lim(pictures, seed), labels
        ),
        "training_cpu_seconds": round(seconds),
    }
    print(results, flush=True)
    return results, pictures[:10]


def main() -> None:
    """Train the judge and a model per seed, and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()
    train = spoken_digits(settings.clips, seed=0, held_out=False)
    lessons = spoken_digits(2 * settings.clips // 3, seed=1, held_out=True)
    judge = train_judge(*lessons, steps=min(300, settings.clips))
    real, labels = spoken_digits(max(10, settings.clips // 6), seed=2, held_out=False)
    kept, samples = [], []
    for seed in settings.seeds:
        results, pictures = run_seed(seed, settings, train, judge)
        kept.append(results)
        samples.append(pictures)
        measured = {
            "seeds": kept,
            "steps": settings.steps,
            "items": settings.items,
            "real": judge.accuracy(real, labels),
            "real_after_griffin_lim": judge.accuracy(
                after_griffin_lim(real, 0), labels
            ),
            "machine": describe_machine(),
        }
        if not settings.no_save:
            keep_record(Path(__file__).stem, measured)
            keep_images(
                Path(__file__).stem,
                "painted",
                samples[0][:, None].expand(-1, 3, -1, -1),
            )
    print(measured)


if __name__ == "__main__":
    main()
