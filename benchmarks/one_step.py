"""Five ways to draw points of two moons in one step, at about the same CPU seconds.

Flow matching, MeanFlow, reflow, regression from noise to the flow's own samples, and a
GAN train networks of the same width; the flow is also sampled with better solvers. The
numbers of steps were chosen once so that each takes seven to nine seconds on the
record's machine, and are the same for all seeds.

    # about four minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/one_step.py --seeds 0 1 2 3 4
    # a short trial
    python benchmarks/one_step.py --seeds 0 --smoke
"""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from finished import script_parser
from sklearn.datasets import make_moons
from torch import Tensor, nn

from genai_tutorial.diffusion import StraightPath, mean_flow, mean_flow_loss
from genai_tutorial.gan import (
    logistic_discriminator_loss,
    non_saturating_generator_loss,
    r1_penalty,
)
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_cosine

FLOW_STEPS, MEAN_FLOW_STEPS, GAN_STEPS = 4000, 1500, 1300
BATCH = 256
R1_WEIGHT, GAN_RATE, EMA_DECAY = 0.05, 1e-3, 0.995
OFF = 0.12  # a sample farther than this from each training point is off the moons


class PointNetwork(nn.Module):
    """A network of points and any number of times."""

    def __init__(self, times: int, outputs: int = 2, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 + 8 * times, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, outputs),
        )  # fmt: skip

    def forward(self, x: Tensor, *times: Tensor) -> Tensor:
        frequencies = torch.tensor([1.0, 2.0, 4.0, 8.0]) * math.pi / 2
        parts = [x]
        for t in times:
            angles = t[:, None] * frequencies
            parts += [angles.sin(), angles.cos()]
        return self.layers(torch.cat(parts, dim=1))


def draw_moons(count: int, seed: int) -> Tensor:
    """Return points on two moons, around zero, as chapter 8 draws them."""
    points, _ = make_moons(count, noise=0.05, random_state=seed)
    return 1.2 * (torch.tensor(points, dtype=torch.float32) - torch.tensor([0.5, 0.25]))


def distance(cloud: Tensor, other: Tensor) -> float:
    """Return the sliced Wasserstein distance of two clouds of equal size."""
    angles = torch.arange(100) * math.pi / 100
    directions = torch.stack([angles.cos(), angles.sin()])
    cloud, other = ((part @ directions).sort(dim=0).values for part in (cloud, other))
    return (cloud - other).abs().mean().item()


def euler(model: PointNetwork, x: Tensor, steps: int) -> Tensor:
    """Follow a velocity from noise to points."""
    for t in StraightPath().timesteps(steps):
        x = x - model(x, torch.full((len(x),), t)) / steps
    return x


def midpoint(model: PointNetwork, x: Tensor, steps: int) -> Tensor:
    """Follow a velocity by the midpoint rule, with two calls per step."""
    for t in StraightPath().timesteps(steps):
        half = x - model(x, torch.full((len(x),), t)) / (2 * steps)
        x = x - model(half, torch.full((len(x),), t - 1 / (2 * steps))) / steps
    return x


def adams_bashforth(model: PointNetwork, x: Tensor, steps: int) -> Tensor:
    """Follow a velocity by the rule of Adams and Bashforth, which extrapolates it from
    the last two calls.
    """
    before = None
    for t in StraightPath().timesteps(steps):
        now = model(x, torch.full((len(x),), t))
        x = x - (now if before is None else 1.5 * now - 0.5 * before) / steps
        before = now
    return x


