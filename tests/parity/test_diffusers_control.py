"""ControlNet and LoRA in diffusers' U-Net agree with the book's definitions."""

import copy

import pytest
import torch
from torch import nn

from genai_tutorial.alignment import LoRALinear
from genai_tutorial.diffusion.control import zero_convolution
from tests.parity.weights import same

diffusers = pytest.importorskip("diffusers")
peft = pytest.importorskip("peft")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
    ).eval()


def inputs():
    return torch.randn(2, 4, 8, 8), torch.tensor([3, 700]), torch.randn(2, 5, 12)


def residuals(control, x, t, text, hint):
    return control(
        x, t, encoder_hidden_states=text, controlnet_cond=hint, return_dict=False
    )


@torch.no_grad()
def test_untrained_control_net_is_a_copy_with_zero_outputs(network):
    control = diffusers.ControlNetModel.from_unet(network, conditioning_channels=1)
    skips, middle = residuals(control.eval(), *inputs(), torch.rand(2, 1, 64, 64))
    assert all(not one.any() for one in (*skips, middle))
    for ours, theirs in (
        (control.down_blocks, network.down_blocks),
        (control.mid_block, network.mid_block),
    ):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, other)
    theirs = control.controlnet_mid_block
    ours = zero_convolution(16)
    assert ours.kernel_size == theirs.kernel_size
    assert all(
        torch.equal(one, other)
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True)
    )


@torch.no_grad()
def test_residuals_are_added_to_skips_and_bottleneck(network):
    control = diffusers.ControlNetModel.from_unet(network, conditioning_channels=1)
    for one in (*control.controlnet_down_blocks, control.controlnet_mid_block):
        nn.init.normal_(one.weight, std=0.1)
    x, t, text = inputs()
    skips, middle = residuals(control.eval(), x, t, text, torch.rand(2, 1, 64, 64))
    theirs = network(
        x,
        t,
        text,
        down_block_additional_residuals=skips,
        mid_block_additional_residual=middle,
    ).sample
    same(by_hand(network, x, t, text, skips, middle), theirs)
    assert (theirs - network(x, t, text).sample).abs().max() > 0.01


def by_hand(network, x, t, text, added, middle):
    """Run the blocks, and add as the book's `UNet.forward` does."""
    embedding = network.time_embedding(network.time_proj(t))
    hidden = network.conv_in(x)
    skips = [hidden]
    for block in network.down_blocks:
        reads = hasattr(block, "attentions")
        given = {"encoder_hidden_states": text} if reads else {}
        hidden, of_block = block(hidden_states=hidden, temb=embedding, **given)
        skips += of_block
    hidden = network.mid_block(hidden, embedding, encoder_hidden_states=text) + middle
    skips = [one + other for one, other in zip(skips, added, strict=True)]
    for block in network.up_blocks:
        count = len(block.resnets)
        given = {"encoder_hidden_states": text} if hasattr(block, "attentions") else {}
        of_block, skips = tuple(skips[-count:]), skips[:-count]
        hidden = block(
            hidden_states=hidden,
            temb=embedding,
            res_hidden_states_tuple=of_block,
            **given,
        )
    return network.conv_out(network.conv_act(network.conv_norm_out(hidden)))


@torch.no_grad()
def test_lora_on_cross_attention_is_pefts(network):
    name = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q"
    ours = LoRALinear(copy.deepcopy(network.get_submodule(name)), 4, 8)
    network.add_adapter(peft.LoraConfig(r=4, lora_alpha=8, target_modules=["to_q"]))
    theirs = network.get_submodule(name)
    for one in (ours.down, ours.up):
        one.normal_()
    theirs.lora_A["default"].weight.copy_(ours.down)
    theirs.lora_B["default"].weight.copy_(ours.up)
    x = torch.randn(3, 5, ours.base.in_features)
    same(ours(x), theirs(x))
    assert (theirs(x) - ours.base(x)).abs().max() > 0.1
