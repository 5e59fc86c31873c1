"""Sampling and image-to-image in latents, with guidance and decoding, compared with
Stable Diffusion in diffusers: equal to 1e-5.
"""

import pytest
import torch

from genai_tutorial import diffusion
from tests.drawn import normal

diffusers = pytest.importorskip("diffusers")

SCALING_FACTOR = 0.7
PATH = diffusion.scaled_linear_schedule(1000)


@pytest.fixture(scope="module")
def parts():
    """An autoencoder and a U-Net of diffusers, with random weights."""
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, latent_channels=4,
        scaling_factor=SCALING_FACTOR,
    )  # fmt: skip
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=12,
        attention_head_dim=4,
    )  # fmt: skip
    return vae.eval(), unet.eval()


WISHED, UNWANTED = normal(2, 2, 5, 12, seed=1)


def pictures(parts, x, times):
    """What our sampler makes of noisy latents, decoded."""
    vae, unet = parts

    def model(x, t, condition):
        return unet(x, t, condition).sample

    guided = diffusion.Guided(model, 3.0, UNWANTED)
    denoise = diffusion.Denoiser(guided, PATH, diffusion.NOISE, condition=WISHED)
    with torch.no_grad():
        latents = diffusion.last_sample(diffusion.ddim(denoise, x, times))
        return ((vae.decode(latents / SCALING_FACTOR).sample + 1) / 2).clamp(0, 1)


def theirs_of(kind, parts, **inputs):
    """What their pipeline makes, without text encoder, filter and image encoder."""
    vae, unet = parts
    scheduler = diffusers.DDIMScheduler(
        1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        clip_sample=False, timestep_spacing="trailing",
        steps_offset=1,  # has no effect here, but the pipelines ask for it
    )  # fmt: skip
    pipeline = getattr(diffusers, kind)(
        vae, None, None, unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    found = pipeline(
        prompt_embeds=WISHED, negative_prompt_embeds=UNWANTED, guidance_scale=3.0,
        output_type="pt", **inputs,
    ).images  # fmt: skip
    assert found.std() > 0.01
    return found


def test_sample_images_equals_the_pipeline_of_diffusers(parts):
    """Guidance, negative prompt, sampler and decoding give the same pictures."""
    noise = normal(2, 4, 8, 8, seed=2)
    theirs = theirs_of(
        "StableDiffusionPipeline", parts, latents=noise, num_inference_steps=5,
        height=16, width=16,
    )  # fmt: skip
    assert torch.allclose(pictures(parts, noise, PATH.timesteps(5)), theirs, atol=1e-5)


def test_image_to_image_equals_the_pipeline_of_diffusers(parts):
    latents, noise = normal(2, 4, 8, 8, seed=3), normal(2, 4, 8, 8, seed=4)
    theirs = theirs_of(
        "StableDiffusionImg2ImgPipeline", parts, strength=0.7, num_inference_steps=8,
        generator=torch.Generator().manual_seed(4),
        image=latents,  # four channels are taken for latents
    )  # fmt: skip
    x, times = diffusion.partly_noised(PATH, latents, noise, strength=0.7, steps=8)
    assert torch.allclose(pictures(parts, x, times), theirs, atol=1e-5)
