"""A U-Net, the same U-Net without skip connections, and a Diffusion Transformer at
equal arithmetic, on captioned shapes; and guidance, weight by weight.

`--part networks` trains the three networks to draw scenes of one object from their
captions: on the same 8,000 scenes, with the same text encoder, optimizer and batch
size. Each run gets the same number of multiplications and additions, counted by PyTorch
for a forward pass and taken three times for a training step (the backward pass costs
about twice as much). The learning rate schedule of each run is planned for its number
of steps. Each model then draws 200 captions with 15 steps of DPM-Solver++ and the same
guidance weight, and the verifier reads the pictures. The denoising error is the mean
squared error of the predicted clean picture at timestep 300, on 200 held-out scenes.
Without skip connections means that their half of each input of the way up is zero, from
the first training step on. CPU seconds exclude the evaluation.

`--part guidance` draws the same captions with the published model `shapes-diffusion`
and several guidance weights, and counts right pictures and the entropy of places and
sizes.

    # about four minutes per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/text_to_image.py --part networks --seed 0
    # about four minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/text_to_image.py --part guidance
"""

import math
import time
from collections import Counter
from dataclasses import asdict

import torch
from finished import script_parser
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from genai_tutorial.diffusion import (
    VELOCITY,
    DiTConfig,
    UNetConfig,
    diffusion_loss,
    dpm_solver,
    sample_images,
)
from genai_tutorial.multimodal import (
    EncoderConfig,
    TextEncoderConfig,
    TextToImage,
    denoising_errors,
    drop_texts,
)
from genai_tutorial.recipes import SHAPES_SCHEDULE, load
from genai_tutorial.runtime import RECORDS, describe_machine, keep_record, record
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    caption_accuracy,
    caption_scores,
    describe,
    encode_captions,
    load_shapes,
    read_scenes,
)
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)

SEEDS, BATCH, UNET_STEPS, CAPTIONS, SAMPLER_STEPS = (0, 1, 2, 3, 4), 32, 600, 200, 15
GUIDANCE = 3.0
TEXT = TextEncoderConfig(
    EncoderConfig(width=32, layers=1, heads=4),
    CAPTION_TOKENIZER.vocab_size,
    CAPTION_LENGTH,
    CAPTION_TOKENIZER.END,
)
RATES = OptimizerSettings(
    matrix_lr=0.02,
    kernel_lr=0.02,
    embedding_lr=0.01,
    head_lr=0.003,
    vector_lr=0.003,
    momentum=0.95,
)
UNET = UNetConfig(
    image_channels=3, channels=(32, 64), classes=None, text_width=32, image_size=32
)
DIT = DiTConfig(
    image_channels=3,
    image_size=32,
    patch_size=4,
    width=96,
    layers=4,
    heads=4,
    classes=None,
    text_width=32,
)
NETWORKS: dict[str, tuple[UNetConfig | DiTConfig, bool]] = {
    "U-Net": (UNET, True),
    "U-Net without skip connections": (UNET, False),
    "Diffusion Transformer": (DIT, True),
}
"""The settings of each network, and whether it has its skip connections."""

WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0)
OPEN_CAPTIONS = ("a red circle", "a blue square", "a green triangle")
DRAWN, DRAWN_OPEN = 200, 50


def operations(settings: UNetConfig | DiTConfig) -> int:
    """Count the multiplications and additions of a forward pass for one picture."""
    model = TextToImage(TEXT, settings)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 32, 32), torch.zeros(1), model.empty(1))
    return counter.get_total_flops()


def remove_skips(model: TextToImage) -> None:
    """Zero the skip connections of a U-Net, in training as in sampling."""

    def zero_skip(module: nn.Module, inputs: tuple) -> tuple:
        hidden, embedding = inputs
        kept = hidden.shape[1] // 2
        zeros = torch.zeros_like(hidden[:, kept:])
        return torch.cat([hidden[:, :kept], zeros], dim=1), embedding

    for blocks in model.network.up:
        blocks[0].register_forward_pre_hook(zero_skip)


def train_network(
    settings: UNetConfig | DiTConfig, skips: bool, steps: int, seed: int
) -> tuple[nn.Module, float]:
    """Train a model, and return the average of its weights and the CPU seconds."""
    scenes = load_shapes(8000, seed, objects=(1,))
    model = TextToImage(TEXT, settings, seed)
    if not skips:
        remove_skips(model)
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(seed)
    empty = encode_captions([""])[0]

    def loss(model: nn.Module, images: Tensor, texts: Tensor) -> Tensor:
        texts = drop_texts(texts, 0.1, empty, generator)
        return diffusion_loss(
            model, SHAPES_SCHEDULE, VELOCITY, images, texts, generator=generator
        )

    started = time.process_time()
    fit(
        model,
        TensorBatches(
            (2 * scenes.images - 1, encode_captions(scenes.captions)), BATCH, seed
        ),
        loss,
        build_optimizer(model, RATES),
        steps=steps,
        schedule=warmup_linear(steps, 20),
        ema=average,
        progress=False,
    )
    return average.model.eval(), time.process_time() - started


