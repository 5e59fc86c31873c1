"""Our denoising networks compared with diffusers', and the live recipe of chapter 8
compared with a plain DDPM.

Speed: training steps and sampling steps per second of our Diffusion Transformer and
diffusers' with the same settings, and of our U-Nets and diffusers' UNet2DModel with
about as many weights. They alternate step by step, so that other load on the machine
slows all of them equally; compare the ratios, not the seconds.

Quality: the live recipe and a plain DDPM (UNet2DModel on all pixels, linear schedule,
noise prediction, Adam with a learning rate of 1e-3 and cosine decay, moving average of
the weights) are trained on the same 4,000 digits with the same batch size. The plain
model gets several times the CPU time of the recipe, with its schedule planned for that
time. Both draw 400 digits with 20 DDIM steps and the same guidance, and the Fréchet
distance to the held-out digits is measured on the features of the book's classifier.
Evaluation is not timed.

    OMP_NUM_THREADS=1 python benchmarks/diffusion.py  # about eight minutes on one core
    # only the speed, in a minute
    OMP_NUM_THREADS=1 python benchmarks/diffusion.py --speed
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DiTTransformer2DModel, UNet2DModel
from finished import script_parser
from torch import Tensor, nn

from genai_tutorial.data import load_mnist_split
from genai_tutorial.diffusion import (
    NOISE,
    VELOCITY,
    DiT,
    DiTConfig,
    NoisePath,
    Prediction,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    linear_schedule,
    sample_images,
)
from genai_tutorial.metrics import frechet_distance, read_digits
from genai_tutorial.recipes import load, recipe
from genai_tutorial.runtime import describe_machine, progress_bar
from genai_tutorial.training import EMA, TensorBatches, build_optimizer, clip_gradients

RESULTS = Path(__file__).parent / "results"
BATCH = 64
SAMPLER_STEPS, GUIDANCE = 20, 1.5


class Theirs(nn.Module):
    """A network of diffusers with the interface of ours."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        labels = torch.full((len(x),), 10) if condition is None else condition
        return self.network(x, t, class_labels=labels).sample


def plain_unet(channels: tuple[int, int], layers: int) -> Theirs:
    torch.manual_seed(0)
    return Theirs(
        UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            block_out_channels=channels,
            layers_per_block=layers,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            norm_num_groups=8,
            resnet_time_scale_shift="scale_shift",
            attn_norm_num_groups=8,
            num_class_embeds=11,
        )
    )


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    live = recipe("mnist-diffusion-live").config
    return {
        "our DiT": DiT(DiTConfig(query_key_norm=False)),
        "diffusers' DiT": Theirs(
            DiTTransformer2DModel(
                num_attention_heads=4,
                attention_head_dim=32,
                in_channels=1,
                num_layers=4,
                sample_size=28,
                patch_size=4,
                num_embeds_ada_norm=10,
            )
        ),
        "our U-Net of the live recipe": UNet(live),
        "our U-Net, patch size 1": UNet(
            UNetConfig(patch_size=1, channels=(16, 64), middle_blocks=3)
        ),
        "diffusers' U-Net": plain_unet((16, 48), layers=1),
    }


