"""The Fréchet distance of DDPM, DDIM and DPM-Solver++ at each number of steps.

All samplers and numbers of steps start from the same noise and the same labels, without
guidance. The distance compares the features that the book's digit classifier computes
for the drawn and the training images; that of the held-out images shows what a perfect
model would reach with as few images. Intervals come from the jackknife: groups of
images are left out in turn, the same ones in all runs, because image i starts from the
same noise in all of them.

    # about half an hour on one core
    OMP_NUM_THREADS=1 python benchmarks/diffusion_steps.py --partial steps.pt
    # a short trial
    python benchmarks/diffusion_steps.py --images 50 --longest 50 --no-save

Runs of a thousand steps draw half as many images, unless `--long-images 1000` is given,
which takes a quarter of an hour longer. With `--partial FILE`, a run that was stopped
resumes from what it has saved in that file.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from finished import script_parser
from jaxtyping import Float, Int
from scipy.stats import t as student_t
from torch import Tensor

from genai_tutorial.data import load_mnist_split
from genai_tutorial.diffusion import (
    VELOCITY,
    Denoiser,
    ddim,
    ddpm,
    dpm_solver,
    last_sample,
)
from genai_tutorial.metrics import (
    FeatureGaussian,
    frechet_distance,
    gaussian_frechet_distance,
    read_digits,
)
from genai_tutorial.recipes import SCHEDULE, card, load
from genai_tutorial.runtime import describe_machine, keep_record, progress_bar

STEPS = {
    "ddim": (2, 3, 5, 10, 20, 50, 1000),
    "ddpm": (2, 3, 5, 10, 20, 50),
    "dpm_solver": (2, 3, 5, 10, 20, 50),
}
LONG = 100
"""Runs with more steps than this may draw fewer images."""

SMALL = 200
"""The size of a set of images that is too small."""

GROUPS = 20
"""The number of groups of images for the jackknife."""

BATCH = 25
"""The number of images drawn at a time, few enough for the CPU cache."""


@dataclass(frozen=True)
class Drawn:
    """The classifier's reading of some images, and the time it took to draw them.

    Attributes:
        features: The features of each image.
        labels: The digit that the classifier reads.
        seconds: The time spent drawing them.
    """

    features: Float[Tensor, "images feature"]
    labels: Int[Tensor, "images"]
    seconds: float


def draw(
    denoise: Denoiser,
    sampler: str,
    steps: int,
    noise: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Draw an image from each noise, with brightness from 0 to 1."""
    timesteps = SCHEDULE.timesteps(steps)
    samplers = {
        "ddpm": lambda: ddpm(denoise, noise, timesteps, generator),
        "ddim": lambda: ddim(denoise, noise, timesteps),
        "dpm_solver": lambda: dpm_solver(denoise, noise, timesteps),
    }
    return ((last_sample(samplers[sampler]())[:, 0] + 1) / 2).clamp(0, 1)


def features_of(batches: list[Drawn]) -> Float[Tensor, "images feature"]:
    """Return the features of all images of a run."""
    return torch.cat([batch.features for batch in batches])


def images_of(steps: int, settings: argparse.Namespace) -> int:
    """Return the number of images that a run draws."""
    return (
        settings.images if steps <= LONG else min(settings.images, settings.long_images)
    )


