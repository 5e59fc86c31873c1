"""Sampling and image-to-image in latents, with guidance and decoding, compared with
Stable Diffusion in diffusers: equal to 1e-5.
"""

import pytest
import torch

from genai_tutorial.diffusion import (
    NOISE,
    Denoiser,
    Guided,
    ddim,
    last_sample,
    partly_noised,
    scaled_linear_schedule,
)

pytest.importorskip(
    "diffusers", reason='needs diffusers: pip install "genai_tutorial[images]"'
)
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

SCALING_FACTOR = 0.7
PATH = scaled_linear_schedule(1000)


@pytest.fixture(scope="module")
def parts():
    """An autoencoder and a U-Net of diffusers, with random weights."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=SCALING_FACTOR,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    return vae.eval(), unet.eval()


@pytest.fixture
def scheduler():
    return DDIMScheduler(
        1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,  # has no effect here, but the pipelines ask for it
        timestep_spacing="trailing",
    )


WISHED, UNWANTED = torch.randn(2, 2, 5, 12, generator=torch.Generator().manual_seed(1))


def pictures(parts, x, times):
    """What our sampler makes of noisy latents, decoded."""
    vae, unet = parts

    def model(x, t, condition):
        return unet(x, t, condition).sample

    denoise = Denoiser(Guided(model, 3.0, UNWANTED), PATH, NOISE, condition=WISHED)
    with torch.no_grad():
        return (
            (
                vae.decode(last_sample(ddim(denoise, x, times)) / SCALING_FACTOR).sample
                + 1
            )
            / 2
        ).clamp(0, 1)


def test_sample_images_equals_the_pipeline_of_diffusers(parts, scheduler):
    """Guidance, negative prompt, sampler and decoding give the same pictures."""
    pipeline = StableDiffusionPipeline(
        *whole(parts, scheduler), requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    theirs = pipeline(
        prompt_embeds=WISHED,
        negative_prompt_embeds=UNWANTED,
        latents=noise,
        num_inference_steps=5,
        guidance_scale=3.0,
        height=16,
        width=16,
        output_type="pt",
    ).images
    assert theirs.std() > 0.01
    assert torch.allclose(pictures(parts, noise, PATH.timesteps(5)), theirs, atol=1e-5)


def test_image_to_image_equals_the_pipeline_of_diffusers(parts, scheduler):
    """The same strength gives the same pictures."""
    pipeline = StableDiffusionImg2ImgPipeline(
        *whole(parts, scheduler), requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    theirs = pipeline(
        prompt_embeds=WISHED,
        negative_prompt_embeds=UNWANTED,
        image=latents,  # four channels are taken for latents
        strength=0.7,
        num_inference_steps=8,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(4),
        output_type="pt",
    ).images
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    x, times = partly_noised(PATH, latents, noise, strength=0.7, steps=8)
    assert theirs.std() > 0.01
    assert torch.allclose(pictures(parts, x, times), theirs, atol=1e-5)


def whole(parts, scheduler):
    """What their pipelines are made of, without text encoder, filter and image
    encoder.
    """
    vae, unet = parts
    return vae, None, None, unet, scheduler, None, None