def speed(rounds: int) -> dict:
    """Time single steps of all networks in alternation, and return the medians in CPU
    seconds.
    """
    x, t, labels = (
        torch.randn(BATCH, 1, 28, 28),
        torch.rand(BATCH) * 999,
        torch.arange(BATCH) % 10,
    )
    models = networks()
    optimizers = {
        name: torch.optim.AdamW(model.parameters(), 1e-4, foreach=True)
        for name, model in models.items()
    }
    seconds: dict[str, dict[str, list[float]]] = {
        name: {"training": [], "sampling": []} for name in models
    }

    def train_once(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        (model(x, t, labels) - x).square().mean().backward()
        optimizer.step()

    for turn in progress_bar(range(rounds + 1), label="rounds"):
        for name, model in models.items():
            model.train()
            trained = _timed(
                lambda model=model, name=name: train_once(model, optimizers[name])
            )
            model.eval()
            with torch.no_grad():
                sampled = _timed(lambda model=model: model(x, t, labels))
            if turn:  # the first steps of a process are slow
                seconds[name]["training"].append(trained)
                seconds[name]["sampling"].append(sampled)
    return {
        name: {
            "parameters": sum(
                parameter.numel() for parameter in models[name].parameters()
            ),
            **{
                f"{kind}_steps_per_second": round(1 / statistics.median(values), 2)
                for kind, values in kinds.items()
            },
        }
        for name, kinds in seconds.items()
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


class Learner:
    """A model that is trained on digits for a given CPU time."""

    def __init__(
        self,
        model: nn.Module,
        path: NoisePath,
        prediction: Prediction,
        optimizer,
        decay: float,
        clip: bool,
    ):
        self.model, self.path, self.prediction, self.optimizer, self.clip = (
            model,
            path,
            prediction,
            optimizer,
            clip,
        )
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.average = EMA(model, decay)
        self.generator = torch.Generator().manual_seed(0)
        train, _ = load_mnist_split()
        self.batches = TensorBatches(
            (2 * train.images[:, None] - 1, train.labels), BATCH, seed=0
        )

    def learn(self, seconds: float, course: Callable[[float], float]) -> int:
        """Train for some CPU seconds; the learning rates follow the share of it that
        has passed.
        """
        started, steps = time.process_time(), 0
        while (spent := time.process_time() - started) < seconds:
            warmed = min(1.0, (steps + 1) / 20)
            for group, rate in zip(
                self.optimizer.param_groups, self.rates, strict=True
            ):
                group["lr"] = rate * warmed * course(spent / seconds)
            images, labels = next(self.batches)
            labels = drop_labels(labels, 0.1, no_label=10, generator=self.generator)
            self.optimizer.zero_grad()
            diffusion_loss(
                self.model,
                self.path,
                self.prediction,
                images,
                labels,
                generator=self.generator,
            ).backward()
            if self.clip:
                clip_gradients(list(self.model.parameters()), 1.0)
            self.optimizer.step()
            self.average.update(self.model)
            steps += 1
        return steps

    def judge(self, classifier: nn.Module, real: Tensor, drawn_images: int) -> dict:
        labels = torch.arange(drawn_images) % 10
        images = sample_images(
            self.average.model,
            self.path,
            self.prediction,
            labels,
            (drawn_images, 1, 28, 28),
            steps=SAMPLER_STEPS,
            seed=1,
            guidance=GUIDANCE,
            batch_size=100,
        )
        reading = read_digits(classifier, images[:, 0])
        return {
            "frechet_distance": round(
                float(frechet_distance(real, reading.features)), 2
            ),
            "read_as_asked": round(
                float((reading.labels == labels).double().mean()), 3
            ),
        }


def ours() -> Learner:
    live = recipe("mnist-diffusion-live")
    model = UNet(live.config, live.seed)
    return Learner(
        model,
        cosine_schedule(1000),
        VELOCITY,
        build_optimizer(model, live.optimizer),
        live.ema_decay,
        clip=True,
    )


def plain() -> Learner:
    model = plain_unet((32, 64), layers=1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, foreach=True)
    return Learner(
        model, linear_schedule(1000), NOISE, optimizer, decay=0.99, clip=True
    )


def quality(
    seconds: float, drawn: int, multiples: tuple[float, ...], shares: tuple[float, ...]
) -> dict:
    _, held_out = load_mnist_split()
    classifier = load("digit-classifier")
    real = read_digits(classifier, held_out.images).features
    results: dict = {
        "budget_cpu_seconds": seconds,
        "drawn_images": drawn,
        "ours": [],
        "plain": [],
    }
    runs = [("ours", share * seconds, ours) for share in shares] + [
        ("plain", n * seconds, plain) for n in multiples
    ]
    for name, budget, make in progress_bar(runs, label="runs"):
        learner = make()
        if name == "ours":
            steps = learner.learn(budget, lambda share: 1 - share)
        else:
            steps = learner.learn(
                budget,
                lambda share: (
                    (1 + torch.cos(torch.tensor(torch.pi * share)).item()) / 2
                ),
            )
        results[name].append(
            {
                "cpu_seconds": budget,
                "steps": steps,
                **learner.judge(classifier, real, drawn),
            }
        )
        results[f"{name}_parameters"] = sum(
            parameter.numel() for parameter in learner.model.parameters()
        )
    best = results["plain"][-1]
    sooner = next(
        (
            run
            for run in results["ours"]
            if run["frechet_distance"] <= best["frechet_distance"]
        ),
        None,
    )
    results["times_faster_to_the_plain_models_last_distance"] = sooner and round(
        best["cpu_seconds"] / sooner["cpu_seconds"], 1
    )
    return results


def tell(results: dict) -> None:
    print(
        f"{'':34}{'weights':>9}{'training':>12}{'sampling':>12}   steps per second, "
        f"{BATCH} images each"
    )
    for name, row in results["speed"].items():
        training, sampling = (
            row["training_steps_per_second"],
            row["sampling_steps_per_second"],
        )
        print(f"{name:34}{row['parameters']:9,}{training:12.2f}{sampling:12.2f}")
    if "quality" not in results:
        return
    for name in ("ours", "plain"):
        for run in results["quality"][name]:
            print(
                f"{name:6}{run['cpu_seconds']:7.0f} CPU s{run['steps']:6} steps: "
                "Fréchet distance "
                f"{run['frechet_distance']:7.2f}, {run['read_as_asked']:.1%} read as "
                "asked"
            )


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument(
        "--speed", action="store_true", help="leave out the comparison of quality"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="CPU seconds of the live recipe"
    )
    parser.add_argument(
        "--drawn",
        type=int,
        default=400,
        help="the number of digits to evaluate a model on",
    )
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    results: dict = {
        "machine": describe_machine(),
        "batch_size": BATCH,
        "speed": speed(arguments.rounds),
    }
    table = results["speed"]
    results["ratios"] = {
        f"{mine} / {other}": {
            kind: round(
                table[mine][f"{kind}_steps_per_second"]
                / table[other][f"{kind}_steps_per_second"],
                2,
            )
            for kind in ("training", "sampling")
        }
        for mine, other in (
            ("our DiT", "diffusers' DiT"),
            ("our U-Net, patch size 1", "diffusers' U-Net"),
            ("our U-Net of the live recipe", "diffusers' U-Net"),
        )
    }
    if not arguments.speed:
        results["quality"] = quality(
            arguments.seconds,
            arguments.drawn,
            multiples=(1.0, 3.0),
            shares=(0.25, 0.5, 1.0),
        )
    tell(results)
    print(json.dumps(results["ratios"], indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "diffusion.json").write_text(
        json.dumps(results, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