@dataclass
class Study:
    """One seed: its points, its random numbers, and a list of what was measured."""

    seed: int
    shorter: int

    def __post_init__(self) -> None:
        self.points = draw_moons(8000, self.seed)
        self.fresh = draw_moons(2000, 1000 + self.seed)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.noise = torch.randn(
            2000, 2, generator=torch.Generator().manual_seed(7 + self.seed)
        )
        self.rows: list[dict] = []

    def keep(self, method: str, steps: int, x: Tensor, seconds: float) -> None:
        """Measure samples."""
        off = torch.cdist(x, self.points).min(dim=1).values > OFF
        row = {
            "seed": self.seed,
            "method": method,
            "steps": steps,
            "distance": round(distance(x, self.fresh), 4),
            "off": round(off.float().mean().item(), 4),
            "seconds": round(seconds, 1),
        }
        print(row, flush=True)
        self.rows.append(row)

    def train(
        self, model: nn.Module, loss: Callable, steps: int, *data: Tensor
    ) -> float:
        """Train, and return the CPU seconds."""
        begin, steps = time.process_time(), steps // self.shorter
        fit(
            model,
            TensorBatches(data or (self.points,), batch_size=BATCH, seed=self.seed),
            loss,
            AdamW(model.parameters(), lr=0.01),
            steps=steps,
            schedule=warmup_cosine(steps, warmup_steps=min(100, steps)),
            progress=False,
        )
        model.requires_grad_(False)
        return time.process_time() - begin

    def paired(self, model: PointNetwork, x0: Tensor, noise: Tensor) -> Tensor:
        """Flow matching for given pairs."""
        path = StraightPath()
        t = path.draw_timesteps(len(x0), self.generator)
        output = model(path.add_noise(x0, noise, t), t)
        return (output - (noise - x0)).square().mean()

    def flow(self, steps: int) -> tuple[PointNetwork, float]:
        """Train a flow with new noise for each point."""

        def loss(model: PointNetwork, x0: Tensor) -> Tensor:
            noise = torch.randn(x0.shape, generator=self.generator)
            return self.paired(model, x0, noise)

        torch.manual_seed(self.seed)
        model = PointNetwork(1)
        return model, self.train(model, loss, steps)

    def all_methods(self) -> list[dict]:
        """Train and measure the five."""
        self.keep("held-out points", 0, draw_moons(2000, 2000 + self.seed), 0)
        model, seconds = self.flow(FLOW_STEPS)
        for steps in (1, 2, 4, 50):
            self.keep("flow", steps, euler(model, self.noise, steps), seconds)
        two, four = (
            midpoint(model, self.noise, 2),
            adams_bashforth(model, self.noise, 4),
        )
        self.keep("flow, midpoint", 4, two, seconds)
        self.keep("flow, Adams–Bashforth", 4, four, seconds)
        torch.manual_seed(self.seed)
        average = PointNetwork(2)
        seconds = self.train(
            average,
            lambda model, x0: mean_flow_loss(model, x0, self.generator),
            MEAN_FLOW_STEPS,
        )
        for steps in (1, 2, 4):
            x = mean_flow(average, self.noise, steps)
            self.keep("MeanFlow", steps, x, seconds)
        begin = time.process_time()
        first, _ = self.flow(FLOW_STEPS // 2)
        noise = torch.randn(8000, 2, generator=self.generator)
        samples = euler(first, noise, 50)
        before = time.process_time() - begin
        second = deepcopy(first).requires_grad_(True)
        seconds = self.train(second, self.paired, FLOW_STEPS // 2, samples, noise)
        for steps in (1, 2, 4):
            x = euler(second, self.noise, steps)
            self.keep("reflow", steps, x, before + seconds)
        direct = PointNetwork(0)
        seconds = self.train(
            direct,
            lambda model, x0, noise: (model(noise) - x0).square().mean(),
            FLOW_STEPS // 2,
            samples,
            noise,
        )
        self.keep("regression", 1, direct(self.noise), before + seconds)
        self.gan()
        return self.rows

    def gan(self) -> None:
        """Train a GAN with the non-saturating loss and R1, as chapter 7 does."""
        begin, steps = time.process_time(), GAN_STEPS // self.shorter
        generator, critic = PointNetwork(0), PointNetwork(0, outputs=1)
        average = deepcopy(generator)
        players = [
            torch.optim.Adam(player.parameters(), GAN_RATE, betas=(0.0, 0.99))
            for player in (generator, critic)
        ]
        for step in range(steps):
            for player in players:
                player.param_groups[0]["lr"] = GAN_RATE * (1 - step / steps)
            rows = torch.randint(len(self.points), (BATCH,), generator=self.generator)
            real = self.points[rows]
            noise = torch.randn(2, BATCH, 2, generator=self.generator)
            fake = generator(noise[0]).detach()
            loss = logistic_discriminator_loss(critic(real), critic(fake))
            loss = loss + R1_WEIGHT * r1_penalty(critic, real)
            players[1].zero_grad()
            loss.backward()
            players[1].step()
            loss = non_saturating_generator_loss(critic(generator(noise[1])))
            players[0].zero_grad()
            loss.backward()
            players[0].step()
            with torch.no_grad():
                for kept, now in zip(
                    average.parameters(), generator.parameters(), strict=True
                ):
                    kept.lerp_(now, 1 - EMA_DECAY)
        seconds = time.process_time() - begin
        self.keep("GAN", 1, average(self.noise).detach(), seconds)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--smoke", action="store_true", help="a quick try, no record")
    settings = parser.parse_args()
    rows = [
        row
        for seed in settings.seeds
        for row in Study(seed, 100 if settings.smoke else 1).all_methods()
    ]
    if settings.smoke:
        return
    about = {
        "machine": describe_machine(),
        "seconds": "CPU seconds of one thread, training only",
        "items": 2000,
        "runs": rows,
    }
    keep_record("one_step", about)


if __name__ == "__main__":
    main()
