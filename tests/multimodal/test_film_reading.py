import pytest
import torch

from genai_tutorial.multimodal import (
    EncoderConfig,
    ImageEncoderConfig,
    VisionLanguageConfig,
    VisionLanguageModel,
    attention_to_frames,
)
from genai_tutorial.transformer import DecoderConfig
from tests.drawn import stirred

IMAGE = ImageEncoderConfig(EncoderConfig(12, 1, 2), image_size=8, patch_size=4)
DECODER = DecoderConfig.fast(10, 20, width=16, layers=2, heads=2, convolution_size=0)


@pytest.fixture
def model():
    """A model without weights that are zero, which would hide mistakes."""
    model = VisionLanguageModel(VisionLanguageConfig(IMAGE, DECODER))
    return stirred(model, 5, 0.3).eval()


@pytest.fixture
def films():
    return torch.randn(2, 3, 4, 12, generator=torch.Generator().manual_seed(0))


def test_a_film_of_one_frame_is_read_like_a_picture(model, films):
    ids = torch.tensor([[4, 5], [6, 7]])
    with torch.no_grad():
        film, picture = model.read(films[:, :1], ids), model.read(films[:, 0], ids)
        looked = attention_to_frames(model, films[:, :1], ids)
    assert torch.equal(film, picture)
    squares = model.attention_to_image(films[:, 0], ids)
    assert torch.allclose(looked[..., 0], squares.sum(dim=3))


def test_frames_stand_in_order(model, films):
    with torch.no_grad():
        prefix = model.prefix(films)
        assert torch.allclose(prefix[1, 4:8], model.prefix(films[1:, 1])[0], atol=1e-6)


def test_attention_to_frames_leaves_the_rest_to_the_text(model, films):
    looked = attention_to_frames(model, films, torch.tensor([[4, 5], [6, 7]]))
    assert looked.shape == (2, 2, 2, 3)
    assert (looked.sum(dim=3) < 1).all()
    assert (looked > 0).all()


def test_a_film_too_long_for_the_context_window_is_refused(model):
    with pytest.raises(ValueError, match="20"):
        model.read(torch.zeros(1, 5, 4, 12), torch.tensor([[4]]))
