"""Drawing in latents with guidance, and decoding, against diffusers' StableDiffusionPipeline: the same to 1e-5."""

import pytest
import torch

from genai_tutorial.diffusion import NOISE, Denoiser, Guided, ddim, final, scaled_linear_schedule

pytest.importorskip("diffusers", reason='needs diffusers: pip install "genai_tutorial[images]"')
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

SCALING_FACTOR = 0.7


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


def test_pictures_are_those_of_their_pipeline(parts):
    vae, unet = parts
    scheduler = DDIMScheduler(
        1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,  # has no effect here, but the pipeline asks for it
        timestep_spacing="trailing",
    )
    pipeline = StableDiffusionPipeline(vae, None, None, unet, scheduler, None, None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    wished, unwanted = torch.randn(2, 2, 5, 12, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    theirs = pipeline(
        prompt_embeds=wished,
        negative_prompt_embeds=unwanted,
        latents=noise,
        num_inference_steps=5,
        guidance_scale=3.0,
        height=16,
        width=16,
        output_type="pt",
    ).images

    def model(x, t, condition):
        return unet(x, t, condition).sample

    denoise = Denoiser(Guided(model, 3.0, unwanted), scaled_linear_schedule(1000), NOISE, condition=wished)
    latents = final(ddim(denoise, noise, denoise.path.times(5)))
    with torch.no_grad():
        ours = ((vae.decode(latents / SCALING_FACTOR).sample + 1) / 2).clamp(0, 1)
    assert theirs.std() > 0.01
    assert torch.allclose(ours, theirs, atol=1e-5)
