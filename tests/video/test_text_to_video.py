"""Text to video: exactly the image model at first, frames that are connected or not,
captions that are split into object and motion.
"""

import itertools

import pytest
import torch

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig, TextToImage
from genai_tutorial.video import (
    KnownFrames,
    TextToVideo,
    VideoUNetConfig,
    draw_known_frames,
    logit_normal_timesteps,
)
from tests.drawn import stirred

WORDS, MOVES, LEFT, FAST = 9, 9, 5, 11
TEXT = TextEncoderConfig(
    EncoderConfig(width=8, layers=1, heads=2),
    vocab_size=WORDS,
    context_length=8,
    end=1,
)
NETWORK = UNetConfig(
    image_channels=4,
    patch_size=1,
    channels=(8, 16),
    heads=2,
    embedding_width=12,
    classes=None,
    text_width=8,
    image_size=4,
)


def shake(model: torch.nn.Module) -> torch.nn.Module:
    """Give weights to the layers that are zero at first."""
    return stirred(model, 4)


def image_model() -> TextToImage:
    return shake(TextToImage(TEXT, NETWORK))


def video_model(**settings) -> TextToVideo:
    config = VideoUNetConfig(
        frames=3, motion_width=6, frame_width=8, heads=2, **settings
    )
    return TextToVideo(image_model(), config, vocab_size=12, moves=MOVES)


@pytest.fixture
def clip():
    return torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))


T = torch.tensor([10.0, 700.0])
CAPTIONS = torch.tensor([[3, 4, MOVES, LEFT, FAST, 1], [3, 1, 0, 0, 0, 0]])


@pytest.mark.parametrize("follow", [True, False])
def test_untrained_video_model_equals_the_image_model_frame_by_frame(clip, follow):
    # in 64 bits, where the order of a sum hardly matters
    image, video = image_model().double(), video_model(follow=follow).double()
    clip = clip.double()
    objects = torch.tensor([[3, 4, 1], [3, 1, 0]])
    with torch.no_grad():
        drawn = video(clip, T.double(), CAPTIONS)
        for frame in range(3):
            expected = image(clip[:, frame], T.double(), objects)
            assert (drawn[:, frame] - expected).abs().max() <= 1e-12
    assert drawn.abs().max() > 0.1


def test_untrained_video_model_without_caption_equals_the_image_model(clip):
    image, video = image_model(), video_model()
    with torch.no_grad():
        expected = image(clip.flatten(0, 1), T.repeat_interleave(3)).view_as(clip)
        assert torch.allclose(video(clip, T), expected, atol=1e-5)


def test_timestep_of_each_frame_equals_one_for_the_clip_only_if_they_are_the_same(clip):
    video = shake(video_model())
    per_frame = T[:, None].repeat(1, 3)
    with torch.no_grad():
        expected = video(clip, T, CAPTIONS)
        assert torch.equal(video(clip, per_frame, CAPTIONS), expected)
        per_frame[:, 0] = 0
        difference = (video(clip, per_frame, CAPTIONS) - expected).abs()
    assert (difference.amax(dim=(2, 3, 4)) > 1e-5).all()


def test_trained_frames_depend_on_each_other_only_if_connected(clip):
    changed = clip.clone()
    changed[:, 2] += 1
    for connected, follow in itertools.product((True, False), (True, False)):
        video = shake(video_model(connected=connected, follow=follow))
        with torch.no_grad():
            difference = video(changed, T, CAPTIONS) - video(clip, T, CAPTIONS)
        touched = difference.abs().amax(dim=(0, 2, 3, 4)) > 1e-5
        assert touched.tolist() == [connected, connected, True]


def test_connected_and_single_frames_have_the_same_weights():
    connected, single = video_model(), video_model(connected=False)
    assert connected.state_dict().keys() == single.state_dict().keys()
    single.load_state_dict(connected.state_dict())


def test_read_splits_the_caption_into_object_and_motion():
    video = shake(video_model())
    text, motion = video.read(CAPTIONS)
    same, _ = video.read(torch.tensor([[3, 4, 1]]))
    assert torch.allclose(text.tokens[0, :3], same.tokens[0], atol=1e-6)
    assert text.mask.tolist() == [
        [True, True, True, False, False, False],
        [True, True, False, False, False, False],
    ]
    # the second caption leaves the motion open, as the empty one does
    _, open_motion = video.read(torch.tensor([[1]]))
    assert torch.allclose(motion[1], open_motion[0])
    assert not torch.allclose(motion[0], open_motion[0])
    _, other_object = video.read(torch.tensor([[8, MOVES, LEFT, FAST, 1]]))
    assert torch.allclose(motion[0], other_object[0])


def test_freeze_image_model_leaves_only_the_added_layers_to_train(clip):
    video = video_model().freeze_image_model()
    trainable = {n for n, p in video.named_parameters() if p.requires_grad}
    added = {f"network.{name}" for name in video.network.added_parameters()}
    encoder = {n for n, _ in video.named_parameters() if n.startswith("motion_encoder")}
    assert trainable == added | encoder
    video(clip, T, CAPTIONS).square().mean().backward()
    assert all(p.grad is None for p in video.network.image.parameters())
    # the zero layers get a gradient at once, those before them from the second step on
    first = video.network.middle[0].attention.output.weight.grad
    assert first.abs().max() > 0


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = video_model().state_dict()
    torch.manual_seed(2)
    second = video_model().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_video_model_refuses_another_number_of_frames():
    with pytest.raises(ValueError, match="draws clips of 3 frames, got 4"):
        video_model()(torch.zeros(1, 4, 4, 4, 4), torch.zeros(1))


def test_known_frames_enter_clean_with_timestep_0():
    x, frames = torch.randn(2, 4, 1, 3, 3), torch.randn(2, 1, 1, 3, 3)
    seen = {}

    def model(x, t, condition):
        seen.update(x=x, t=t, condition=condition)
        return x

    KnownFrames(model, frames)(x, torch.tensor([500.0, 500.0]), "caption")
    assert torch.equal(seen["x"][:, :1], frames)
    assert torch.equal(seen["x"][:, 1:], x[:, 1:])
    assert seen["t"].tolist() == [[0, 500, 500, 500]] * 2
    assert seen["condition"] == "caption"


def test_draw_known_frames_gives_away_first_frames_of_a_share_of_the_clips():
    generator = torch.Generator().manual_seed(0)
    known = draw_known_frames(2000, 8, 0.3, generator)
    counts = known.sum(dim=1)
    assert torch.equal(known, torch.arange(8) < counts[:, None])
    assert (counts > 0).float().mean() == pytest.approx(0.3, abs=0.04)
    assert set(counts.tolist()) == {0, 1, 2, 3, 4}
    assert not draw_known_frames(100, 8, 0.0, generator).any()


def test_logit_normal_timesteps_avoid_both_ends():
    generator = torch.Generator().manual_seed(0)
    t = logit_normal_timesteps(20_000, 1000, 0.7, 1.0, generator)
    assert torch.equal(t, t.floor())
    assert 0 <= t.min() < t.max() <= 999
    inside = ((t > 400) & (t < 920)).float().mean()
    assert inside == pytest.approx(0.82, abs=0.02)  # of 1.0 by the normal distribution
    assert t.median() == pytest.approx(1000 / (1 + 2.71828**-0.7), abs=10)
