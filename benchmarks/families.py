"""Six families of generative models side by side: the same 4,000 digits, the same
budget of weights, several seeds.

Each family of `recipes.DIGIT_FAMILIES`, and probabilistic PCA with as many
numbers, is trained from each seed, draws 1,000 images and scores 50 held-out ones. All
of it runs on one thread, and times are CPU seconds of that thread: drawing is timed
with 100 images side by side.

    # about six CPU minutes a seed
    OMP_NUM_THREADS=1 python benchmarks/families.py --folder runs

What was finished before a run was stopped is in the folder, and is not done again. The
models of the package are those of seed 0, as `genai-tutorial train` makes them.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from finished import kept, script_parser
from jaxtyping import Float
from safetensors import torch as safetensors
from torch import Tensor

from genai_tutorial.data import (
    LEVELS,
    dequantize,
    from_levels,
    load_mnist_split,
    requantize,
    to_levels,
)
from genai_tutorial.density import PPCA, fit_ppca
from genai_tutorial.metrics import bits_per_dimension
from genai_tutorial.recipes import (
    DIGIT_FAMILIES,
    N_EVAL_IMAGES,
    PPCA_COMPONENTS,
    FamilyRecipe,
    RunSettings,
    build_rounded,
    measure_digits,
)
from genai_tutorial.runtime import describe_machine, keep_record, seed_everything
from genai_tutorial.training import Checkpoint, Process

SEEDS, TIMED, SCORED = (0, 1, 2), 100, 50


@dataclass(frozen=True)
class Model:
    """One trained model, whatever it is.

    Attributes:
        weights: How many numbers are needed to draw.
        training_seconds: CPU seconds of its training.
        images: Draws so many images from a seed.
        bits: Bits per dimension of grey levels; None where there is no likelihood.
    """

    weights: int
    training_seconds: float
    images: Callable[[int, int], Float[Tensor, "n 28 28"]]
    bits: Callable[[Tensor, int], float | None]


def fit_components(seed: int) -> Model:
    """Fits probabilistic PCA."""
    levels = to_levels(load_mnist_split()[0].images)
    started = time.process_time()
    fitted = fit_ppca(
        dequantize(levels, torch.Generator().manual_seed(seed)).flatten(1),
        latent=PPCA_COMPONENTS,
    )
    seconds = time.process_time() - started
    return Model(
        fitted.loadings.numel() + fitted.mean.numel() + 1,
        seconds,
        draw_from(fitted),
        bits_of(fitted),
    )


def draw_from(fitted: PPCA) -> Callable[[int, int], Tensor]:
    """Draws from probabilistic PCA, noise included, cut off at black and white."""
    return lambda count, seed: from_levels(
        requantize(fitted.sample(count, torch.Generator().manual_seed(seed)).float())
    ).view(-1, 28, 28)


def bits_of(fitted: PPCA) -> Callable[[Tensor, int], float]:
    """Scores grey levels by the density of probabilistic PCA."""

    def bits(levels: Tensor, seed: int) -> float:
        rows = dequantize(levels, torch.Generator().manual_seed(seed)).flatten(1)
        return bits_per_dimension(
            fitted.log_prob(rows).sum().item(), levels.numel(), level_width=1 / LEVELS
        )

    return bits


def train_network(recipe: FamilyRecipe, seed: int, folder: Path) -> Model:
    """Trains a network, or reads what an earlier run of this file has left."""
    recipe = replace(recipe, seed=seed)
    about = {"recipe": asdict(recipe)}
    weights, notes = (
        folder / f"{recipe.name}-{seed}.safetensors",
        folder / f"{recipe.name}-{seed}.json",
    )
    if not notes.exists():
        seed_everything(seed)
        checkpoint = Checkpoint(
            folder / "unfinished.safetensors", every=recipe.steps, resume=False
        )
        trained = recipe.fit(
            RunSettings(
                recipe.steps, torch.device("cpu"), Process(), checkpoint, progress=False
            )
        )
        safetensors.save_file(trained.model.state_dict(), weights)
        notes.write_text(
            json.dumps({"seconds": round(trained.seconds)} | dict(trained.notes)),
            encoding="utf-8",
        )
    model = recipe.build()
    model.load_state_dict(safetensors.load_file(weights))
    model = build_rounded(recipe, about, model)  # 16 bits, as on file
    seconds = json.loads(notes.read_text("utf8"))["cpu_seconds"]
    return Model(
        recipe.weights_to_draw(model),
        seconds,
        lambda count, seed: recipe.images(model, count, seed),
        lambda levels, seed: recipe.bits(model, levels, seed),
    )


def measure(model: Model, seed: int) -> dict:
    """Draws and scores."""
    _, held_out = load_mnist_split()
    images = model.images(N_EVAL_IMAGES, seed)
    started = time.process_time()
    model.images(TIMED, seed)
    seconds = (time.process_time() - started) / TIMED
    bits = model.bits(to_levels(held_out.images[:: len(held_out) // SCORED]), seed)
    return measure_digits(images) | {
        "bits_per_dimension": None if bits is None else round(bits, 4),
        "seconds_an_image": float(f"{seconds:.3g}"),
        "training_seconds": round(model.training_seconds, 2),
        "weights": model.weights,
    }


def real_digits(seed: int) -> dict:
    """What a perfect model would get: other real digits, drawn from the training
    images, which is cheating.
    """
    train, _ = load_mnist_split()
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[
        :N_EVAL_IMAGES
    ]
    return measure_digits(train.images[chosen])


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--folder", required=True, help="for the trained models")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    settings = parser.parse_args()
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "data": "MNIST-5k: 4,000 digits to train on, 1,000 held out",
        "machine": describe_machine(),
        "seconds": (
            f"CPU seconds of one thread; an image among {TIMED} that are drawn together"
        ),
        "drawn_images": N_EVAL_IMAGES,
        "scored_images": SCORED,
        "seeds": settings.seeds,
        "real_digits": [real_digits(seed) for seed in settings.seeds],
        "runs": {},
    }
    makers = {"PPCA": fit_components} | {
        recipe.family: lambda seed, recipe=recipe: train_network(recipe, seed, folder)
        for recipe in DIGIT_FAMILIES
    }
    for seed in settings.seeds:
        for family, make in makers.items():
            path = folder / f"measured-{family.replace(' ', '-')}-{seed}.json"
            run = kept(path, lambda make=make, seed=seed: measure(make(seed), seed))
            about["runs"].setdefault(family, []).append(run)
    keep_record("families", about)


if __name__ == "__main__":
    main()
