"""How many steps does a sampler need? The Fréchet distance of DDPM, DDIM and
DPM-Solver++ at each number of steps.

All samplers and numbers of steps begin with the same noise and the same labels, without
guidance. The distance compares what the book's digit classifier sees in the drawn
images and in the training images; that of the held-out images shows what a perfect
model would reach with as few images. Intervals come from the jackknife: groups of
images are left out in turn, the same ones in all runs, because image i begins with the
same noise in all of them.

    # about half an hour on one core
    OMP_NUM_THREADS=1 python benchmarks/diffusion_steps.py --partial steps.pt
    # to see that it works
    python benchmarks/diffusion_steps.py --images 50 --longest 50 --no-save

Runs of a thousand steps draw half as many images, unless `--long-images 1000` is given,
which takes a quarter of an hour more. With `--partial` it keeps in that file what it
has drawn, and goes on from there when it is started again.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from scipy.stats import t as student_t
from torch import Tensor

from genai_tutorial.data import load_mnist_split
from genai_tutorial.diffusion import VELOCITY, Denoiser, ddim, ddpm, dpm_solver
from genai_tutorial.metrics import (
    FeatureGaussian,
    frechet_distance,
    gaussian_frechet_distance,
    read_digits,
)
from genai_tutorial.pretrained.records import keep_record
from genai_tutorial.recipes import card, load
from genai_tutorial.recipes.mnist.diffusion import SCHEDULE
from genai_tutorial.runtime import describe_machine, progress_bar

STEPS = {
    "ddim": (2, 3, 5, 10, 20, 50, 1000),
    "ddpm": (2, 3, 5, 10, 20, 50),
    "dpm_solver": (2, 3, 5, 10, 20, 50),
}
LONG = 100
"""Runs of more steps may draw fewer images, the first of all."""

SMALL = 200
"""So many images are a set that is too small."""

GROUPS = 20
"""Into so many groups the images are divided for the intervals."""
CHUNK = 25
"""So few images at a time stay in the processor's cache."""


