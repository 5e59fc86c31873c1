"""More families for chapter 11, from several seeds: mixtures of Gaussians by the same
measures as the six networks; a normalizing flow beside closed-form densities, in bits
per dimension of digits; and a flow and an energy-based model of two moons.

    # about a minute and a half a seed
    OMP_NUM_THREADS=1 python benchmarks/more_families.py --folder runs

A seed decides weights, batches, dequantization noise and the drawn points. Held-out
digits and test points are the same for all.
"""

import math
import time

import torch
from finished import command_line, kept
from torch import Tensor, nn

from genai_tutorial.data import (
    LEVELS,
    dequantize,
    from_levels,
    load_mnist_split,
    to_levels,
)
from genai_tutorial.density import (
    Density,
    Gaussianize,
    RealNVP,
    fit_diagonal_gaussian,
    fit_gaussian,
    fit_mixture,
    fit_ppca,
    langevin,
    noise_contrastive_loss,
    start_responsibilities,
)
from genai_tutorial.metrics import (
    ball_radii,
    bits_per_dimension,
    copy_test,
    read_digits,
)
from genai_tutorial.recipes import (
    N_EVAL_IMAGES,
    PPCA_COMPONENTS,
    load,
    measure_digits,
)
from genai_tutorial.runtime import describe_machine, keep_record, seed_everything
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_cosine

SEEDS = (0, 1, 2, 3, 4)
CODES = 60  # numbers of a digit's code, as in chapter 1
DIGIT_STEPS, WIDTH, LAYERS, BATCH = 250, 16, 8, 16
POINT_STEPS, ENERGY_STEPS = 600, 1000
NOISE, UPPER = 0.12, 0.75  # of the moons: their blur, and the share of the upper one
COMPONENTS = (4, 8, 16, 32)
STEP, CHAIN = 0.005, (50, 200, 1000, 2000)  # of Langevin sampling


# --- mixtures of Gaussians ------------------------------------------------------------


def measure_mixtures(seed: int) -> dict[str, dict[str, float]]:
    """Fit mixtures to PPCA's codes, and measure 1,000 images as `families.py` does."""
    train, held_out = load_mnist_split()
    ppca = fit_ppca(train.flat, latent=CODES)
    codes = ppca.encode(train.flat)
    real = read_digits(load("digit-classifier"), held_out.images).features.double()
    radii, found = ball_radii(real, k=3), {}
    for components in (10, 30):
        started = time.process_time()
        mixture = fit_mixture(
            codes,
            start_responsibilities(codes, components, seed),
            lambda x, weights: fit_gaussian(x, weights, ridge=0.05),
            steps=15,
        ).mixture
        fitted = time.process_time()

        def draw(count: int, mixture: Density = mixture) -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            rows = ppca.decode(mixture.sample(count, generator)).float()
            return from_levels(to_levels(rows.clamp(0, 1))).view(-1, 28, 28)

        images, drawn = draw(N_EVAL_IMAGES), time.process_time()
        draw(100)
        seconds = (time.process_time() - drawn) / 100
        features = read_digits(load("digit-classifier"), images).features.double()
        covered = (torch.cdist(features, real) <= radii).any(dim=0)
        copies = copy_test(images, train.images, held_out.images)
        found[str(components)] = measure_digits(images) | {
            "coverage": round(covered.double().mean().item(), 4),
            "copy_excess": round(copies.interval.mean, 4),
            "copy_p": round(copies.p_value, 5),
            "seconds_an_image": float(f"{seconds:.3g}"),
            "training_seconds": round(fitted - started, 2),
            "weights": ppca.parameter_count() + mixture.parameter_count(),
        }
    return found


# --- digits ---------------------------------------------------------------------------


