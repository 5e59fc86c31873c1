"""A hint, an image to edit and a new word change nothing until they are trained."""

import pytest
import torch

from genai_tutorial.diffusion import ControlNet, UNetConfig
from genai_tutorial.multimodal import (
    Controlled,
    Editing,
    EncoderConfig,
    TextEncoderConfig,
    TextToImage,
    add_word,
    widen_stem,
)
from genai_tutorial.tokenization import WordTokenizer
from tests.drawn import stirred

TOKENIZER = WordTokenizer(("a", "circle", "red"))
TEXT = TextEncoderConfig(EncoderConfig(8, 1, 2), 5, context_length=5, end=1)
NETWORK = UNetConfig(
    image_channels=4,
    patch_size=1,
    channels=(8, 16),
    groups=4,
    classes=None,
    text_width=8,
    image_size=8,
)
X, T = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 700.0])
IDS = TOKENIZER.encode_batch(["a red circle", "a circle"], 5)


def painter():
    return stirred(TextToImage(TEXT, NETWORK), 0)


def test_scale_multiplies_what_the_control_net_adds():
    model, control = painter(), stirred(ControlNet(NETWORK), 1)
    hint = torch.rand(2, 1, 32, 32)
    plain = model(X, T, IDS)
    assert torch.equal(Controlled(model, control, hint, 0)(X, T, IDS), plain)
    full, other = (Controlled(model, control, h)(X, T, IDS) for h in (hint, 1 - hint))
    assert (full - plain).abs().max() > 1e-3
    assert (full - other).abs().max() > 1e-4
    empty = Controlled(model, control, hint, 0)(X, T)  # guidance's second pass
    assert torch.equal(empty, model(X, T))


def test_widened_stem_ignores_the_image_until_it_is_trained():
    model, source = painter(), torch.randn(2, 4, 8, 8)
    plain = model(X, T, IDS)
    widen_stem(model)
    assert torch.allclose(Editing(model, source)(X, T, IDS), plain, atol=1e-5)
    with torch.no_grad():
        model.network.stem.weight[:, 4:] = 0.1
    assert (Editing(model, source)(X, T, IDS) - plain).abs().max() > 1e-3


def test_new_word_begins_as_a_known_one_and_changes_no_other():
    model = painter()
    larger, tokenizer = add_word(model, TOKENIZER, "pink", like="red")
    assert tokenizer.encode("a pink circle")[1] == 5
    pink = tokenizer.encode_batch(["a pink circle", "a circle"], 5)
    assert torch.equal(larger(X, T, pink), model(X, T, IDS))
    with torch.no_grad():
        larger.encoder.token_embedding.weight[5] += 1
    assert torch.equal(larger(X, T, IDS), model(X, T, IDS))
    assert not torch.equal(larger(X, T, pink), model(X, T, IDS))


@pytest.mark.parametrize(("word", "like"), [("red", "red"), ("pink", "rose")])
def test_new_word_needs_to_be_new_and_like_a_known_one(word, like):
    with pytest.raises(ValueError, match=r"must be|more than once"):
        add_word(painter(), TOKENIZER, word, like)
