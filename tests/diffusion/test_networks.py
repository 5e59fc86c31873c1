"""The denoising networks: shapes, what they may depend on, what an untrained one does,
wrong arguments.
"""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.diffusion import (
    DiT,
    DiTBlock,
    DiTConfig,
    TextAttention,
    TextCondition,
    UNet,
    UNetConfig,
    drop_labels,
    sinusoidal_features,
)
from genai_tutorial.diffusion.condition import LabelEmbedding, TimeEmbedding
from genai_tutorial.diffusion.dit import patchify, unpatchify
from genai_tutorial.diffusion.unet_blocks import (
    MiddleBlock,
    PixelAttention,
    ResidualBlock,
)
from tests.drawn import stirred

SMALL_UNET = UNetConfig(
    channels=(8, 16), embedding_width=16, middle_blocks=1, image_size=8
)
SMALL_DIT = DiTConfig(
    image_size=8, patch_size=2, width=16, layers=2, heads=2, sinusoidal_width=16
)
TEXT = {"image_channels": 3, "classes": None, "text_width": 6}
TEXT_UNET = replace(SMALL_UNET, middle_blocks=2, image_size=None, **TEXT)
TEXT_DIT = replace(SMALL_DIT, **TEXT)
NETWORKS = {
    "unet": lambda seed=0: UNet(SMALL_UNET, seed),
    "dit": lambda seed=0: DiT(SMALL_DIT, seed),
}
TEXT_NETWORKS = {"unet": lambda: UNet(TEXT_UNET), "dit": lambda: DiT(TEXT_DIT)}


def randomize(network, seed=0):
    """Set all weights at random: an untrained network outputs zero everywhere, which
    would let most tests pass.
    """
    return stirred(network, seed).eval()


def texts(batch=3, tokens=5, lengths=(5, 2, 1)):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(batch, tokens, 6, generator=generator)
    mask = torch.arange(tokens) < torch.tensor(lengths)[:, None]
    return TextCondition(features, mask)


@pytest.mark.parametrize("name", NETWORKS)
def test_untrained_network_outputs_zero_and_gets_gradients(name):
    network = NETWORKS[name]()
    x = torch.randn(4, 1, 8, 8)
    output = network(x, torch.rand(4) * 999, torch.tensor([0, 3, 9, 10]))
    assert output.shape == x.shape
    assert (output == 0).all()
    (output - x).square().mean().backward()
    assert network.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_seed_decides_initial_weights_without_touching_the_global_generator(name):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, reseeded = NETWORKS[name](1), NETWORKS[name](1), NETWORKS[name](2)
    assert torch.equal(torch.rand(3), expected)
    pairs = list(
        zip(first.parameters(), again.parameters(), reseeded.parameters(), strict=True)
    )
    assert all(torch.equal(weight, repeated) for weight, repeated, _ in pairs)
    assert any(not torch.equal(weight, differing) for weight, _, differing in pairs)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_depends_on_every_input_and_batch_rows_are_independent(name):
    network = randomize(NETWORKS[name]())
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([10.0, 500.0, 900.0])
    labels = torch.tensor([1, 2, 3])
    before = network(x, t, labels)
    other_x, other_t, other_labels = x.clone(), t.clone(), labels.clone()
    other_x[1] += 0.1
    other_t[1] += 50
    other_labels[1] = 7
    for changed in ((other_x, t, labels), (x, other_t, labels), (x, t, other_labels)):
        moved = (network(*changed) - before).abs().amax(dim=(1, 2, 3))
        assert moved[1] > 1e-3
        assert moved[[0, 2]].max() < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_receptive_field_covers_the_image(name):
    network = randomize(NETWORKS[name]())
    x = torch.randn(1, 1, 8, 8)
    moved = x.clone()
    moved[0, 0, 0, 0] += 1
    t, labels = torch.tensor([500.0]), torch.tensor([3])
    assert ((network(moved, t, labels) - network(x, t, labels)).abs() > 1e-7).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_condition_none_equals_the_no_label_class(name):
    network = randomize(NETWORKS[name]())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([10.0, 900.0])
    nothing = network(x, t, torch.full((2,), 10))
    torch.testing.assert_close(network(x, t, None), nothing)
    torch.testing.assert_close(network(x, t), nothing)
    assert (network(x, t, torch.tensor([0, 1])) - nothing).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_text_padding_is_masked(name):
    """The tokens of a text change the output, and its padding does not."""
    network = randomize(TEXT_NETWORKS[name]())
    x, t = torch.randn(3, 3, 8, 8), torch.tensor([10.0, 500.0, 900.0])
    mask, tokens = texts().mask, texts().tokens
    before = network(x, t, texts())
    filled = TextCondition(tokens + 5 * ~mask[..., None], mask)
    torch.testing.assert_close(network(x, t, filled), before)
    tokens[1, 0] += 1
    change = network(x, t, TextCondition(tokens, mask)) - before
    moved = change.abs().amax(dim=(1, 2, 3))
    assert moved[1] > 1e-3
    assert moved[[0, 2]].max() < 1e-5


