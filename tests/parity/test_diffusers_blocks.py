"""The blocks of our denoising networks compute what diffusers' do, with the same
weights: to 1e-5, gradients too.
"""

import pytest
import torch

from genai_tutorial import diffusion
from genai_tutorial.diffusion.condition import TimeEmbedding
from genai_tutorial.diffusion.dit import grid_positions
from genai_tutorial.diffusion.unet_blocks import PixelAttention, ResidualBlock
from tests.parity.weights import both_kinds, randomized, renamed, same

pytest.importorskip("diffusers")
from diffusers.models import embeddings
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

CLOSE = {"rtol": 0, "atol": 1e-5}
RESIDUAL = both_kinds({
    "norm1": "first_norm", "conv1": "first_conv", "time_emb_proj": "scale_shift",
    "norm2": "second_norm", "conv2": "second_conv", "conv_shortcut": "shortcut",
})  # fmt: skip
ATTENTION = both_kinds({
    "group_norm": "norm", "to_q": "attention.query", "to_k": "attention.key",
    "to_v": "attention.value", "to_out.0": "attention.output",
})  # fmt: skip
DIT_BLOCK = both_kinds({
    "norm1.linear": "modulation", "attn1.to_q": "attention.query",
    "attn1.to_k": "attention.key", "attn1.to_v": "attention.value",
    "attn1.to_out.0": "attention.output", "ff.net.0.proj": "feed_forward.widen",
    "ff.net.2": "feed_forward.output",
})  # fmt: skip
THEIR_ATTENTION = {
    "heads": 4, "dim_head": 4, "norm_num_groups": 8, "eps": 1e-5, "bias": True,
    "residual_connection": True,
}  # fmt: skip


@pytest.mark.parametrize(("channels", "out_channels"), [(16, 16), (16, 24)])
def test_residual_block(channels, out_channels):
    block = ResnetBlock2D(
        in_channels=channels, out_channels=out_channels, temb_channels=20, groups=8,
        eps=1e-5, time_embedding_norm="scale_shift",
    )  # fmt: skip
    theirs = randomized(block)
    ours = ResidualBlock(channels, out_channels, embedding_width=20, groups=8)
    ours.load_state_dict(renamed(theirs, RESIDUAL))
    x, embedding = torch.randn(3, channels, 7, 5), torch.randn(3, 20)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    got, expected = ours(mine, embedding), theirs(yours, embedding)
    same(got, expected, **CLOSE)
    got.square().mean().backward()
    expected.square().mean().backward()
    same(mine.grad, yours.grad, **CLOSE)
    assert mine.grad.abs().max() > 1e-3


def test_pixel_attention():
    theirs = randomized(Attention(16, **THEIR_ATTENTION))
    ours = PixelAttention(16, heads=4, groups=8)
    ours.load_state_dict(renamed(theirs, ATTENTION))
    x = torch.randn(3, 16, 6, 5)
    same(ours(x), theirs(x), **CLOSE)
    assert (ours(x) - x).abs().max() > 0.1  # not just the shortcut


def test_text_attention_with_texts_of_different_lengths():
    theirs = Attention(16, cross_attention_dim=12, **THEIR_ATTENTION)
    randomized(theirs)
    ours = diffusion.TextAttention(16, text_width=12, heads=4, groups=8)
    ours.load_state_dict(renamed(theirs, ATTENTION))
    x, tokens = torch.randn(3, 16, 6, 5), torch.randn(3, 7, 12)
    mask = torch.arange(7) < torch.tensor([[7], [3], [1]])
    # theirs is added to the scores
    hidden = torch.zeros(3, 1, 7).masked_fill(~mask[:, None], -torch.inf)
    hidden = hidden.repeat_interleave(4, dim=0)
    expected = theirs(x, encoder_hidden_states=tokens, attention_mask=hidden)
    same(ours(x, diffusion.TextCondition(tokens, mask)), expected, **CLOSE)


def test_time_embedding():
    theirs = randomized(embeddings.TimestepEmbedding(32, 24))
    names = both_kinds({"linear_1": "widen", "linear_2": "output"})
    ours = TimeEmbedding(24, sinusoidal_width=32, time_scale=1000)
    ours.load_state_dict(renamed(theirs, names))
    t = torch.tensor([0.0, 0.0137, 0.5, 0.999])
    steps = embeddings.Timesteps(32, flip_sin_to_cos=False, downscale_freq_shift=1)
    waves = steps(1000 * t)
    # angles of 1,000 radians
    same(diffusion.sinusoidal_features(1000 * t, 32), waves, rtol=0, atol=1e-4)
    same(ours(t), theirs(waves), rtol=0, atol=1e-4)


def dit_pair(layers, image_channels=3):
    theirs = DiTTransformer2DModel(
        num_attention_heads=4, attention_head_dim=8, in_channels=image_channels,
        num_layers=layers, sample_size=12, patch_size=2, num_embeds_ada_norm=10,
        norm_eps=1e-6,
    )  # fmt: skip
    randomized(theirs.eval(), scale=0.1)
    config = diffusion.DiTConfig(
        image_channels=image_channels, image_size=12, patch_size=2, width=32,
        layers=layers, heads=4, query_key_norm=False,
    )  # fmt: skip
    ours, blocks = diffusion.DiT(config), theirs.transformer_blocks
    first = "transformer_blocks.0.norm1.emb"
    names = {
        f"transformer_blocks.{i}.{a}": f"blocks.{i}.{b}"
        for i in range(layers)
        for a, b in DIT_BLOCK.items()
    } | both_kinds({
        f"{first}.timestep_embedder.linear_1": "time.widen",
        f"{first}.timestep_embedder.linear_2": "time.output",
        "proj_out_1": "modulation", "proj_out_2": "head",
        "pos_embed.proj": "patch_embedding",
    })  # fmt: skip
    names[f"{first}.class_embedder.embedding_table.weight"] = "label.table.weight"
    copied = renamed(theirs, names)
    # they keep an embedding in each block; in the published models all are the same
    for block in blocks[1:]:
        block.norm1.emb = blocks[0].norm1.emb
    for kind in ("weight", "bias"):
        # They read the pixels of a square by channel, and write them with the channels
        # side by side.
        rows = copied[f"head.{kind}"].unflatten(0, (2, 2, image_channels))
        copied[f"head.{kind}"] = rows.movedim(2, 0).flatten(0, 2)
    # their cosines come first
    copied["time.widen.weight"] = copied["time.widen.weight"].roll(128, dims=1)
    copied["patch_embedding.weight"] = copied["patch_embedding.weight"].flatten(1)
    ours.load_state_dict(copied)
    return ours, theirs


@pytest.mark.parametrize("layers", [1, 3])
def test_the_whole_diffusion_transformer(layers):
    ours, theirs = dit_pair(layers)
    x, t = torch.randn(4, 3, 12, 12), torch.tensor([0, 1, 500, 999])
    labels = torch.tensor([0, 4, 9, 10])
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    got, expected = ours(mine, t.float(), labels), theirs(yours, t, labels).sample
    scale = expected.abs().max().item()
    same(got / scale, expected / scale, **CLOSE)
    (got / scale).square().sum().backward()
    (expected / scale).square().sum().backward()
    slope = yours.grad.abs().max().item()
    same(mine.grad / slope, yours.grad / slope, **CLOSE)


def test_positions_of_the_grid():
    theirs = embeddings.get_2d_sincos_pos_embed(16, 5, base_size=5, output_type="pt")
    same(grid_positions(5, 5, 16), theirs.float(), **CLOSE)