def draw(model: nn.Module, captions: list[str], guidance: float, seed: int) -> Tensor:
    """Draw a picture for each caption."""
    return sample_images(
        model,
        SHAPES_SCHEDULE,
        VELOCITY,
        encode_captions(captions),
        (len(captions), 3, 32, 32),
        steps=SAMPLER_STEPS,
        seed=seed,
        guidance=guidance,
        sampler=dpm_solver,
        batch_size=100,
    )


def evaluate(model: nn.Module, seed: int) -> dict:
    """Draw captions of the training distribution and read the pictures; measure the
    denoising error on held-out scenes.
    """
    scenes = load_shapes(CAPTIONS, seed + 1000, objects=(1,))
    images = draw(model, list(scenes.captions), GUIDANCE, seed)
    accuracy = asdict(caption_accuracy(scenes.captions, images))
    errors = denoising_errors(
        model,
        SHAPES_SCHEDULE,
        VELOCITY,
        2 * scenes.images - 1,
        encode_captions(scenes.captions),
        times=(300,),
        seed=seed,
    )
    return {
        "accuracy": {name: round(share, 3) for name, share in accuracy.items()},
        "denoising_error": round(errors.mean().item(), 6),
    }


def compare_networks(seed: int) -> list[dict]:
    """Train and evaluate the three networks with one seed."""
    budget = operations(UNET) * UNET_STEPS
    runs = []
    for name, (settings, skips) in NETWORKS.items():
        cost = operations(settings)
        steps = round(budget / cost)
        model, seconds = train_network(settings, skips, steps, seed)
        runs.append(
            {
                "name": name,
                "seed": seed,
                "parameters": sum(weight.numel() for weight in model.parameters()),
                "operations_a_call": cost,
                "steps": steps,
                "training_operations": 3 * cost * BATCH * steps,
                "cpu_seconds": round(seconds, 1),
                **evaluate(model, seed),
            }
        )
        print(runs[-1], flush=True)
    return runs


def layout_entropy(images: Tensor) -> float:
    """Return the entropy in bits of place and size, over the drawings that show a
    single object: log2 of 10 if all ten combinations are equally frequent, 0 if all
    drawings have the same place and size.
    """
    single = [
        describe(reading.scene)
        for reading in read_scenes(images)
        if len(reading.scene.objects) == 1
    ]
    if not single:
        raise ValueError(f"None of the {len(images)} drawings shows a single object.")
    counts = Counter((one.place, one.objects[0].size) for one in single).values()
    return sum(count * math.log2(len(single) / count) for count in counts) / len(single)


def compare_weights() -> list[dict]:
    """Draw with the published model and each guidance weight."""
    model, _ = load("shapes-diffusion")
    captions = {
        name: list(load_shapes(DRAWN, seed=51, objects=(count,)).captions)
        for name, count in (("one_shape", 1), ("two_shapes", 2))
    }
    rows = []
    for weight in WEIGHTS:
        right = {
            name: sum(
                score.everything
                for score in caption_scores(texts, draw(model, texts, weight, seed=0))
            )
            for name, texts in captions.items()
        }
        entropies = [
            layout_entropy(draw(model, [text] * DRAWN_OPEN, weight, seed=1))
            for text in OPEN_CAPTIONS
        ]
        rows.append(
            {
                "weight": weight,
                **{name: int(count) for name, count in right.items()},
                "layout_entropies": [round(bits, 4) for bits in entropies],
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--part", choices=("networks", "guidance"), required=True)
    parser.add_argument("--seed", type=int, help="networks: one seed only")
    arguments = parser.parse_args()
    if arguments.part == "guidance":
        guidance = {
            "captions_each": DRAWN,
            "open_captions": list(OPEN_CAPTIONS),
            "drawings_each": DRAWN_OPEN,
            "sampler": f"DPM-Solver++, {SAMPLER_STEPS} steps",
            "weights": compare_weights(),
        }
        keep_record("text_to_image", earlier() | {"guidance": guidance})
        return
    for seed in SEEDS if arguments.seed is None else (arguments.seed,):
        runs = compare_networks(seed)
        about = earlier()  # read late: another part may have been measured meanwhile
        runs += [run for run in about["runs"] if run["seed"] != seed]
        about |= {
            "task": (
                f"scenes of one object from captions, batch {BATCH}, {CAPTIONS} "
                f"captions drawn, guidance {GUIDANCE}"
            ),
            "machine": describe_machine(),
            "runs": sorted(runs, key=lambda run: run["seed"]),
        }
        keep_record("text_to_image", about)


def earlier() -> dict:
    """Return the record as it is, or an empty one."""
    there = (RECORDS / "text_to_image.json").exists()
    return record("text_to_image") if there else {"runs": [], "guidance": {}}


if __name__ == "__main__":
    main()
