import pytest
import torch

from genai_tutorial.audio import ListenAndWrite, ListenAndWriteConfig
from genai_tutorial.multimodal import EncoderConfig


@pytest.fixture
def model():
    blocks = EncoderConfig(width=16, layers=1, heads=2)
    config = ListenAndWriteConfig(blocks, 7, mels=4, frames=20, context_length=8)
    return ListenAndWrite(config, seed=0).eval()


def test_later_tokens_do_not_change_earlier_logits(model):
    features = torch.randn(1, 4, 20)
    a = model(features, torch.tensor([[1, 2, 3]]))
    b = model(features, torch.tensor([[1, 2, 6]]))
    assert torch.allclose(a[:, :2], b[:, :2], atol=1e-6)
    assert not torch.allclose(a[:, 2], b[:, 2], atol=1e-3)


def test_every_frame_of_the_sound_can_change_a_logit(model):
    features = torch.randn(1, 4, 20, requires_grad=True)
    model(features, torch.tensor([[1]]))[0, 0, 3].backward()
    assert (features.grad.abs().sum(dim=1) > 0).all()


def test_transcribe_stops_at_the_end_token_or_at_the_limit(model):
    features = torch.randn(4, 20)
    first = model.transcribe(features, start=[1], end=99, most=5)
    assert len(first) == 5
    assert model.transcribe(features, start=[1], end=first[0], most=5) == first[:1]


def test_sounds_of_another_length_are_refused(model):
    with pytest.raises(ValueError, match="must have 20 frames, got 18"):
        model.listen(torch.randn(1, 4, 18))
