import pytest
import torch

from genai_tutorial.audio import (
    RecognizerConfig,
    SpeechRecognizer,
    Transcriber,
    recognition_loss,
)
from genai_tutorial.audio.recognizer import mask_spectrograms, output_frames
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


def test_masks_hide_one_band_and_one_stretch_of_bounded_width():
    features, lengths = torch.ones(200, 10, 40), torch.full((200,), 40)
    generator = torch.Generator().manual_seed(0)
    masked = mask_spectrograms(features, lengths, generator)
    bands = (masked == 0).all(dim=2).sum(dim=1)
    stretches = (masked == 0).all(dim=1).sum(dim=1)
    assert set(bands.tolist()) == set(range(9))
    assert set(stretches.tolist()) == set(range(26))
    hidden = bands * 40 + stretches * 10 - bands * stretches
    assert torch.equal((masked == 0).sum(dim=(1, 2)), hidden)
    assert torch.equal(features, torch.ones(200, 10, 40))  # the input is left alone


def test_stretches_lie_in_the_sound_and_not_in_the_padding():
    masked = mask_spectrograms(
        torch.ones(80, 20, 80), torch.full((80,), 30), torch.Generator().manual_seed(0)
    )
    stretches = (masked == 0).all(dim=1)
    assert not stretches[:, 30:].any()
    assert stretches[:, :30].any()


@pytest.fixture
def transcriber():
    config = RecognizerConfig(EncoderConfig(16, 1, 2), labels=3, mels=20)
    return Transcriber(SpeechRecognizer(config, seed=0), ("red", "blue"))


def test_text_reads_the_likeliest_path_as_words(transcriber):
    path = torch.eye(3)[[0, 2, 2, 0, 2, 1]].log()
    assert transcriber.text(path) == "blue blue red"
    assert transcriber.text(path, decode=lambda logs: [1]) == "red"


def test_waves_of_different_lengths_keep_their_order(transcriber):
    generator = torch.Generator().manual_seed(0)
    waves = [torch.randn(n, generator=generator) for n in (9_000, 4_000, 6_500)]
    together = transcriber.listen(waves)
    assert [len(output) for output in together] == [14, 7, 10]
    for wave, output in zip(waves, together, strict=True):
        assert torch.allclose(transcriber.listen([wave])[0], output, atol=1e-4)
