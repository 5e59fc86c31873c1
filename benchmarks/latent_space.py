"""Latent spaces for diffusion: compression, regularization, scale.

Small autoencoders are trained on emoji and scenes of shapes. They differ either in how
often they halve the sides of a picture, or in the weight of the KL divergence. Then a
text-to-image U-Net is trained on scenes of one object in the latents of each, with the
same settings, batches and number of steps; also on pixels, in patches of two by two;
and on latents that were not scaled. During training it draws the same captions several
times, and the verifier reads the pictures. It also reads new scenes that were
reconstructed by the autoencoder alone: the ceiling. Beside the record, a row of
pictures is kept for each space: reconstructed held-out emoji, and drawn scenes.

    # the runs that the record lacks, for all seeds
    OMP_NUM_THREADS=1 python benchmarks/latent_space.py
    # a quarter of an hour on one core
    OMP_NUM_THREADS=1 python benchmarks/latent_space.py --seed 0
"""

import time
from dataclasses import asdict

import torch
from finished import script_parser
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from genai_tutorial.data import load_emoji_split
from genai_tutorial.diffusion import VELOCITY, UNetConfig, diffusion_loss, sample_images
from genai_tutorial.metrics import psnr
from genai_tutorial.multimodal import TextToImage, drop_texts
from genai_tutorial.recipes import SHAPES_CLIP, SHAPES_SCHEDULE, load
from genai_tutorial.runtime import (
    RECORDS,
    describe_machine,
    keep_images,
    keep_record,
    record,
)
from genai_tutorial.tasks.shapes import caption_accuracy, encode_captions, load_shapes
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.vae import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    encode_images,
    image_autoencoder_loss,
    reconstruct_images,
)

SEEDS, BATCH, AUTOENCODER_STEPS, SHOWN = (0, 1), 32, 300, 8
STEPS, EVALUATE_EVERY, CAPTIONS, SAMPLER_STEPS, GUIDANCE = 1000, 250, 100, 15, 2.0
RATES = OptimizerSettings(
    matrix_lr=0.02,
    kernel_lr=0.02,
    embedding_lr=0.01,
    head_lr=0.003,
    vector_lr=0.003,
    momentum=0.95,
)
AUTOENCODERS = {
    "halved once": (1, 1e-6),
    "halved twice": (2, 1e-6),
    "halved three times": (3, 1e-6),
    "no KL": (2, 0.0),
    "KL 0.1": (2, 1e-1),
}
"""How often the sides are halved, and the weight of the KL divergence.
"""


def learn_autoencoder(stages: int, kl_weight: float, seed: int) -> ImageAutoencoder:
    """Train an autoencoder with four latent channels and measure its scaling factor."""
    images = torch.cat((load_emoji_split()[0].images, load_shapes(4000, seed).images))
    model = ImageAutoencoder(ImageAutoencoderConfig(width=24, stages=stages), seed)
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(seed)
    fit(
        model,
        TensorBatches((images,), BATCH, seed),
        lambda model, batch: image_autoencoder_loss(
            model, batch, generator, kl_weight=kl_weight
        ),
        build_optimizer(model, RATES),
        steps=AUTOENCODER_STEPS,
        schedule=warmup_linear(AUTOENCODER_STEPS, 20),
        ema=average,
        progress=False,
    )
    average.model.set_scaling_factor(images[::3], generator)
    return average.model.eval()


def text_to_image(channels: int, side: int, patch_size: int, seed: int) -> TextToImage:
    """Return a small U-Net that starts with the text encoder of the book's CLIP."""
    config = UNetConfig(
        image_channels=channels,
        patch_size=patch_size,
        channels=(32, 64),
        classes=None,
        text_width=SHAPES_CLIP.config.text.encoder.width,
        image_size=side,
    )
    model = TextToImage(SHAPES_CLIP.config.text, config, seed)
    model.encoder.load_state_dict(load("shapes-clip").model.text_encoder.state_dict())
    return model


