"""What a latent space must be like for diffusion: how small, how regular, on which scale.

Small autoencoders learn from emoji and scenes of shapes. They differ in one thing each: how often they halve the sides
of a picture, or the weight of the KL divergence. Then a small text-to-image U-Net learns to draw scenes of one object
in the latents of each, with the same settings, batches and number of steps; once more on pixels, which it takes in
squares of two by two; and once more on latents that were not scaled. Each draws the same 200 captions, and the
verifier reads the pictures. It also reads what the autoencoder alone makes of real scenes, which is the ceiling.

    OMP_NUM_THREADS=1 python benchmarks/latent_space.py              # the runs that the record lacks, all seeds
    OMP_NUM_THREADS=1 python benchmarks/latent_space.py --seed 0
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from genai_tutorial.data import load_shapes
from genai_tutorial.diffusion import VELOCITY, Denoiser, Guided, UNetConfig, ddim, diffusion_loss, final
from genai_tutorial.evaluation import caption_accuracy, psnr
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig, TextToImage, drop_texts
from genai_tutorial.pretrained import describe_machine
from genai_tutorial.pretrained.image_autoencoder import held_out_scenes, reconstruct, split
from genai_tutorial.pretrained.latent_diffusion import encode_all
from genai_tutorial.pretrained.shapes_clip import CONTEXT_LENGTH, TOKENIZER
from genai_tutorial.pretrained.shapes_diffusion import PATH
from genai_tutorial.training import EMA, OptimizerSettings, TensorBatches, build_optimizer, fit, warmup_linear
from genai_tutorial.vae import ImageAutoencoder, ImageAutoencoderConfig, image_autoencoder_loss

RESULTS = Path(__file__).parent / "results" / "latent_space.json"
SEEDS, BATCH, AUTOENCODER_STEPS, STEPS, CAPTIONS, SAMPLER_STEPS, GUIDANCE = (0, 1), 32, 400, 500, 200, 15, 2.0
TEXT = TextEncoderConfig(
    EncoderConfig(width=32, layers=1, heads=4), TOKENIZER.vocab_size, CONTEXT_LENGTH, TOKENIZER.END
)
RATES = OptimizerSettings(
    matrix_lr=0.02, kernel_lr=0.02, embedding_lr=0.01, head_lr=0.003, vector_lr=0.003, momentum=0.95
)
AUTOENCODERS = {
    "halved once": (1, 1e-6),
    "halved twice": (2, 1e-6),
    "halved three times": (3, 1e-6),
    "no KL": (2, 0.0),
    "KL 0.001": (2, 1e-3),
    "KL 0.1": (2, 1e-1),
}
"""How often the sides are halved, and the weight of the KL divergence."""


def learn_autoencoder(stages: int, kl_weight: float, seed: int) -> ImageAutoencoder:
    """Trains an autoencoder of four latent channels, and measures its scaling factor."""
    images = torch.cat((split()[0].images, load_shapes(4000, seed).images))
    model = ImageAutoencoder(ImageAutoencoderConfig(width=24, stages=stages), seed)
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(seed)
    fit(
        model,
        TensorBatches((images,), BATCH, seed),
        lambda model, batch: image_autoencoder_loss(model, batch, generator, kl_weight=kl_weight),
        build_optimizer(model, RATES),
        steps=AUTOENCODER_STEPS,
        schedule=warmup_linear(AUTOENCODER_STEPS, 20),
        average=average,
        progress=False,
    )
    average.model.set_scaling_factor(images[::3], generator)
    return average.model.eval()


def learn_to_draw(x0: Tensor, texts: Tensor, patch_size: int, seed: int) -> tuple[TextToImage, float]:
    """Trains a text-to-image U-Net; returns the average of its weights, and the CPU seconds of a step."""
    config = UNetConfig(
        image_channels=x0.shape[1],
        patch_size=patch_size,
        channels=(32, 64),
        classes=None,
        text_width=32,
        image_size=x0.shape[2],
    )
    model = TextToImage(TEXT, config, seed)
    average, generator = EMA(model, 0.99), torch.Generator().manual_seed(seed)
    empty = TOKENIZER.encode_batch([""], CONTEXT_LENGTH)[0]

    def loss(model: nn.Module, x0: Tensor, texts: Tensor) -> Tensor:
        return diffusion_loss(model, PATH, VELOCITY, x0, drop_texts(texts, 0.1, empty, generator), generator=generator)

    started = time.process_time()
    fit(
        model,
        TensorBatches((x0, texts), BATCH, seed),
        loss,
        build_optimizer(model, RATES),
        steps=STEPS,
        schedule=warmup_linear(STEPS, 20),
        average=average,
        progress=False,
    )
    return average.model.eval(), (time.process_time() - started) / STEPS


def operations(model: nn.Module, *inputs: Tensor) -> int:
    """Multiplications and additions of one call for one picture."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops()