def pixel_network() -> nn.Module:
    """Return a network of a coupling layer that sees the pixels around each one."""
    last = nn.Conv2d(WIDTH, 2, 3, padding=1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, WIDTH, 5, padding=2),
        nn.SiLU(),
        nn.Conv2d(WIDTH, WIDTH, 1),
        nn.SiLU(),
        last,
        nn.Flatten(),
    )


def train_digit_flow(levels: Tensor, layer: Gaussianize, seed: int, steps: int):
    """Train a flow with a checkerboard of kept pixels; new noise for each batch."""
    generator = seed_everything(seed)
    board = (torch.arange(784) // 28 + torch.arange(784)) % 2 == 0
    flow = RealNVP(torch.stack([board, ~board] * (LAYERS // 2)), pixel_network)

    def loss(model: RealNVP, rows: Tensor) -> Tensor:
        z, _ = layer(dequantize(rows, generator))
        return -model.log_prob(z.float()).mean() / 784

    fit(
        flow,
        TensorBatches((levels,), BATCH, seed=seed),
        loss,
        AdamW(flow.parameters(), lr=4e-3),
        steps=steps,
        schedule=warmup_cosine(steps, warmup_steps=min(50, steps // 10)),
        progress=False,
    )
    return flow.eval()


def left_bits(seen: Tensor, levels: Tensor) -> float:
    """Code each level by how often it followed the level to its left."""

    def left(rows: Tensor) -> Tensor:
        return nn.functional.pad(rows.view(-1, 28, 28), (1, 0))[..., :-1].flatten(1)

    cells = (256 * left(seen) + seen).flatten()
    counts = 0.1 + torch.bincount(cells, minlength=256 * 256).view(256, 256)
    chances = counts / counts.sum(dim=1, keepdim=True)
    return -chances[left(levels), levels].log2().mean().item()


def best_gaussian(rows: Tensor, ridges: tuple[float, ...]) -> Density:
    """Fit a Gaussian, with the ridge that suits a tenth of the rows best."""
    chosen = torch.arange(len(rows)) % 10 == 0
    scores = {
        ridge: fit_gaussian(rows[~chosen], ridge=ridge).log_prob(rows[chosen]).mean()
        for ridge in ridges
    }
    return fit_gaussian(rows, ridge=max(scores, key=scores.get))


@torch.no_grad()
def digit_bits(seed: int, steps: int) -> dict[str, float]:
    """Return the bits per dimension of all held-out digits under each model."""
    train, held_out = load_mnist_split()
    seen, levels = (to_levels(part.images).flatten(1) for part in (train, held_out))
    generator = torch.Generator().manual_seed(seed)
    spread, unseen = dequantize(seen, generator), dequantize(levels, generator)

    def bits(log_prob: Tensor) -> float:
        total = log_prob.sum().item()
        return round(bits_per_dimension(total, levels.numel(), 1 / LEVELS), 4)

    layer = Gaussianize(seen, LEVELS)
    (z, _), (unseen_z, log_det) = layer(spread), layer(unseen)
    start = start_responsibilities(z, components=10, seed=seed)
    mixture = fit_mixture(z, start, fit_diagonal_gaussian, steps=6).mixture
    with torch.enable_grad():
        started = time.process_time()
        flow = train_digit_flow(seen, layer, seed, steps)
        seconds = time.process_time() - started
    alone = -0.5 * (unseen_z.square() + math.log(2 * math.pi)).sum(dim=1)
    by_flow = torch.cat([flow.log_prob(part.float()) for part in unseen_z.split(100)])
    return {
        "PPCA": bits(fit_ppca(spread, latent=PPCA_COMPONENTS).log_prob(unseen)),
        "Gaussian": bits(best_gaussian(spread, (1e-5, 1e-4, 1e-3)).log_prob(unseen)),
        "each pixel alone": bits(alone + log_det),
        "Gaussian copula": bits(
            best_gaussian(z, (0.01, 0.03, 0.1, 0.3)).log_prob(unseen_z) + log_det
        ),
        "mixture of ten": bits(mixture.log_prob(unseen_z) + log_det),
        "flow": bits(by_flow.double() + log_det),
        "counts after the left level": round(left_bits(seen, levels), 4),
        "parameters": flow.parameter_count(),
        "training_seconds": round(seconds, 1),
    }


# --- moons ----------------------------------------------------------------------------


def arcs() -> tuple[Tensor, Tensor]:
    """Return centres along both moons, and the weight of each."""
    angle = (torch.arange(200) + 0.5) * math.pi / 200
    upper = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], dim=1)
    weights = torch.tensor([UPPER / 200, (1 - UPPER) / 200]).repeat_interleave(200)
    return 1.2 * torch.cat([upper, -upper]).double(), weights.double()


def draw_moons(count: int, seed: int) -> Tensor:
    """Draw points of the moons."""
    centres, weights = arcs()
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(weights, count, replacement=True, generator=generator)
    blur = NOISE * torch.randn(count, 2, generator=generator)
    return centres[chosen].float() + blur


def true_log_prob(x: Tensor) -> Tensor:
    """Return the density that the points come from: one small normal per centre."""
    centres, weights = arcs()
    squares = (x.double()[:, None] - centres).square().sum(dim=2)
    log_prob = -squares / (2 * NOISE**2) - math.log(2 * math.pi * NOISE**2)
    return (log_prob + weights.log()).logsumexp(dim=1)


def on_upper(x: Tensor) -> float:
    """Return the share of points nearer to the upper moon."""
    nearest = torch.cdist(x.double(), arcs()[0]).argmin(dim=1)
    return (nearest < 200).double().mean().item()


def distance(cloud: Tensor, other: Tensor) -> float:
    """Return the sliced Wasserstein distance of clouds of equally many points."""
    angles = torch.arange(100) * math.pi / 100
    directions = torch.stack([angles.cos(), angles.sin()])
    one, two = ((x.float() @ directions).sort(dim=0).values for x in (cloud, other))
    return (one - two).abs().mean().item()


def point_network(outputs: int, width: int) -> nn.Sequential:
    """Return a network of points; its last layer starts at zero."""
    last = nn.Linear(width, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(2, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        last,
    )


class EnergyModel(nn.Module):
    """A network plus |x|² / 2, so that exp(-energy) has a finite integral."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.network = point_network(1, width)
        self.log_z = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[:, 0] + 0.5 * x.square().sum(dim=1)


def train_points(model: nn.Module, points: Tensor, loss, steps: int, seed: int) -> None:
    """Minimize a loss of points."""
    fit(
        model,
        TensorBatches((points,), 256, seed=seed),
        loss,
        AdamW(model.parameters(), lr=5e-3),
        steps=steps,
        schedule=warmup_cosine(steps, warmup_steps=min(50, steps // 10)),
        progress=False,
    )


def train_energy(points: Tensor, noise: Density, seed: int, steps: int) -> EnergyModel:
    """Train an energy to tell the points from draws of the fitted Gaussian."""
    generator = seed_everything(seed)
    model = EnergyModel()

    def log_ratio(x: Tensor) -> Tensor:
        return -model(x) - model.log_z - noise.log_prob(x).float()

    def loss(_: nn.Module, x: Tensor) -> Tensor:
        other = noise.sample(len(x), generator).float()
        return noise_contrastive_loss(log_ratio(x), log_ratio(other))

    train_points(model, points, loss, steps, seed)
    return model.eval()


def grid() -> tuple[Tensor, float]:
    """Return the points of a fine grid, and the area of a cell."""
    axis = torch.linspace(-3.5, 3.5, 351)
    return torch.cartesian_prod(axis, axis), (7 / 350) ** 2


def best_mixture(points: Tensor, validation: Tensor, seed: int):
    """Fit mixtures by EM, and keep the number of components that validates best."""
    fits = [
        fit_mixture(
            points,
            start_responsibilities(points, components, seed),
            lambda x, weights: fit_gaussian(x, weights, ridge=1e-3),
            steps=40,
        ).mixture
        for components in COMPONENTS
    ]
    return max(fits, key=lambda one: one.log_prob(validation).mean().item())


def measure_points(seed: int, steps: int, energy_steps: int) -> dict:
    """Train on moons, and compare densities on test points and samples."""
    points, validation = draw_moons(4000, 10 * seed), draw_moons(1000, 10 * seed + 1)
    test, fresh = draw_moons(10_000, 1001), draw_moons(2000, 1002)
    gaussian = fit_gaussian(points)
    mixture = best_mixture(points, validation, seed)
    seed_everything(seed)
    first = torch.tensor([True, False])
    flow = RealNVP(torch.stack([first, ~first] * 4), lambda: point_network(4, 64))
    train_points(flow, points, lambda m, x: -m.log_prob(x).mean(), steps, seed)
    energy = train_energy(points, gaussian, seed, energy_steps)
    cells, area = grid()
    generator = torch.Generator().manual_seed(seed + 500)
    with torch.no_grad():
        values = -energy(cells)
        log_z = (values.logsumexp(dim=0) + math.log(area)).item()
        nats = {
            "truth": true_log_prob(test),
            "Gaussian": gaussian.log_prob(test),
            "mixture": mixture.log_prob(test),
            "flow": flow.log_prob(test),
            "energy": -energy(test) - log_z,
        }
        chosen = torch.multinomial(
            values.softmax(dim=0), 2000, replacement=True, generator=generator
        )
        jitter = area**0.5 * (torch.rand(2000, 2, generator=generator) - 0.5)
        clouds = {
            "new data": draw_moons(2000, 10 * seed + 2),
            "training data": points[torch.randperm(4000, generator=generator)[:2000]],
            "Gaussian": gaussian.sample(2000, generator),
            "mixture": mixture.sample(2000, generator),
            "flow": flow.sample(2000, generator),
            "energy, from the grid": cells[chosen] + jitter,
        }
    x, done = torch.randn(2000, 2, generator=generator), 0
    for steps_of_chain in CHAIN:
        x = langevin(energy, x, STEP, steps_of_chain - done, generator)
        done = steps_of_chain
        clouds[f"energy, {done} steps"] = x
    return {
        "nats": {name: round(v.mean().item(), 4) for name, v in nats.items()},
        "log_z": {
            "learned": round(energy.log_z.item(), 4),
            "from the grid": round(log_z, 4),
        },
        "parameters": {
            "mixture": mixture.parameter_count(),
            "flow": flow.parameter_count(),
            "energy": sum(part.numel() for part in energy.network.parameters()),
        },
        "distance": {k: round(distance(v, fresh), 4) for k, v in clouds.items()},
        "upper": {k: round(on_upper(v), 4) for k, v in clouds.items()},
    }


def main() -> None:
    settings = command_line(__doc__, SEEDS).parse_args()
    digits, points, energies = (
        (3, 10, 10) if settings.smoke else (DIGIT_STEPS, POINT_STEPS, ENERGY_STEPS)
    )
    about = {
        "data": "MNIST-5k: 4,000 digits to train on, 1,000 held out; moons: 4,000",
        "machine": describe_machine(),
        "seeds": settings.seeds,
        "langevin_step": STEP,
        "mixtures": [],
        "digits": [],
        "moons": [],
    }
    for seed in settings.seeds:
        for name, measure in (
            ("mixtures", lambda seed=seed: measure_mixtures(seed)),
            ("digits", lambda seed=seed: digit_bits(seed, digits)),
            ("moons", lambda seed=seed: measure_points(seed, points, energies)),
        ):
            path = settings.folder / f"{name}-{seed}.json"
            about[name].append(kept(path, measure))
    if not settings.smoke:
        keep_record("more_families", about)


if __name__ == "__main__":
    main()
