import pytest
import torch

from genai_tutorial.audio import RecognizerConfig, SpeechRecognizer, recognition_loss
from genai_tutorial.audio.recognizer import output_frames
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.training import build_optimizer, train_step

CONFIG = RecognizerConfig(EncoderConfig(16, 1, 2), labels=4, mels=6, context_length=20)


@pytest.fixture
def model():
    return SpeechRecognizer(CONFIG, seed=0).eval()


def test_recognizer_gives_a_distribution_for_every_fourth_frame(model):
    logs = model(torch.randn(2, 6, 41), torch.tensor([41, 30]))
    assert logs.shape == (2, 11, 4)
    assert torch.allclose(logs.exp().sum(2), torch.ones(2, 11))


@pytest.mark.parametrize("length", [17, 18, 19, 20])
def test_padding_does_not_change_what_is_heard(model, length):
    sound = torch.randn(1, 6, length, generator=torch.Generator().manual_seed(0))
    alone = model(sound, torch.tensor([length]))
    padded = torch.cat([sound, torch.randn(1, 6, 21)], dim=2)
    together = model(padded, torch.tensor([length]))
    count = int(output_frames(torch.tensor([length])))
    assert alone.shape[1] == count
    assert torch.allclose(alone, together[:, :count], atol=1e-5)


def test_sound_that_is_too_long_is_refused(model):
    with pytest.raises(ValueError, match="may have 80 frames, got 84"):
        model(torch.zeros(1, 6, 84), torch.tensor([84]))


@pytest.mark.parametrize(
    "wrong", [{"labels": 1}, {"mels": 0}, {"kernel": 4}, {"context_length": 0}]
)
def test_recognizer_config_rejects_impossible_settings(wrong):
    with pytest.raises(ValueError, match="odd" if "kernel" in wrong else "at least"):
        RecognizerConfig(**{"encoder": EncoderConfig(8, 1, 2), "labels": 3} | wrong)


def test_recognizer_learns_two_sounds():
    """Label 1 is loud in the low bands, label 2 in the high ones."""
    model = SpeechRecognizer(CONFIG, seed=0)
    features = torch.zeros(2, 6, 24)
    features[0, :3, 4:12] = features[1, 3:, 4:12] = 2.0
    batch = (
        features, torch.tensor([24, 24]), torch.tensor([[1], [2]]), torch.tensor([1, 1])
    )  # fmt: skip
    optimizer = build_optimizer(model)
    losses = [
        train_step(model, batch, recognition_loss, optimizer, 1.0) for _ in range(40)
    ]
    assert losses[-1] < 0.1 < 1.0 < losses[0]


def test_masks_of_the_loss_come_from_the_generator(model):
    batch = (
        torch.ones(2, 6, 40), torch.tensor([40, 40]), torch.tensor([[1], [2]]),
        torch.tensor([1, 1]),
    )  # fmt: skip
    plain = recognition_loss(model, *batch)
    masks = torch.Generator().manual_seed(0)
    assert recognition_loss(model, *batch, masks=masks) != plain