def run(autoencoder: ImageAutoencoder | None, scaled: bool, seed: int) -> dict:
    """Learns to draw in the latents of an autoencoder, or pixels where there is none; returns what that gave."""
    scenes = load_shapes(8000, seed, objects=(1,))
    x0 = 2 * scenes.images - 1 if autoencoder is None else encode_all(autoencoder, scenes.images, seed)
    factor = 1.0 if scaled or autoencoder is None else float(autoencoder.scaling_factor)
    texts = TOKENIZER.encode_batch(scenes.captions, CONTEXT_LENGTH)
    model, seconds = learn_to_draw(x0 / factor, texts, 2 if autoencoder is None else 1, seed)
    captions = load_shapes(CAPTIONS, seed + 1000, objects=(1,)).captions
    denoise = Denoiser(
        Guided(model, GUIDANCE),
        PATH,
        VELOCITY,
        condition=TOKENIZER.encode_batch(captions, CONTEXT_LENGTH),
        limit=1.0 if autoencoder is None else None,
    )
    noise = torch.randn(CAPTIONS, *x0.shape[1:], generator=torch.Generator().manual_seed(seed))
    started = time.process_time()
    drawn = final(ddim(denoise, noise, PATH.times(SAMPLER_STEPS)))
    with torch.no_grad():
        images = ((drawn + 1) / 2).clamp(0, 1) if autoencoder is None else autoencoder.to_images(factor * drawn)
    return {
        "accuracy": caption_accuracy(captions, images).everything,
        "seconds_a_step": round(seconds, 4),
        "seconds_an_image": round((time.process_time() - started) / CAPTIONS, 5),
        "operations_a_call": operations(model, noise[:1], torch.zeros(1), model.empty(1)),
    }


def judge(autoencoder: ImageAutoencoder) -> dict:
    """Returns how close pictures come back, and how large the latent numbers are."""
    _, emoji = split()
    scenes = held_out_scenes()
    back = reconstruct(autoencoder, scenes.images)
    factor = float(autoencoder.scaling_factor)
    with torch.no_grad():
        z = autoencoder.encode(emoji.images)
    return {
        "compression": autoencoder.config.compression(),
        "emoji_psnr_db": round(psnr(emoji.images, reconstruct(autoencoder, emoji.images)).mean().item(), 2),
        "scenes_psnr_db": round(psnr(scenes.images, back).mean().item(), 2),
        "ceiling": caption_accuracy(scenes.captions, back).everything,
        "latent_deviation": round(1 / factor, 3),
        "largest_latent": round(factor * z.mean.abs().max().item(), 2),
        "noise_deviation": round(factor * z.log_variance.mul(0.5).exp().mean().item(), 4),
        "decoder_operations": operations(autoencoder.decoder, z.mean[:1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="one seed only")
    only = parser.parse_args().seed
    torch.set_num_threads(1)
    runs = json.loads(RESULTS.read_text("utf8"))["runs"] if RESULTS.exists() else []

    def keep(row: dict) -> None:
        runs.append(row)
        about = {
            "task": f"scenes of one object from captions, {STEPS} steps of {BATCH}, {CAPTIONS} captions drawn with "
            f"{SAMPLER_STEPS} steps of DDIM and guidance {GUIDANCE}",
            "machine": describe_machine(),
            "runs": runs,
        }
        RESULTS.write_text(json.dumps(about, indent=2) + "\n", "utf8")
        print(row, flush=True)

    for seed in SEEDS if only is None else (only,):
        done = {row["name"] for row in runs if row["seed"] == seed}
        if "pixels" not in done:
            keep({"name": "pixels", "seed": seed, "compression": 1.0, **run(None, True, seed)})
        for name, (stages, kl_weight) in AUTOENCODERS.items():
            if name in done:
                continue
            autoencoder = learn_autoencoder(stages, kl_weight, seed)
            row = {"name": name, "seed": seed, **judge(autoencoder), **run(autoencoder, True, seed)}
            if stages == 2 and kl_weight < 1e-3:
                row["accuracy_unscaled"] = run(autoencoder, False, seed)["accuracy"]
            keep(row)


if __name__ == "__main__":
    main()
