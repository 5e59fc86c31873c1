import pytest
import torch

from genai_tutorial.audio import (
    Lexicon,
    MelConfig,
    SpeechSynthesizer,
    SynthesizerConfig,
    TextToSpeech,
    length_regulator,
    synthesis_loss,
)
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.training import build_optimizer, train_step

CONFIG = SynthesizerConfig(
    EncoderConfig(width=16, layers=1, heads=2),
    symbols=4,
    voices=2,
    mel=MelConfig(rate=16_000, window=256, hop=128, mels=8),
    context_length=60,
)
BATCH = (
    torch.tensor([[0, 1, 2], [3, 1, 0]]),
    torch.tensor([3, 2]),
    torch.tensor([[2, 3, 1], [1, 2, 0]]),
    torch.tensor([0, 1]),
)


@pytest.fixture
def model():
    return SpeechSynthesizer(CONFIG, seed=0)


def test_length_regulator_repeats_vectors_and_pads_with_zeros():
    vectors = torch.arange(1.0, 7).view(2, 3, 1)
    frames, elapsed = length_regulator(vectors, BATCH[2])
    assert frames[..., 0].tolist() == [[1, 1, 2, 2, 2, 3], [4, 5, 5, 0, 0, 0]]
    assert torch.allclose(elapsed[0], torch.tensor([0, 0.5, 0, 1 / 3, 2 / 3, 0]))
    assert elapsed[1].tolist() == [0, 0, 0.5, 0, 0, 0]


def test_length_regulator_skips_phonemes_of_no_duration():
    frames, _ = length_regulator(
        torch.tensor([[[1.0], [2], [3]]]), torch.tensor([[1, 0, 1]])
    )
    assert frames[0, :, 0].tolist() == [1, 3]


def test_length_regulator_refuses_negative_durations():
    with pytest.raises(ValueError, match="negative, got -1"):
        length_regulator(torch.zeros(1, 2, 1), torch.tensor([[2, -1]]))


def test_padding_does_not_change_what_is_painted(model):
    _, together = model(*BATCH)
    _, alone = model(BATCH[0][1:, :2], BATCH[1][1:], BATCH[2][1:, :2], BATCH[3][1:])
    assert alone.shape == (1, 8, 3)
    assert torch.allclose(together[1:, :, :3], alone, atol=1e-5)


def test_loss_ignores_the_padding(model):
    log_mels = torch.randn(2, 8, 6)
    changed = log_mels.clone()
    changed[1, :, 3:] = 99.0
    assert synthesis_loss(model, *BATCH, log_mels).item() == pytest.approx(
        synthesis_loss(model, *BATCH, changed).item()
    )


def test_voices_and_their_mixtures_differ(model):
    phonemes = torch.tensor([0, 1, 2, 0])
    mean = model.voice.weight.mean(dim=0)
    a, b, both = (model.speak(phonemes, v) for v in (*model.voice.weight, mean))
    assert not torch.equal(a[:, :1], b[:, :1])
    assert not torch.equal(both[:, :1], b[:, :1])


def test_pace_shortens_the_sentence(model):
    with torch.no_grad():
        model.duration_head.bias.fill_(2.0)  # about seven frames a phoneme
    phonemes, voice = torch.tensor([0, 1, 2]), model.voice.weight[0]
    slow, fast = model.speak(phonemes, voice), model.speak(phonemes, voice, pace=3)
    assert fast.shape[1] < slow.shape[1] / 2
    with pytest.raises(ValueError, match="pace must be above 0"):
        model.speak(phonemes, voice, pace=0)


def test_sentences_that_are_too_long_are_refused(model):
    with pytest.raises(ValueError, match="may last 60 frames, got 61"):
        model.paint(torch.zeros(1, 1, 16), torch.tensor([[61]]))


def test_synthesizer_learns_a_sentence(model):
    log_mels = torch.randn(2, 8, 6, generator=torch.Generator().manual_seed(0)) - 5
    batch = (*BATCH, log_mels)
    optimizer = build_optimizer(model)
    losses = [
        train_step(model, batch, synthesis_loss, optimizer, 1.0) for _ in range(60)
    ]
    assert losses[-1] < 0.5 * losses[0]


def test_text_to_speech_speaks_words_of_its_lexicon(model):
    lexicon = Lexicon({"red": ("r", "d"), "a": ("e",)})
    speaker = TextToSpeech(model, lexicon, ("_", "d", "e", "r"), ("low", "high"))
    wave = speaker.say("a red a red", (0.5, 0.5), torch.Generator().manual_seed(0))
    assert wave.abs().max().item() == pytest.approx(0.8)
    with pytest.raises(ValueError, match="share of each voice"):
        speaker.paint("a red", (1.0,))
    with pytest.raises(ValueError, match="'blue' has no pronunciation"):
        speaker.paint("blue", (1.0, 0.0))
