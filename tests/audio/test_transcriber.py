import pytest
import torch

from genai_tutorial.audio import RecognizerConfig, SpeechRecognizer, Transcriber
from genai_tutorial.multimodal import EncoderConfig


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


def test_number_of_words_must_be_that_of_the_labels(transcriber):
    with pytest.raises(ValueError, match="there must be 2 words, got 1"):
        Transcriber(transcriber.model, ("red",))
