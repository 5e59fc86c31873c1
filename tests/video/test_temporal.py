"""Attention over frames: nothing at first, blind or not to the order of frames, and
equal to attention written out.
"""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from genai_tutorial.transformer import MultiHeadAttention
from genai_tutorial.video import (
    TemporalAttention,
    VideoSize,
    factorized_multiplications,
    joint_multiplications,
    move_frames,
)
from genai_tutorial.video.temporal import (
    Displacement,
    FrameEmbedding,
    MotionEncoder,
    SpaceTimeAttention,
    frame_times,
)


def trained(layer: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Return a layer whose last weights are not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.3, generator=generator)
    return layer


def layers():
    return [
        TemporalAttention(channels=16, heads=2, frame_width=6),
        SpaceTimeAttention(channels=16, heads=2, frame_width=6, side=4),
    ]


@pytest.fixture
def clip():
    return torch.randn(2, 5, 16, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def frames():
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("layer", layers(), ids=["factorized", "joint"])
def test_untrained_attention_over_frames_changes_nothing(layer, clip, frames):
    assert torch.equal(layer(clip, frames), clip)
    assert not torch.equal(trained(layer)(clip, frames), clip)


@pytest.mark.parametrize("layer", layers(), ids=["factorized", "joint"])
def test_attention_over_frames_without_frame_vectors_permutes_with_the_frames(
    layer, clip, frames
):
    layer, order = trained(layer), torch.tensor([3, 0, 4, 1, 2])
    same = torch.zeros_like(frames)
    permuted = layer(clip[:, order], same)
    assert torch.allclose(permuted, layer(clip, same)[:, order], atol=1e-5)
    # with a vector for each frame the order matters
    told = layer(clip[:, order], frames)
    assert not torch.allclose(told, layer(clip, frames)[:, order], atol=1e-2)


def test_temporal_attention_keeps_places_apart(clip, frames):
    layer = trained(layers()[0])
    changed = clip.clone()
    changed[:, 0, :, 1, 2] += 1
    difference = (layer(changed, frames) - layer(clip, frames)).abs().amax(dim=(0, 2))
    # the group norm spreads a change over its own frame, and attention over its place
    assert (difference > 1e-4)[1:, 1, 2].all()
    joint = trained(layers()[1])
    difference = (joint(changed, frames) - joint(clip, frames)).abs().amax(dim=(0, 2))
    assert (difference > 1e-5).all()


def test_temporal_attention_equals_a_loop_over_places(clip, frames):
    layer = trained(layers()[0])
    expected = clip.clone()
    for row in range(4):
        for column in range(4):
            normed = torch.stack(
                [layer.norm(clip[:, f])[:, :, row, column] for f in range(5)], dim=1
            )
            tokens = normed + layer.frame(frames)
            expected[:, :, :, row, column] += layer.attention(tokens)
    assert torch.allclose(layer(clip, frames), expected, atol=1e-5)


def test_space_time_attention_equals_one_row_of_all_tokens(clip, frames):
    layer = trained(layers()[1])
    tokens = [
        layer.norm(clip[:, f])[:, :, row, column]
        + layer.positions(frames)[:, f, row, column]
        for f in range(5)
        for row in range(4)
        for column in range(4)
    ]
    attended = layer.attention(torch.stack(tokens, dim=1))
    expected = clip + attended.view(2, 5, 4, 4, 16).permute(0, 1, 4, 2, 3)
    assert torch.allclose(layer(clip, frames), expected, atol=1e-5)


def test_frame_embedding_is_a_line_in_time_around_the_number_of_the_frame():
    embedding = FrameEmbedding(frames=5, motion_width=3, width=4)
    motion = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    vectors = embedding(motion) - embedding.number.weight
    steps = vectors.diff(dim=1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-5)
    assert torch.allclose(steps[:, 0], embedding.motion_by_time(motion) / 2, atol=1e-5)
    added = FrameEmbedding(frames=5, motion_width=3, width=4, product=False)
    vectors = added(motion) - added.number.weight
    assert torch.allclose(vectors.diff(dim=1), torch.zeros(2, 4, 4), atol=1e-6)
    assert frame_times(3).tolist() == [-1.0, 0.0, 1.0]


def test_motion_encoder_reads_only_the_words_of_the_motion():
    encoder = MotionEncoder(vocab_size=9, width=5)
    ids = torch.tensor([[3, 7, 8], [4, 7, 8], [3, 7, 7]])
    mask = torch.tensor([[False, True, True]]).expand(3, 3)
    first, other_object, other_motion = encoder(ids, mask)
    assert torch.allclose(first, other_object, atol=1e-6)
    assert not torch.allclose(first, other_motion)


def counted(tokens: int, rows: int, width: int) -> int:
    """Count the multiplications of attention itself, without the linear layers."""
    attention = MultiHeadAttention(width, heads=2, bias=True, causal=False)
    # the counter does not see into the fused kernel of the CPU
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as whole:
        attention(torch.zeros(rows, tokens, width))
    with FlopCounterMode(display=False) as linear:
        for layer in (attention.query, attention.key, attention.value):
            layer(torch.zeros(rows, tokens, width))
        attention.output(torch.zeros(rows, tokens, width))
    # torch counts a multiplication and an addition as two operations
    return (whole.get_total_flops() - linear.get_total_flops()) // 2


@pytest.mark.parametrize(("frames", "places"), [(8, 16), (4, 64), (16, 4)])
def test_multiplications_by_formula_equal_those_that_torch_counts(frames, places):
    joint = counted(frames * places, 1, 32)
    assert joint_multiplications(frames, places, 32) == joint
    factorized = counted(places, frames, 32) + counted(frames, places, 32)
    assert factorized_multiplications(frames, places, 32) == factorized


def test_video_size_counts_the_tokens_of_a_film():
    film = VideoSize(60, 24, height=512, width=512)
    assert (film.frames, film.places, film.tokens) == (1440, 1024, 1_474_560)
    shorter = VideoSize(60, 24, height=512, width=512, time_compression=4)
    assert shorter.tokens == film.tokens // 4


def test_move_frames_moves_each_frame_by_its_own_displacement():
    frames = torch.zeros(1, 3, 1, 4, 4)
    frames[..., 1, 1] = 1
    moved = move_frames(frames, torch.tensor([[[0.0, 0.0], [0.5, 0.0], [0.0, -0.5]]]))
    at = [frame.nonzero().tolist() for frame in moved[0, :, 0]]
    assert at == [[[1, 1]], [[1, 2]], [[0, 1]]]
    half = move_frames(frames[:, :1], torch.tensor([[[0.25, 0.0]]]))
    assert half[0, 0, 0, 1].tolist() == [0.0, 0.5, 0.5, 0.0]


def test_temporal_attention_follows_an_object_that_moves():
    """With the right displacement, what moves is treated as if it stood still."""
    layer = trained(TemporalAttention(channels=8, heads=2, frame_width=6))
    same = torch.zeros(1, 3, 6)
    still = torch.zeros(1, 3, 8, 6, 6)
    still[..., 2, 2] = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(0))
    displacement = torch.tensor([[[-1 / 3, 0.0], [0.0, 0.0], [1 / 3, 0.0]]])
    moving = move_frames(still, displacement)
    expected = layer(still, same)
    got = move_frames(layer(moving, same, displacement), -displacement)
    assert torch.allclose(got[..., 2, 2], expected[..., 2, 2], atol=1e-5)
    static = move_frames(layer(moving, same), -displacement)
    assert not torch.allclose(static[..., 2, 2], expected[..., 2, 2], atol=1e-2)


def test_displacement_is_a_velocity_times_the_time_from_the_middle():
    displacement = Displacement(frames=5, motion_width=3)
    motion = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    assert not displacement(motion).any()
    with torch.no_grad():
        displacement.velocity.weight.fill_(0.1)
    moved = displacement(motion)
    assert torch.allclose(moved[:, 2], torch.zeros(2, 2))
    assert torch.allclose(moved, -moved.flip(1))
    per_frame = displacement.pixels_per_frame(motion, image_size=32)
    assert torch.allclose(16 * (moved[:, 4] - moved[:, 3]), per_frame, atol=1e-5)