def test_text_attention_weights_sum_to_one_over_tokens():
    block = randomize(TextAttention(16, text_width=6, heads=2))
    maps = block.weights(torch.randn(3, 16, 4, 5), texts())
    assert maps.shape == (3, 2, 5, 4, 5)  # images, heads, tokens, rows, columns
    torch.testing.assert_close(maps.sum(dim=2), torch.ones(3, 2, 4, 5))
    assert (maps[1, :, 2:] == 0).all()  # the second text has two tokens


@pytest.mark.parametrize(
    "block",
    [
        lambda x: ResidualBlock(16, 16, 12)(x, torch.randn(2, 12)),
        lambda x: PixelAttention(16, 4)(x),
        lambda x: MiddleBlock(16, 12, 4, 8, text_width=6)(
            x, torch.randn(2, 12), texts(2, 5, (5, 2))
        ),
    ],
)
def test_untrained_block_adds_a_constant_at_every_position(block):
    x = torch.randn(2, 16, 4, 4)
    added = block(x) - x
    assert added.std(dim=(2, 3)).max() < 1e-6  # at most the bias of attention's output
    assert added.abs().max() < 1


def test_untrained_dit_block_is_the_identity():
    x = torch.randn(2, 16, 16)
    assert torch.equal(DiTBlock(SMALL_DIT)(x, torch.randn(2, 16)), x)


@pytest.mark.parametrize(
    "config",
    [SMALL_UNET, UNetConfig(patch_size=1, channels=(8, 8, 16), blocks=2, heads=2)],
)
def test_unet_shapes_follow_the_config(config):
    network = UNet(config)
    levels = len(config.channels) - 1
    assert len(network.down) == len(network.up) == levels
    assert all(len(blocks) == config.blocks for blocks in (*network.down, *network.up))
    x = torch.randn(2, 1, 8, 8)
    assert network(x, torch.zeros(2)).shape == x.shape
    assert network.parameter_count() == sum(p.numel() for p in network.parameters())


def test_time_scale_multiplies_the_timestep():
    steps, share = (TimeEmbedding(8, 16, time_scale=scale) for scale in (1, 1000))
    share.load_state_dict(steps.state_dict())
    whole, part = torch.tensor([250.0]), torch.tensor([0.25])
    torch.testing.assert_close(steps(whole), share(part))


def test_sinusoidal_features_distinguish_all_timesteps():
    features = sinusoidal_features(torch.arange(1000.0), 32)
    apart = torch.cdist(features, features) + torch.eye(1000) * 9
    assert apart.min() > 0.1
    assert features.abs().max() <= 1


def test_patchify_cuts_squares():
    images = torch.randn(2, 3, 6, 4)
    patches = patchify(images, 2)
    assert patches.shape == (2, 6, 12)
    # second row, second column
    assert torch.equal(patches[1, 3].view(3, 2, 2), images[1, :, 2:4, 2:4])
    assert torch.equal(unpatchify(patches, 2, 6), images)


def test_drop_labels_drops_the_given_fraction():
    labels = torch.arange(20_000) % 10
    dropped, again = (
        drop_labels(labels, 0.1, 10, torch.Generator().manual_seed(0)) for _ in "ab"
    )
    assert abs((dropped == 10).float().mean() - 0.1) < 0.01
    assert torch.equal(dropped[dropped != 10], labels[dropped != 10])
    assert torch.equal(dropped, again)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_refuse_other_sizes_and_conditions(name):
    network, told = NETWORKS[name](), TEXT_NETWORKS[name]()
    x, colour, t = torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8), torch.zeros(1)
    blind = UNet(UNetConfig(classes=None))
    for call, message in (
        (lambda: network(torch.zeros(1, 1, 12, 12), t), "of 8x8 pixels, got 12x12"),
        (lambda: told(colour, t), "tokens of 6 features; got None"),
        (
            lambda: network(x, t, texts(1, 5, (5,))),
            "10 or None for no label; got TextCondition",
        ),
        (lambda: network(x, t, torch.tensor([11])), "got 11 to 11"),
        (lambda: LabelEmbedding(3, 4)(torch.tensor([1, 2]), 3), "got 2 labels for 3"),
        (lambda: blind(x, t, torch.tensor([1])), "takes no condition; got Tensor"),
        (lambda: blind(torch.zeros(1, 1, 6, 8), t), "multiples of 4"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: UNetConfig(patch_size=3), "patch_size must be 1 or even, got 3"),
        (lambda: UNetConfig(image_size=30), "image_size must be a multiple of 4"),
        (lambda: UNet(UNetConfig(text_width=8)), "labels or texts"),
        (lambda: UNet(UNetConfig(channels=(12, 16))), "divisible by num_groups"),
        (lambda: UNet(UNetConfig(heads=5)), "heads must divide width"),
        (lambda: DiT(DiTConfig(text_width=8)), "labels or texts"),
        (lambda: DiT(DiTConfig(width=30, heads=3)), "width must be a multiple of 4"),
        (lambda: DiT(DiTConfig(width=32, heads=3)), "heads must divide width"),
        (
            lambda: TextCondition(torch.zeros(1, 2, 6), torch.zeros(1, 2).bool()),
            "needs at least one token",
        ),
    ],
)
def test_wrong_arguments_of_networks_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
