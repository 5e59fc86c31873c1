"""The layers over frames compute what diffusers' do, with the same weights: to 1e-5."""

import pytest
import torch

from genai_tutorial.diffusion import VELOCITY, Denoiser, ddim, last_sample
from genai_tutorial.recipes import SHAPES_SCHEDULE
from genai_tutorial.video import MotionModule, TemporalAttention
from tests.parity.weights import both_kinds, randomized, renamed

pytest.importorskip("diffusers")
from diffusers import DDIMScheduler
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

from tests.drawn import normal

CLOSE = {"rtol": 0, "atol": 1e-5}
BLOCK = "transformer_blocks.0."
NAMES = both_kinds({
    "norm": "norm", "proj_in": "enter", f"{BLOCK}norm1": "attention_norm",
    f"{BLOCK}attn1.to_q": "attention.query", f"{BLOCK}attn1.to_k": "attention.key",
    f"{BLOCK}attn1.to_v": "attention.value", f"{BLOCK}norm3": "feed_forward_norm",
    f"{BLOCK}attn1.to_out.0": "attention.output", f"{BLOCK}ff.net.0.proj": "widen",
    f"{BLOCK}ff.net.2": "narrow", "proj_out": "leave",
})  # fmt: skip


def test_motion_module_equals_animatediff():
    """Groups are normalized over all frames of a clip, and frames have sinusoidal
    positions.
    """
    theirs = AnimateDiffTransformer3D(
        num_attention_heads=2, attention_head_dim=8, in_channels=16, norm_num_groups=4,
        double_self_attention=False, positional_embeddings="sinusoidal",
        num_positional_embeddings=32,
    )  # fmt: skip
    randomized(theirs.eval())
    ours = MotionModule(channels=16, heads=2, groups=4)
    ours.load_state_dict(renamed(theirs, NAMES))
    clip = normal(2, 5, 16, 4, 3)
    with torch.no_grad():
        expected = theirs(clip.flatten(0, 1), num_frames=5).view_as(clip)
        assert torch.allclose(ours(clip), expected, **CLOSE)


def test_ddim_on_clips_equals_diffusers():
    """A sampler takes clips as it takes images: one more dimension changes nothing."""
    layer = TemporalAttention(channels=8, heads=2, frame_width=4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.2, generator=torch.Generator().manual_seed(1))

    def model(x, t, condition=None):
        frames = torch.stack([t / 1000] * 4, dim=1)[:, None].expand(-1, 3, -1)
        return layer(x, frames)

    noise, levels = normal(2, 3, 8, 4, 4, seed=2), SHAPES_SCHEDULE.alpha_bar
    betas = 1 - levels / torch.cat((torch.ones(1).double(), levels[:-1]))
    scheduler = DDIMScheduler(
        trained_betas=betas.numpy(), prediction_type="v_prediction",
        timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True,
    )  # fmt: skip
    scheduler.set_timesteps(20)
    x = noise
    with torch.no_grad():
        for t in scheduler.timesteps:
            output = model(x, t.float().expand(len(x)))
            x = scheduler.step(output, int(t), x).prev_sample
        denoise = Denoiser(model, SHAPES_SCHEDULE, VELOCITY)
        ours = last_sample(ddim(denoise, noise, SHAPES_SCHEDULE.timesteps(20)))
    assert torch.allclose(ours, x, rtol=0, atol=1e-4)
