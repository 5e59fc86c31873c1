"""Contrastive losses by hand, retrieval by counting, and a CLIP that learns within
seconds.
"""

import math

import pytest
import torch
from torch.nn import functional

from genai_tutorial.multimodal import (
    CLIP,
    CLIPConfig,
    EncoderConfig,
    ImageEncoderConfig,
    TextEncoderConfig,
    classify_zero_shot,
    contrastive_loss,
    hit_rate_at_k,
    sigmoid_loss,
)
from genai_tutorial.multimodal.clip import FIRST_SCALE, LARGEST_SCALE

BLOCKS = EncoderConfig(width=16, layers=1, heads=2)
CONFIG = CLIPConfig(
    image=ImageEncoderConfig(BLOCKS, image_size=8, patch_size=4),
    text=TextEncoderConfig(BLOCKS, vocab_size=10, context_length=4, end=1),
    shared_width=8,
)


def test_contrastive_loss_is_symmetric_and_invariant_to_a_constant():
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(contrastive_loss(scores), contrastive_loss(scores.T))
    assert contrastive_loss(scores + 5) == pytest.approx(
        contrastive_loss(scores).item(), abs=1e-5
    )


def test_sigmoid_loss_by_hand():
    scores = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    own = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-3))
    other = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(0.5))
    assert sigmoid_loss(scores).item() == pytest.approx((own + other) / 2, abs=1e-6)


def test_recall_at_k_by_counting():
    queries = functional.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0]]), dim=1
    )
    candidates = functional.normalize(
        torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.1, 1.0]]), dim=1
    )
    # The first finds the second's partner nearest, and its own next; the second its own
    # only after the first's.
    assert hit_rate_at_k(queries, candidates, k=1) == pytest.approx(1 / 3)
    assert hit_rate_at_k(queries, candidates, k=2) == 1
    assert hit_rate_at_k(queries, candidates, k=3) == 1


def test_recall_at_k_counts_ties_as_misses():
    same = functional.normalize(torch.ones(5, 3), dim=1)
    assert hit_rate_at_k(same, same, k=1) == 0
    assert hit_rate_at_k(same, same, k=5) == 1


def test_classify_zero_shot_takes_the_largest_cosine():
    classes = torch.eye(3)
    images = functional.normalize(
        torch.tensor([[0.1, 0.9, 0.3], [0.9, 0.1, 0.1], [0.0, 0.1, 0.2]]), dim=1
    )
    assert classify_zero_shot(images, classes).tolist() == [1, 0, 2]


def test_clip_scores_are_scaled_cosines_of_unit_vectors():
    model = CLIP(CONFIG)
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[2, 3, 1], [4, 1, 0]])
    pictures, texts = model.embed_images(images), model.embed_texts(ids)
    for vectors in (pictures, texts):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    assert model.scale.item() == pytest.approx(FIRST_SCALE, rel=1e-5)
    torch.testing.assert_close(
        model(images, ids), FIRST_SCALE * pictures @ texts.T, atol=1e-4, rtol=1e-5
    )


def test_clip_scale_is_clipped():
    model = CLIP(CONFIG)
    with torch.no_grad():
        model.log_scale.fill_(50.0)
    assert model.scale == LARGEST_SCALE


@pytest.mark.slow
def test_clip_learns_to_match_words_and_pictures():
    # Seven pictures of one brightness each, seven words: chance is 1/7.
    model = CLIP(CONFIG)
    images = torch.linspace(-1, 1, 7).view(7, 1, 1, 1).expand(7, 3, 8, 8)
    ids = torch.stack([torch.arange(2, 9), torch.ones(7, dtype=torch.long)], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = contrastive_loss(model(images, ids)).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = contrastive_loss(model(images, ids))
        loss.backward()
        optimizer.step()
    assert first > 1
    assert loss < 0.1
    assert hit_rate_at_k(model.embed_images(images), model.embed_texts(ids), k=1) == 1
    assert classify_zero_shot(
        model.embed_images(images), model.embed_texts(ids)
    ).tolist() == list(range(7))


@pytest.mark.parametrize(
    ("function", "arguments", "complaint"),
    [
        (contrastive_loss, [torch.zeros(2, 3)], "got 2 images and 3 texts"),
        (sigmoid_loss, [torch.zeros(2, 3)], "got 2 images and 3 texts"),
        (hit_rate_at_k, [torch.eye(3), torch.eye(3)[:2], 1], "3 queries and 2 cand"),
        (hit_rate_at_k, [torch.eye(3), torch.eye(3), 0], "candidates, 3, got 0"),
        (hit_rate_at_k, [torch.eye(3), torch.eye(3), 4], "candidates, 3, got 4"),
    ],
)
def test_losses_and_hit_rates_refuse_wrong_arguments(function, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        function(*arguments)
