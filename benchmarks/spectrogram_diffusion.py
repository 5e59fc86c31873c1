"""Diffusion on spectrograms: a U-Net draws spoken digits, and a classifier that was
trained on other speakers reads them.

Each seed trains chapter 8's live U-Net, with its optimizer, on 3,000 recordings by 48
speakers, and draws digits with DDIM and classifier-free guidance. The classifier is
trained on 3,000 recordings by 17 other speakers. It reads the drawn spectrograms and
those of the waves that Griffin-Lim makes of them; so does the chapter's recognizer,
which knows the speakers.

The opponents: recordings that neither network has heard (what a perfect model would
reach), the mean spectrogram of each digit, drawing without the label, and copies of
training recordings with a little noise. The Fréchet distance is that of the
classifier's features. `spread` is the mean distance of two spectrograms of one digit,
and `nearer_to_train` the share whose nearest recording is one of the training set, out
of a pool of which three in four are.

    # about five minutes per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/spectrogram_diffusion.py
    # a short trial
    python benchmarks/spectrogram_diffusion.py --seeds 0 --steps 4 --images 20 --no-save

Finished seeds are kept in the folder `runs/spectrogram_diffusion` and are not repeated.
"""

import json
import time
from pathlib import Path

import torch
from finished import script_parser
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.diffusion import (
    VELOCITY,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    sample_images,
)
from genai_tutorial.metrics import copy_test, frechet_distance, nearest_neighbours
from genai_tutorial.recipes import load, recipe
from genai_tutorial.runtime import (
    describe_machine,
    keep_images,
    keep_record,
    write_atomically,
)
from genai_tutorial.tasks.speech import (
    DIGITS,
    SpokenDigits,
    digit_images,
    digit_waves,
    draw_spoken_digits,
)
from genai_tutorial.training import (
    EMA,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)

RUNS = Path("runs") / "spectrogram_diffusion"
TRAIN, HELD_OUT, OTHERS = 3000, 1000, 3000
DATA_SEED, OTHERS_SEED = 0, 1
SCHEDULE, NO_LABEL, LABEL_DROPOUT = cosine_schedule(1000), len(DIGITS), 0.1
CHANNELS, SAMPLER_STEPS, WEIGHTS, GUIDANCE = (16, 64), 50, (0, 1, 2, 4), 2
CLASSIFIER_STEPS = 400


