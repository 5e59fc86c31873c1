"""A U-Net beside a Diffusion Transformer at equal arithmetic, on captioned shapes.

Both learn to draw scenes of one object from their captions, from the same 8,000 scenes,
with the same text encoder, optimizer and batch size. Both get the same number of
multiplications and additions, counted by PyTorch for a call and taken three times for a
training step (backward costs about twice as much as forward); the learning rates of
each run are planned for just that many steps. Then each draws 200 captions with 15
steps of DPM-Solver++ and the same guidance, and the verifier reads the pictures. CPU
seconds are told beside, and evaluation is not timed. It is one training of each, so
small differences mean nothing.

    # about three minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/text_to_image.py
    # one of the runs; the others are kept
    OMP_NUM_THREADS=1 python benchmarks/text_to_image.py --only "U-Net"
"""

import argparse
import time
from dataclasses import asdict

import torch
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
    drop_texts,
)
from genai_tutorial.pretrained.records import keep_record, record
from genai_tutorial.recipes import SHAPES_SCHEDULE
from genai_tutorial.runtime import describe_machine
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    caption_accuracy,
    encode_captions,
    load_shapes,
)
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)

BATCH, UNET_STEPS, CAPTIONS, SAMPLER_STEPS, GUIDANCE = 32, 600, 200, 15, 3.0
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
RUNS: dict[str, UNetConfig | DiTConfig] = {"U-Net": UNET, "Diffusion Transformer": DIT}


def operations(settings: UNetConfig | DiTConfig) -> int:
    """Multiplications and additions of one call for one picture."""
    model = TextToImage(TEXT, settings)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 32, 32), torch.zeros(1), model.empty(1))
    return counter.get_total_flops()


def learn(settings: UNetConfig | DiTConfig, steps: int) -> tuple[nn.Module, float]:
    """Trains a model; returns the average of its weights, and the CPU seconds."""
    scenes = load_shapes(8000, seed=0, objects=(1,))
    model = TextToImage(TEXT, settings, seed=0)
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(0)
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
            (
                2 * scenes.images - 1,
                encode_captions(scenes.captions),
            ),
            BATCH,
            seed=0,
        ),
        loss,
        build_optimizer(model, RATES),
        steps=steps,
        schedule=warmup_linear(steps, 20),
        ema=average,
    )
    return average.model.eval(), time.process_time() - started


def judge(model: nn.Module) -> dict[str, float]:
    """Draws captions that are as in training, and reads the pictures."""
    captions = load_shapes(CAPTIONS, seed=1, objects=(1,)).captions
    images = sample_images(
        model,
        SHAPES_SCHEDULE,
        VELOCITY,
        encode_captions(captions),
        (CAPTIONS, 3, 32, 32),
        steps=SAMPLER_STEPS,
        seed=0,
        guidance=GUIDANCE,
        sampler=dpm_solver,
    )
    return {
        name: round(share, 3)
        for name, share in asdict(caption_accuracy(captions, images)).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        choices=list(RUNS),
        help="make one run, and keep the results of the others",
    )
    only = parser.parse_args().only
    torch.set_num_threads(1)
    before = record("text_to_image")["runs"] if only else {}
    budget = operations(UNET) * UNET_STEPS
    runs = {}
    for name, settings in RUNS.items():
        if only not in (None, name):
            if name in before:
                runs[name] = before[name]
            continue
        cost = operations(settings)
        steps = round(budget / cost)
        model, seconds = learn(settings, steps)
        runs[name] = {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "operations_a_call": cost,
            "steps": steps,
            "training_operations": 3 * cost * BATCH * steps,
            "cpu_seconds": round(seconds, 1),
            "accuracy": judge(model),
        }
        print(name, runs[name])
    about = {
        "task": (
            f"scenes of one object from captions, batch {BATCH}, {CAPTIONS} captions "
            f"drawn, guidance {GUIDANCE}"
        ),
        "machine": describe_machine(),
        "runs": runs,
    }
    keep_record("text_to_image", about)


if __name__ == "__main__":
    main()
