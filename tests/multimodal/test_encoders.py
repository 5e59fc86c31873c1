"""The two encoders: what may depend on what, and what they refuse."""

import pytest
import torch

from genai_tutorial.multimodal import (
    Encoder,
    EncoderConfig,
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoder,
    TextEncoderConfig,
)

SMALL = EncoderConfig(width=12, layers=2, heads=3)
TEXT = TextEncoderConfig(SMALL, vocab_size=9, context_length=7, end=1)
IMAGE = ImageEncoderConfig(SMALL, image_size=8, patch_size=4)


def noisy(module, seed=0):
    """The module with all weights random: biases and gains too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("causal", [False, True])
def test_who_sees_whom(causal):
    encoder = noisy(Encoder(SMALL, causal))
    x = random(1, 5, 12)
    changed = x.clone()
    # a constant added to all features would be taken away by the norm
    changed[0, 3] = -x[0, 3]
    differs = (encoder(x) - encoder(changed)).abs().amax(dim=(0, 2)) > 1e-6
    assert differs.tolist() == ([False] * 3 + [True] * 2 if causal else [True] * 5)


def test_without_positions_the_order_of_squares_would_not_matter():
    encoder = noisy(Encoder(SMALL, causal=False))
    x, order = random(2, 6, 12), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(
        encoder(x)[:, order], encoder(x[:, order]), atol=1e-5, rtol=1e-5
    )


def test_every_square_reaches_the_vector_of_the_image():
    encoder = noisy(ImageEncoder(IMAGE))
    images = random(1, 3, 8, 8).requires_grad_()
    encoder(images).square().sum().backward()
    assert (images.grad.abs().sum(dim=1) > 0).all()


def test_squares_are_read_row_by_row_and_in_place():
    encoder = noisy(ImageEncoder(IMAGE))
    images = random(1, 3, 8, 8)
    squares = encoder.patch_embedding(images).flatten(2).transpose(1, 2)
    weight = encoder.patch_embedding.weight
    for number, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        square = images[0, :, top : top + 4, left : left + 4]
        torch.testing.assert_close(
            squares[0, number], torch.einsum("fchw,chw->f", weight, square)
        )
    moved = torch.cat([images[..., 4:], images[..., :4]], dim=-1)
    assert not torch.allclose(encoder(images), encoder(moved), atol=1e-4)


def test_images_of_a_batch_do_not_mix():
    encoder = noisy(ImageEncoder(IMAGE))
    images = random(4, 3, 8, 8)
    together = encoder(images)
    for image, features in zip(images, together, strict=True):
        torch.testing.assert_close(
            encoder(image[None])[0], features, atol=1e-5, rtol=1e-5
        )


def test_padding_changes_nothing():
    encoder = noisy(TextEncoder(TEXT))
    short = encoder(torch.tensor([[4, 5, 1]]))
    padded = encoder(torch.tensor([[4, 5, 1, 0, 0], [2, 3, 4, 5, 1]]))
    torch.testing.assert_close(padded.pooled[0], short.pooled[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        padded.tokens[0, :3], short.tokens[0], atol=1e-6, rtol=1e-5
    )
    assert padded.mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]


def test_the_pooled_vector_is_that_of_the_first_end():
    encoder = noisy(TextEncoder(TEXT))
    features = encoder(torch.tensor([[4, 1, 5, 1], [4, 5, 6, 1]]))
    assert torch.equal(
        features.pooled, torch.stack([features.tokens[0, 1], features.tokens[1, 3]])
    )
    assert features.mask[0].tolist() == [True, True, False, False]


def test_the_order_of_words_matters():
    encoder = noisy(TextEncoder(TEXT))
    features = encoder(torch.tensor([[4, 5, 1], [5, 4, 1]])).pooled
    assert not torch.allclose(features[0], features[1], atol=1e-4)


def test_the_seed_decides_the_first_weights_and_nothing_else_does():
    for make in (
        lambda seed: ImageEncoder(IMAGE, seed),
        lambda seed: TextEncoder(TEXT, seed),
    ):
        torch.manual_seed(1)
        first = make(0).state_dict()
        torch.manual_seed(2)
        again, reseeded = make(0).state_dict(), make(1).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], reseeded[name]) for name in first)


@pytest.mark.parametrize(
    "build",
    [lambda seed: ImageEncoder(IMAGE, seed), lambda seed: TextEncoder(TEXT, seed)],
)
def test_signals_keep_their_size_at_first(build):
    for seed in range(3):
        module = build(seed)
        if isinstance(module, ImageEncoder):
            before = module.encoder(
                module.first_norm(module.positions(random(4, 5, 12)))
            )
        else:
            before = module.encoder(random(4, 5, 12))
        assert 0.5 < before.std() < 3


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (
            lambda: EncoderConfig(width=10, layers=1, heads=3),
            "heads must divide width, got heads=3 and width=10",
        ),
        (
            lambda: EncoderConfig(width=0, layers=1, heads=1),
            "width must be at least 1, got 0",
        ),
        (
            lambda: EncoderConfig(8, 1, 1, feed_forward_width=0),
            "feed_forward_width must be at least 1, got 0",
        ),
        (
            lambda: ImageEncoderConfig(SMALL, image_size=8, patch_size=3),
            "patch_size must divide image_size",
        ),
        (
            lambda: ImageEncoderConfig(SMALL, image_size=8, patch_size=0),
            "patch_size must divide image_size",
        ),
        (
            lambda: TextEncoderConfig(SMALL, vocab_size=0, context_length=3, end=0),
            "must be at least 1, got 0, 3",
        ),
        (
            lambda: TextEncoderConfig(SMALL, vocab_size=5, context_length=3, end=5),
            "end must be a token from 0 to 4",
        ),
        (
            lambda: ImageEncoder(IMAGE)(torch.zeros(1, 3, 8, 12)),
            r"shape \(3, 8, 8\), got \(3, 8, 12\)",
        ),
        (
            lambda: ImageEncoder(IMAGE)(torch.zeros(1, 1, 8, 8)),
            r"shape \(3, 8, 8\), got \(1, 8, 8\)",
        ),
        (
            lambda: TextEncoder(TEXT)(torch.tensor([[2, 3], [2, 1]])),
            "must have its end, token 1",
        ),
        (
            lambda: TextEncoder(TEXT)(torch.ones(1, 8, dtype=torch.long)),
            "at most 7 tokens, got 8",
        ),
        (lambda: TextEncoder(TEXT)(torch.tensor([[9, 1]])), "from 0 to 8, got 1 to 9"),
        (
            lambda: TextEncoder(TEXT)(torch.tensor([[-1, 1]])),
            "from 0 to 8, got -1 to 1",
        ),
    ],
)
def test_wrong_arguments_are_refused(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()
