"""The text encoder and the image encoder: dependencies, padding, errors."""

import pytest
import torch

from genai_tutorial.multimodal import (
    Encoder,
    EncoderConfig,
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoderConfig,
)
from genai_tutorial.multimodal.encoders import TextEncoder
from tests.drawn import normal, stirred

SMALL = EncoderConfig(width=12, layers=2, heads=3)
TEXT = TextEncoderConfig(SMALL, vocab_size=9, context_length=7, end=1)
IMAGE = ImageEncoderConfig(SMALL, image_size=8, patch_size=4)


def noisy(module, seed=0):
    """The module with all weights random: biases and gains too."""
    return stirred(module, seed, 0.3).eval()


@pytest.mark.parametrize("causal", [False, True])
def test_encoder_causal_mask(causal):
    encoder = noisy(Encoder(SMALL, causal))
    x = normal(1, 5, 12)
    changed = x.clone()
    # a constant added to all features would be taken away by the norm
    changed[0, 3] = -x[0, 3]
    differs = (encoder(x) - encoder(changed)).abs().amax(dim=(0, 2)) > 1e-6
    assert differs.tolist() == ([False] * 3 + [True] * 2 if causal else [True] * 5)


def test_encoder_without_positions_is_permutation_equivariant():
    encoder = noisy(Encoder(SMALL, causal=False))
    x, order = normal(2, 6, 12), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(
        encoder(x)[:, order], encoder(x[:, order]), atol=1e-5, rtol=1e-5
    )


def test_image_encoder_depends_on_every_patch():
    encoder = noisy(ImageEncoder(IMAGE))
    images = normal(1, 3, 8, 8).requires_grad_()
    encoder(images).square().sum().backward()
    assert (images.grad.abs().sum(dim=1) > 0).all()


def test_image_encoder_patches_are_in_row_order():
    encoder = noisy(ImageEncoder(IMAGE))
    images = normal(1, 3, 8, 8)
    squares = encoder.patch_embedding(images).flatten(2).transpose(1, 2)
    weight = encoder.patch_embedding.weight
    for number, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        square = images[0, :, top : top + 4, left : left + 4]
        torch.testing.assert_close(
            squares[0, number], torch.einsum("fchw,chw->f", weight, square)
        )
    moved = torch.cat([images[..., 4:], images[..., :4]], dim=-1)
    assert not torch.allclose(encoder(images), encoder(moved), atol=1e-4)


def test_image_encoder_batch_items_are_independent():
    encoder = noisy(ImageEncoder(IMAGE))
    images = normal(4, 3, 8, 8)
    together = encoder(images)
    for image, features in zip(images, together, strict=True):
        torch.testing.assert_close(
            encoder(image[None])[0], features, atol=1e-5, rtol=1e-5
        )


def test_text_encoder_padding_changes_nothing():
    encoder = noisy(TextEncoder(TEXT))
    short = encoder(torch.tensor([[4, 5, 1]]))
    padded = encoder(torch.tensor([[4, 5, 1, 0, 0], [2, 3, 4, 5, 1]]))
    torch.testing.assert_close(padded.pooled[0], short.pooled[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        padded.tokens[0, :3], short.tokens[0], atol=1e-6, rtol=1e-5
    )
    assert padded.mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]


def test_text_encoder_pools_the_first_end_token():
    encoder = noisy(TextEncoder(TEXT))
    features = encoder(torch.tensor([[4, 1, 5, 1], [4, 5, 6, 1]]))
    assert torch.equal(
        features.pooled, torch.stack([features.tokens[0, 1], features.tokens[1, 3]])
    )
    assert features.mask[0].tolist() == [True, True, False, False]


def test_text_encoder_tokens_alone_ignore_their_neighbours():
    """A token encoded alone depends on itself and its position only; the first token of
    a text is the same either way.
    """
    encoder = noisy(TextEncoder(TEXT))
    ids = torch.tensor([[4, 5, 6, 1], [7, 5, 2, 1]])
    alone, together = encoder.encode_tokens_alone(ids), encoder(ids)
    torch.testing.assert_close(alone.tokens[0, 1], alone.tokens[1, 1])
    assert not torch.allclose(together.tokens[0, 1], together.tokens[1, 1], atol=1e-4)
    torch.testing.assert_close(alone.tokens[:, 0], together.tokens[:, 0])
    assert torch.equal(alone.mask, together.mask)


def test_text_encoder_depends_on_word_order():
    encoder = noisy(TextEncoder(TEXT))
    features = encoder(torch.tensor([[4, 5, 1], [5, 4, 1]])).pooled
    assert not torch.allclose(features[0], features[1], atol=1e-4)


def test_encoders_initial_weights_depend_on_the_seed_alone():
    for kind, config in ((ImageEncoder, IMAGE), (TextEncoder, TEXT)):
        torch.manual_seed(1)
        first = kind(config, 0).state_dict()
        torch.manual_seed(2)
        again, reseeded = (kind(config, seed).state_dict() for seed in (0, 1))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], reseeded[name]) for name in first)


@pytest.mark.parametrize(
    "build",
    [lambda seed: ImageEncoder(IMAGE, seed), lambda seed: TextEncoder(TEXT, seed)],
)
def test_encoders_initial_activations_have_unit_scale(build):
    for seed in range(3):
        module, x = build(seed), normal(4, 5, 12)
        if isinstance(module, ImageEncoder):
            x = module.first_norm(module.positions(x))
        assert 0.5 < module.encoder(x).std() < 3


@pytest.mark.parametrize(
    ("encoder", "given", "complaint"),
    [
        (ImageEncoder(IMAGE), torch.zeros(1, 3, 8, 12), r"8\), got \(3, 8, 12\)"),
        (ImageEncoder(IMAGE), torch.zeros(1, 1, 8, 8), r"8\), got \(1, 8, 8\)"),
        (TextEncoder(TEXT), torch.tensor([[2, 3], [2, 1]]), "have its end, token 1"),
        (TextEncoder(TEXT), torch.ones(1, 8).long(), "at most 7 tokens, got 8"),
    ],
)
def test_encoders_refuse_wrong_inputs(encoder, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        encoder(given)