class Reader(nn.Module):
    """A convolutional network that reads a spoken digit from its spectrogram."""

    def __init__(self, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                *_halving(1, 16),
                *_halving(16, 32),
                *_halving(32, 64),
                nn.Flatten(),
                nn.Linear(64 * 4 * 8, 64),
            )
            self.head = nn.Sequential(
                nn.SiLU(), nn.Dropout(0.2), nn.Linear(64, len(DIGITS))
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return a score for each digit."""
        return self.head(self.body(images))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return the features that the Fréchet distance compares."""
        return self.body(images)

    @torch.no_grad()
    def share_right(self, images: Tensor, labels: Tensor) -> float:
        """Return the share of digits that are read as their label."""
        return (self(images).argmax(dim=1) == labels).float().mean().item()


def _halving(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.GroupNorm(8, channels_out),
        nn.SiLU(),
        nn.MaxPool2d(2),
    ]


def train_reader(digits: SpokenDigits, seed: int, steps: int) -> Reader:
    """Train a classifier on recordings that are moved a little in time and in
    frequency, made louder or softer, and noised.
    """
    reader, generator = Reader(seed), torch.Generator().manual_seed(seed)

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        later, higher = (
            int(torch.randint(low, 6, (), generator=generator)) for low in (0, 3)
        )
        moved = images.roll((later, higher - 4), dims=(3, 2))
        louder = 0.15 * torch.randn(len(images), 1, 1, 1, generator=generator)
        noise = 0.1 * torch.randn(images.shape, generator=generator)
        changed = (moved + louder + noise).clamp(-1, 1)
        return functional.cross_entropy(model(changed), labels)

    fit(
        reader,
        TensorBatches((digits.images, digits.labels), 64, seed),
        loss,
        torch.optim.AdamW(reader.parameters(), 2e-3, weight_decay=0.05),
        steps=steps,
        schedule=warmup_linear(steps, warmup_steps=min(20, steps // 2)),
        progress=False,
    )
    return reader.eval()


def train_painter(digits: SpokenDigits, seed: int, steps: int) -> tuple[nn.Module, int]:
    """Return a U-Net that draws spectrograms of digits, and its number of weights."""
    chosen = recipe("mnist-diffusion-live")
    model = UNet(UNetConfig(channels=CHANNELS), seed)
    generator, average = torch.Generator().manual_seed(seed), EMA(model, 0.98)

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        labels = drop_labels(labels, LABEL_DROPOUT, NO_LABEL, generator)
        return diffusion_loss(
            model, SCHEDULE, VELOCITY, images, labels, generator=generator
        )

    fit(
        model,
        TensorBatches((digits.images, digits.labels), chosen.batch_size, seed),
        loss,
        build_optimizer(model, chosen.optimizer),
        steps=steps,
        schedule=warmup_linear(steps, warmup_steps=min(20, steps // 2)),
        ema=average,
        progress=False,
    )
    return average.model, model.parameter_count()


def draw(model: nn.Module, labels: Tensor, guidance: float | int, seed: int) -> Tensor:
    """Draw a spectrogram for each label, with values from -1 to 1."""
    drawn = sample_images(
        model,
        SCHEDULE,
        VELOCITY,
        labels,
        (len(labels), 1, 32, 64),
        steps=SAMPLER_STEPS,
        seed=seed,
        guidance=guidance,
        batch_size=100,
    )
    return 2 * drawn - 1


def spread(images: Tensor) -> float:
    """Return the mean distance of two images of one digit; the digits take turns."""
    kinds = [images[digit :: len(DIGITS)].flatten(1) for digit in range(len(DIGITS))]
    return torch.stack([torch.pdist(kind).mean() for kind in kinds]).mean().item()


def compared(
    reader: Reader, images: Tensor, labels: Tensor, train: Tensor, unheard: Tensor
) -> dict[str, float]:
    """Measure a set of spectrograms against recordings."""
    copies = copy_test(images, train, unheard)
    real = reader.features(unheard)
    return {
        "read": round(reader.share_right(images, labels), 4),
        "frechet": round(frechet_distance(reader.features(images), real), 3),
        "spread": round(spread(images), 3),
        "nearer_to_train": round(copies.nearer_to_train, 4),
    }


def through_griffin_lim(
    reader: Reader, images: Tensor, labels: Tensor
) -> dict[str, float]:
    """Measure how well digits are read before and after Griffin-Lim."""
    waves = digit_waves(images, torch.Generator().manual_seed(0))
    heard = load("spoken-captions").transcribe(list(waves))
    said = [DIGITS[label] for label in labels.tolist()]
    rights = [text == word for text, word in zip(heard, said, strict=True)]
    return {
        "n": len(labels),
        "read": round(reader.share_right(images, labels), 4),
        "read_from_wave": round(
            reader.share_right(digit_images(list(waves)), labels), 4
        ),
        "recognized": round(sum(rights) / len(rights), 4),
    }


def run_seed(seed: int, steps: int, count: int) -> tuple[dict, dict[str, Tensor]]:
    """Train both networks and measure them; return some spectrograms as well."""
    pool = draw_spoken_digits(TRAIN + HELD_OUT + count, DATA_SEED)
    train = SpokenDigits(pool.images[:TRAIN], pool.labels[:TRAIN])
    unheard, recordings = pool.images[TRAIN:].split([HELD_OUT, count])
    others = draw_spoken_digits(OTHERS, OTHERS_SEED, held_out_voices=True)
    reader = train_reader(others, seed, min(steps, CLASSIFIER_STEPS))
    start = time.process_time()
    painter, weights = train_painter(train, seed, steps)
    seconds = time.process_time() - start
    print(f"seed {seed}: trained in {seconds:.0f} s", flush=True)

    labels = torch.arange(count) % len(DIGITS)
    drawn = {weight: draw(painter, labels, weight, seed) for weight in WEIGHTS}
    means = torch.stack(
        [train.images[train.labels == digit].mean(dim=0) for digit in range(10)]
    )
    noise = torch.randn(count, 1, 32, 64, generator=torch.Generator().manual_seed(seed))
    rivals = {
        "recordings": recordings,
        "mean of the digit": means[labels] + 1e-3 * noise,
        "noisy copies": train.images[:count] + 0.1 * noise,
    }
    measured = {
        "seed": seed,
        "steps": steps,
        "weights": weights,
        "seconds": round(seconds, 1),
        "images": count,
        "train": TRAIN,
        "held_out": HELD_OUT,
        "guidance": {
            str(weight): compared(reader, images, labels, train.images, unheard)
            for weight, images in drawn.items()
        },
        "rivals": {
            name: compared(reader, images, labels, train.images, unheard)
            for name, images in rivals.items()
        },
        "griffin_lim": {
            name: through_griffin_lim(reader, images[:200], labels[:200])
            for name, images in (
                ("recordings", rivals["recordings"]),
                ("drawn", drawn[GUIDANCE]),
            )
        },
    }
    first = drawn[GUIDANCE][: len(DIGITS)]
    nearest = nearest_neighbours(first, train.images).indices[:, 0]
    return measured, {
        "drawn": first,
        "nearest": train.images[nearest],
        "mean": means,
    }


def squares(images: Tensor) -> Tensor:
    """Return two spectrograms per square, one above the other, as images."""
    pairs = torch.cat([images[::2], images[1::2]], dim=2)
    return ((pairs + 1) / 2).clamp(0, 1).expand(-1, 3, -1, -1)


def main() -> None:
    """Run the seeds that are not in the folder of runs, and keep the record."""
    parser = script_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()
    for seed in settings.seeds:
        file = RUNS / f"{seed}.json"
        if not settings.no_save and file.is_file():
            continue
        measured, shown = run_seed(seed, settings.steps, settings.images)
        print(json.dumps(measured, indent=1), flush=True)
        if settings.no_save:
            continue
        RUNS.mkdir(parents=True, exist_ok=True)
        with write_atomically(file, "w") as opened:
            json.dump(measured, opened)
        if seed == 0:
            for kind, images in shown.items():
                keep_images("spectrogram_diffusion", kind, squares(images))
    if not settings.no_save:
        kept = [json.loads(file.read_text()) for file in sorted(RUNS.glob("*.json"))]
        keep_record(
            "spectrogram_diffusion", {"seeds": kept, "machine": describe_machine()}
        )


if __name__ == "__main__":
    main()