def operations(model: nn.Module, *inputs: Tensor) -> int:
    """Count the multiplications and additions of a forward pass for one picture."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops()


def run(
    autoencoder: ImageAutoencoder | None, scaled: bool, seed: int
) -> tuple[dict, Tensor]:
    """Train a model in the latents of an autoencoder, or on pixels without one.

    Returns:
        The measurements, and the pictures that were drawn last.
    """
    scenes = load_shapes(8000, seed, objects=(1,))
    x0 = (
        2 * scenes.images - 1
        if autoencoder is None
        else encode_images(autoencoder, scenes.images, seed)
    )
    factor = 1.0 if scaled or autoencoder is None else float(autoencoder.scaling_factor)
    texts = encode_captions(scenes.captions)
    captions = load_shapes(CAPTIONS, seed + 1000, objects=(1,)).captions
    model = text_to_image(
        x0.shape[1], x0.shape[2], 2 if autoencoder is None else 1, seed
    )
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(seed)
    empty = encode_captions([""])[0]
    curve: list[dict] = []
    drawing, images = 0.0, torch.empty(0)

    def loss(model: nn.Module, x0: Tensor, texts: Tensor) -> Tensor:
        return diffusion_loss(
            model,
            SHAPES_SCHEDULE,
            VELOCITY,
            x0,
            drop_texts(texts, 0.1, empty, generator),
            generator=generator,
        )

    def decode(latents: Tensor) -> Tensor:
        return autoencoder.to_images(factor * latents)

    def evaluate(model: nn.Module) -> float:
        nonlocal drawing, images
        before = time.process_time()
        images = sample_images(
            model,
            SHAPES_SCHEDULE,
            VELOCITY,
            encode_captions(captions),
            (CAPTIONS, *x0.shape[1:]),
            steps=SAMPLER_STEPS,
            seed=seed,
            guidance=GUIDANCE,
            decode=None if autoencoder is None else decode,
        )
        drawing += time.process_time() - before
        accuracy = asdict(caption_accuracy(captions, images))
        curve.append(
            {
                name: round(value, 4)
                for name, value in accuracy.items()
                if value is not None
            }
        )
        return accuracy["everything"]

    started = time.process_time()
    history = fit(
        model,
        TensorBatches((x0 / factor, texts), BATCH, seed),
        loss,
        build_optimizer(model, RATES),
        steps=STEPS,
        schedule=warmup_linear(STEPS, 20),
        evaluate=evaluate,
        evaluate_every=EVALUATE_EVERY,
        ema=average,
        progress=False,
    )
    spent = time.process_time() - started
    gave = {
        "curve": [
            {"step": one.step} | row
            for one, row in zip(history.evaluations, curve, strict=True)
        ],
        "seconds_a_step": round((spent - drawing) / STEPS, 4),
        "seconds_an_image": round(drawing / CAPTIONS / len(curve), 5),
        "operations_a_call": operations(model, x0[:1], torch.zeros(1), model.empty(1)),
    }
    return gave, images


@torch.no_grad()
def reconstruct_noisy(autoencoder: ImageAutoencoder, images: Tensor) -> Tensor:
    """Reconstruct pictures from latents with noise of deviation 0.2, because generated
    latents are never exact.
    """
    latents = autoencoder.scaling_factor * autoencoder.encode(images).mean
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    return autoencoder.to_images(latents + 0.2 * noise)


def judge(autoencoder: ImageAutoencoder) -> dict:
    """Measure the reconstruction of pictures and the scale of the latents."""
    _, emoji = load_emoji_split()
    scenes = load_shapes(500, seed=1, objects=(1,))
    back = reconstruct_images(autoencoder, scenes.images)
    factor = float(autoencoder.scaling_factor)
    with torch.no_grad():
        z = autoencoder.encode(emoji.images)
    return {
        "compression": autoencoder.config.compression(),
        "emoji_psnr_db": round(
            psnr(emoji.images, reconstruct_images(autoencoder, emoji.images))
            .mean()
            .item(),
            2,
        ),
        "scenes_psnr_db": round(psnr(scenes.images, back).mean().item(), 2),
        "noisy_emoji_psnr_db": round(
            psnr(emoji.images, reconstruct_noisy(autoencoder, emoji.images))
            .mean()
            .item(),
            2,
        ),
        "ceiling": caption_accuracy(scenes.captions, back).everything,
        "latent_deviation": round(1 / factor, 3),
        "largest_latent": round(factor * z.mean.abs().max().item(), 2),
        "noise_deviation": round(
            factor * z.log_variance.mul(0.5).exp().mean().item(), 4
        ),
        "decoder_operations": operations(autoencoder.decoder, z.mean[:1]),
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--seed", type=int, help="one seed only")
    only = parser.parse_args().seed
    runs = (
        record("latent_space")["runs"]
        if (RECORDS / "latent_space.json").exists()
        else []
    )

    def keep(row: dict) -> None:
        runs.append(row)
        about = {
            "task": f"scenes of one object from captions, {STEPS} steps of {BATCH}; {CAPTIONS} captions drawn "  # noqa: E501
            f"with {SAMPLER_STEPS} steps of DDIM and guidance {GUIDANCE}; one thread, "
            "CPU seconds",
            "machine": describe_machine(),
            "runs": runs,
        }
        keep_record("latent_space", about)
        print(row, flush=True)

    for seed in SEEDS if only is None else (only,):
        done = {row["name"] for row in runs if row["seed"] == seed}
        emoji = load_emoji_split()[1].images[::23][:SHOWN]
        if "pixels" not in done:
            gave, images = run(None, True, seed)
            if seed == 0:
                keep_images(
                    "latent_space", "pixels", torch.cat([emoji, images[:SHOWN]])
                )
            keep({"name": "pixels", "seed": seed, "compression": 1.0, **gave})
        for name, (stages, kl_weight) in AUTOENCODERS.items():
            if name in done:
                continue
            autoencoder = learn_autoencoder(stages, kl_weight, seed)
            gave, images = run(autoencoder, True, seed)
            if seed == 0:
                keep_images(
                    "latent_space",
                    name,
                    torch.cat([reconstruct_images(autoencoder, emoji), images[:SHOWN]]),
                )
            row = {"name": name, "seed": seed, **judge(autoencoder), **gave}
            if name == "halved twice":
                row["unscaled"] = run(autoencoder, False, seed)[0]["curve"]
            keep(row)


if __name__ == "__main__":
    main()
