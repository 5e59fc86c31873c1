"""How many steps does a sampler need? The Fréchet distance of DDPM, DDIM and DPM-Solver++ at each number of steps.

All samplers and numbers of steps begin with the same noise and the same labels, without guidance. The distance compares
what the book's digit classifier sees in the drawn images and in the training images; that of the held-out images shows
what a perfect model would reach with as few images. Intervals come from the bootstrap over the drawn images, paired
between samplers, because image i has the same noise in all of them.

    OMP_NUM_THREADS=1 python benchmarks/diffusion_steps.py                 # about a quarter of an hour on one core
    OMP_NUM_THREADS=1 python benchmarks/diffusion_steps.py --images 40 --longest 50 --no-save   # to see that it works
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from genai_tutorial.diffusion import VELOCITY, Denoiser, ddim, ddpm, dpm_solver, final
from genai_tutorial.evaluation import frechet_distance, read_digits
from genai_tutorial.pretrained import card, describe_machine, load
from genai_tutorial.pretrained.digit_classifier import split
from genai_tutorial.pretrained.image_diffusion import PATH
from genai_tutorial.training import progress_bar

RESULTS = Path(__file__).parent / "results"
STEPS = (2, 3, 5, 10, 20, 50, 1000)
RESAMPLES = 200
CHUNK = 50
"""So few images at a time stay in the processor's cache."""


def draw(model: torch.nn.Module, sampler: str, steps: int, noise: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Draws an image from each noise, brightness from 0 to 1."""
    times, images = PATH.times(steps), []
    for number, (start, wished) in enumerate(zip(noise.split(CHUNK), labels.split(CHUNK), strict=True)):
        denoise = Denoiser(model, PATH, VELOCITY, condition=wished, limit=1.0)
        generator = torch.Generator().manual_seed(1_000_000 * seed + number)
        walks = {
            "ddpm": lambda d=denoise, s=start, g=generator: ddpm(d, s, times, g),
            "ddim": lambda d=denoise, s=start: ddim(d, s, times),
            "dpm_solver": lambda d=denoise, s=start: dpm_solver(d, s, times),
        }
        images.append((final(walks[sampler]())[:, 0] + 1) / 2)
    return torch.cat(images).clamp(0, 1)


def interval(estimate: float, resampled: list[float]) -> list[float]:
    """The middle 95% of the resampled values, moved to the estimate.

    A set that was resampled holds images twice, which adds to its Fréchet distance: the values lie too high together.
    """
    values = torch.tensor(resampled, dtype=torch.float64)
    ends = values.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)) - values.mean() + estimate
    return [round(end, 3) for end in ends.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mnist-diffusion")
    parser.add_argument("--folder", default=None, help="where `genai-tutorial train` wrote it; else the package's")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--longest", type=int, default=1000, help="leave out larger numbers of steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()

    model, classifier = load(settings.model, settings.folder), load("digit-classifier")
    train, held_out = split()
    real = read_digits(classifier, train.images).features
    labels = torch.arange(settings.images) % 10
    noise = torch.randn(settings.images, 1, 28, 28, generator=torch.Generator().manual_seed(settings.seed))

    runs = [
        (sampler, steps) for steps in STEPS if steps <= settings.longest for sampler in ("ddpm", "ddim", "dpm_solver")
    ]
    runs = [(sampler, steps) for sampler, steps in runs if sampler != "dpm_solver" or steps <= 100]
    features, seconds, right = {}, {}, {}
    with progress_bar(total=sum(steps for _, steps in runs), label="steps") as bar:
        for sampler, steps in runs:
            started = time.perf_counter()
            reading = read_digits(classifier, draw(model, sampler, steps, noise, labels, settings.seed))
            seconds[sampler, steps] = time.perf_counter() - started
            features[sampler, steps] = reading.features
            right[sampler, steps] = (reading.labels == labels).double().mean().item()
            print(f"{sampler} {steps}: {frechet_distance(reading.features, real):.3f}", flush=True)
            bar.update(steps)

    generator = torch.Generator().manual_seed(settings.seed)
    draws = [torch.randint(settings.images, (settings.images,), generator=generator) for _ in range(RESAMPLES)]
    resampled = {run: [frechet_distance(features[run][rows], real) for rows in draws] for run in runs}
    distances = {run: frechet_distance(features[run], real) for run in runs}
    measured = [
        {
            "sampler": sampler,
            "steps": steps,
            "frechet": round(distances[sampler, steps], 3),
            "interval": interval(distances[sampler, steps], resampled[sampler, steps]),
            "read_as_wished": round(right[sampler, steps], 3),
            "seconds": round(seconds[sampler, steps], 1),
        }
        for sampler, steps in runs
    ]
    ratios = {}
    for sampler, steps in runs:
        longest = (sampler, 1000)
        if longest in features and steps < 1000:
            pairs = zip(resampled[sampler, steps], resampled[longest], strict=True)
            ratio = distances[sampler, steps] / distances[longest]
            ends = interval(ratio, [few / many for few, many in pairs])
            ratios[f"{sampler} {steps} of 1000"] = {"ratio": round(ratio, 3), "interval": ends}
    # As many held-out images, the same number of each digit.
    of_each = [(held_out.labels == digit).nonzero()[: settings.images // 10, 0] for digit in range(10)]
    perfect = read_digits(classifier, held_out.images[torch.cat(of_each)])
    result = {
        "machine": describe_machine(),
        "model": settings.model,
        "trained": {key: card(settings.model, settings.folder).get(key) for key in ("sha256", "steps")},
        "images": settings.images,
        "seed": settings.seed,
        "intervals": f"95%, bootstrap over the drawn images, {RESAMPLES} resamples, moved to the estimate",
        "held_out_frechet": round(frechet_distance(perfect.features, real), 3),
        "measured": measured,
        "ratios": ratios,
    }
    print(json.dumps(result["ratios"], indent=1))
    if not settings.no_save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "diffusion_steps.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