def draw_all(
    settings: argparse.Namespace, runs: list[tuple[str, int]], labels: Tensor
) -> dict[tuple, list[Drawn]]:
    """Draw the images of every run, except those that a stopped run has saved."""
    classifier = load("digit-classifier")
    # Convolutions are a third faster if the channels of a position are adjacent.
    model = load(settings.model, settings.folder).to(memory_format=torch.channels_last)
    noise = torch.randn(
        len(labels), 1, 28, 28, generator=torch.Generator().manual_seed(settings.seed)
    )
    about = (
        settings.model,
        card(settings.model, settings.folder)["sha256"],
        settings.images,
        settings.seed,
    )
    partial, done = settings.partial and Path(settings.partial), {}
    if partial and partial.exists():
        kept = torch.load(partial, weights_only=True)
        if kept["about"] != about:
            raise SystemExit(
                f"{partial} belongs to another run, {kept['about']}; this one is "
                f"{about}: give another file."
            )
        done = {
            run: [Drawn(*one) for one in batches]
            for run, batches in kept["done"].items()
        }
    images = {(sampler, steps): images_of(steps, settings) for sampler, steps in runs}
    with progress_bar(
        total=sum(run[1] * images[run] for run in runs), label="sampling steps"
    ) as bar:
        for sampler, steps in runs:
            batches = done.setdefault((sampler, steps), [])
            bar.update(steps * BATCH * len(batches))
            for first in range(BATCH * len(batches), images[sampler, steps], BATCH):
                start, condition = (
                    noise[first : first + BATCH],
                    labels[first : first + BATCH],
                )
                began = time.perf_counter()
                generator = torch.Generator().manual_seed(
                    1_000_000 * settings.seed + len(batches)
                )
                denoise = Denoiser(
                    model, SCHEDULE, VELOCITY, condition=condition, limit=1.0
                )
                reading = read_digits(
                    classifier, draw(denoise, sampler, steps, start, generator)
                )
                batches.append(
                    Drawn(reading.features, reading.labels, time.perf_counter() - began)
                )
                bar.update(steps * len(start))
                if partial:
                    # As tuples, which can be read without running code of the file.
                    plain = {
                        run: [tuple(vars(one).values()) for one in rows]
                        for run, rows in done.items()
                    }
                    torch.save(
                        {"about": about, "done": plain}, partial.with_suffix(".new")
                    )
                    partial.with_suffix(".new").replace(partial)
    return {
        run: batches[: images[run] // BATCH]
        for run, batches in done.items()
        if run in images
    }


def interval(estimate: float, left_out: list[float]) -> list[float]:
    """Return the 95% interval by the jackknife, from the estimates with each group of
    images left out in turn.
    """
    values = torch.tensor(left_out, dtype=torch.float64)
    groups = len(values)
    error = (
        ((groups - 1) / groups * (values - values.mean()).square().sum()).sqrt().item()
    )
    reach = float(student_t(groups - 1).ppf(0.975)) * error
    return [round(estimate - reach, 3), round(estimate + reach, 3)]


def ratio(few: list[float], many: list[float]) -> dict:
    """Return the ratio of two runs' distances; the first item of both lists is with all
    images.
    """
    values = [this / other for this, other in zip(few, many, strict=True)]
    return {"ratio": round(values[0], 3), "interval": interval(values[0], values[1:])}


def gap(run: list[float], other: list[float]) -> dict:
    """Return the difference of two runs' distances; the first item of both lists is
    with all images.
    """
    values = [this - that for this, that in zip(run, other, strict=True)]
    return {"gap": round(values[0], 3), "interval": interval(values[0], values[1:])}


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="mnist-diffusion")
    parser.add_argument(
        "--folder",
        default=None,
        help="where `genai-tutorial train` wrote it; default: the package's",
    )
    parser.add_argument(
        "--images", type=int, default=1000, help=f"a multiple of {BATCH}"
    )
    parser.add_argument(
        "--long-images",
        type=int,
        default=500,
        help=f"the same, for runs with more than {LONG} steps",
    )
    parser.add_argument(
        "--longest", type=int, default=1000, help="leave out larger numbers of steps"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--partial", default=None, help="a file from which a stopped run resumes"
    )
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()

    runs = [
        (sampler, steps)
        for sampler in STEPS
        for steps in STEPS[sampler]
        if steps <= settings.longest
    ]
    runs.sort(key=lambda run: run[1])  # the fast ones first
    labels = torch.arange(settings.images) % 10
    done = draw_all(settings, runs, labels)
    train, held_out = load_mnist_split()
    classifier = load("digit-classifier")
    real = FeatureGaussian.fit(read_digits(classifier, train.images).features)

    def distance(features: Tensor) -> float:
        return gaussian_frechet_distance(FeatureGaussian.fit(features), real)

    def distances(batches: list[Drawn]) -> list[float]:
        """Return the distance with all images, then with each group left out; each
        group has equally many images of each digit.
        """
        features = features_of(batches)
        group = torch.arange(len(features)) // 10 % min(GROUPS, len(features) // 10)
        return [
            distance(features),
            *(distance(features[group != number]) for number in group.unique()),
        ]

    measured, found = [], {run: distances(done[run]) for run in runs}
    for sampler, steps in runs:
        batches = done[sampler, steps]
        read = torch.cat([batch.labels for batch in batches])
        measured.append(
            {
                "sampler": sampler,
                "steps": steps,
                "images": len(read),
                "frechet": round(found[sampler, steps][0], 3),
                "interval": interval(
                    found[sampler, steps][0], found[sampler, steps][1:]
                ),
                "read_as_wished": round(
                    (read == labels[: len(read)]).double().mean().item(), 3
                ),
                "seconds": round(sum(batch.seconds for batch in batches), 1),
            }
        )
    ratios, own = {}, {}
    if ("ddim", 1000) in runs:
        longest = done["ddim", 1000]
        for steps in (5, 10, 20, 50):
            same_images = done["ddim", steps][: len(longest)]
            ratios[f"ddim {steps} of 1000"] = ratio(
                distances(same_images), found["ddim", 1000]
            )
            # Both sets start from the same noise, so the bias of small sets cancels.
            own[f"ddim {steps}"] = round(
                frechet_distance(features_of(same_images), features_of(longest)), 4
            )
    pairs = (("ddim", "ddpm"), ("dpm_solver", "ddpm"), ("dpm_solver", "ddim"))
    gaps = {
        f"{sampler} {steps} minus {other} {steps}": gap(
            found[sampler, steps], found[other, steps]
        )
        for sampler, other in pairs
        for steps in STEPS["dpm_solver"]
        if (sampler, steps) in runs
    }
    # what one would have seen with only this many images
    small_sets = {
        f"{sampler} 50": [
            round(distance(part), 3)
            for part in features_of(done[sampler, 50]).split(SMALL)
        ]
        for sampler in STEPS
        if (sampler, 50) in runs
    }
    # as many held-out images, the same number of each digit
    of_each = [
        (held_out.labels == digit).nonzero()[: settings.images // 10, 0]
        for digit in range(10)
    ]
    perfect = read_digits(classifier, held_out.images[torch.cat(of_each)])
    result = {
        "machine": describe_machine(),
        "model": settings.model,
        "trained": {
            key: card(settings.model, settings.folder).get(key)
            for key in ("sha256", "steps")
        },
        "images": settings.images,
        "seed": settings.seed,
        "intervals": f"95%, jackknife over {GROUPS} groups of the drawn images",
        "held_out_frechet": round(distance(perfect.features), 3),
        "measured": measured,
        "ratios": ratios,
        "from_own_1000": own,
        "gaps": gaps,
        f"sets_of_{SMALL}": small_sets,
    }
    print(json.dumps({"ratios": ratios, "from_own_1000": own, "gaps": gaps}, indent=1))
    if not settings.no_save:
        keep_record("diffusion_steps", result)


if __name__ == "__main__":
    main()