@dataclass(frozen=True)
class Drawn:
    """What the classifier sees in some images, and how long they took.

    Attributes:
        features: Of each image.
        labels: The digit that it reads.
        seconds: That drawing them took.
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
    """Draws an image from each noise, brightness from 0 to 1."""
    timesteps = SCHEDULE.timesteps(steps)
    samplers = {
        "ddpm": lambda: ddpm(denoise, noise, timesteps, generator),
        "ddim": lambda: ddim(denoise, noise, timesteps),
        "dpm_solver": lambda: dpm_solver(denoise, noise, timesteps),
    }
    return ((last_sample(samplers[sampler]())[:, 0] + 1) / 2).clamp(0, 1)


def features_of(chunks: list[Drawn]) -> Float[Tensor, "images feature"]:
    """The features of all images of a run."""
    return torch.cat([chunk.features for chunk in chunks])


def images_of(steps: int, settings: argparse.Namespace) -> int:
    """How many images a run draws."""
    return (
        settings.images if steps <= LONG else min(settings.images, settings.long_images)
    )


def draw_all(
    settings: argparse.Namespace, runs: list[tuple[str, int]], labels: Tensor
) -> dict[tuple, list[Drawn]]:
    """Draws the images of every run in chunks, those that a stopped run has left
    excepted.
    """
    classifier = load("digit-classifier")
    # The convolutions are a third faster when the features of a place lie side by side
    # in memory.
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
        kept = torch.load(partial, weights_only=False)
        if kept["about"] != about:
            raise SystemExit(
                f"{partial} is of another run, {kept['about']}; this one is {about}: "
                "name another file."
            )
        done = kept["done"]
    images = {(sampler, steps): images_of(steps, settings) for sampler, steps in runs}
    with progress_bar(
        total=sum(run[1] * images[run] for run in runs), label="steps of an image"
    ) as bar:
        for sampler, steps in runs:
            chunks = done.setdefault((sampler, steps), [])
            bar.update(steps * CHUNK * len(chunks))
            for first in range(CHUNK * len(chunks), images[sampler, steps], CHUNK):
                start, wished = (
                    noise[first : first + CHUNK],
                    labels[first : first + CHUNK],
                )
                began = time.perf_counter()
                generator = torch.Generator().manual_seed(
                    1_000_000 * settings.seed + len(chunks)
                )
                denoise = Denoiser(
                    model, SCHEDULE, VELOCITY, condition=wished, limit=1.0
                )
                reading = read_digits(
                    classifier, draw(denoise, sampler, steps, start, generator)
                )
                chunks.append(
                    Drawn(reading.features, reading.labels, time.perf_counter() - began)
                )
                bar.update(steps * len(start))
                if partial:
                    torch.save(
                        {"about": about, "done": done}, partial.with_suffix(".new")
                    )
                    partial.with_suffix(".new").replace(partial)
    return {
        run: chunks[: images[run] // CHUNK]
        for run, chunks in done.items()
        if run in images
    }


def interval(estimate: float, left_out: list[float]) -> list[float]:
    """The 95% interval by the jackknife: from the estimates with each group of images
    left out in turn.
    """
    values = torch.tensor(left_out, dtype=torch.float64)
    groups = len(values)
    error = (
        ((groups - 1) / groups * (values - values.mean()).square().sum()).sqrt().item()
    )
    reach = float(student_t(groups - 1).ppf(0.975)) * error
    return [round(estimate - reach, 3), round(estimate + reach, 3)]


def ratio(few: list[float], many: list[float]) -> dict:
    """How many times as far from real digits one run is as another; in both lists, all
    images come first.
    """
    values = [this / other for this, other in zip(few, many, strict=True)]
    return {"ratio": round(values[0], 3), "interval": interval(values[0], values[1:])}


def gap(run: list[float], other: list[float]) -> dict:
    """How much farther from real digits one run is than another; in both lists, all
    images come first.
    """
    values = [this - that for this, that in zip(run, other, strict=True)]
    return {"gap": round(values[0], 3), "interval": interval(values[0], values[1:])}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="mnist-diffusion")
    parser.add_argument(
        "--folder",
        default=None,
        help="where `genai-tutorial train` wrote it; else the package's",
    )
    parser.add_argument(
        "--images", type=int, default=1000, help=f"a multiple of {CHUNK}"
    )
    parser.add_argument(
        "--long-images",
        type=int,
        default=500,
        help=f"the same, for runs of more than {LONG} steps",
    )
    parser.add_argument(
        "--longest", type=int, default=1000, help="leave out larger numbers of steps"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--partial", default=None, help="a file for what is drawn, to go on from"
    )
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()

    runs = [
        (sampler, steps)
        for sampler in STEPS
        for steps in STEPS[sampler]
        if steps <= settings.longest
    ]
    runs.sort(key=lambda run: run[1])  # the cheap ones first
    labels = torch.arange(settings.images) % 10
    done = draw_all(settings, runs, labels)
    train, held_out = load_mnist_split()
    classifier = load("digit-classifier")
    real = FeatureGaussian.fit(read_digits(classifier, train.images).features)

    def distance(features: Tensor) -> float:
        return gaussian_frechet_distance(FeatureGaussian.fit(features), real)

    def distances(chunks: list[Drawn]) -> list[float]:
        """With all images, then with each group of them left out; a group has as many
        images of each digit.
        """
        features = features_of(chunks)
        group = torch.arange(len(features)) // 10 % min(GROUPS, len(features) // 10)
        return [
            distance(features),
            *(distance(features[group != number]) for number in group.unique()),
        ]

    measured, found = [], {run: distances(done[run]) for run in runs}
    for sampler, steps in runs:
        chunks = done[sampler, steps]
        read = torch.cat([chunk.labels for chunk in chunks])
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
                "seconds": round(sum(chunk.seconds for chunk in chunks), 1),
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
            # From the same noise, so that what the distance has too much for few images
            # is not in it.
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
    # What somebody would have seen who had drawn only as many images.
    small_sets = {
        f"{sampler} 50": [
            round(distance(part), 3)
            for part in features_of(done[sampler, 50]).split(SMALL)
        ]
        for sampler in STEPS
        if (sampler, 50) in runs
    }
    # As many held-out images, the same number of each digit.
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
