"""The contrastive loss by pencil, retrieval by counting, and a CLIP that learns in
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
    recall_at_k,
)
from genai_tutorial.multimodal.clip import FIRST_SCALE, LARGEST_SCALE

CONFIG = CLIPConfig(
    image=ImageEncoderConfig(
        EncoderConfig(width=16, layers=1, heads=2), image_size=8, patch_size=4
    ),
    text=TextEncoderConfig(
        EncoderConfig(width=16, layers=1, heads=2),
        vocab_size=10,
        context_length=4,
        end=1,
    ),
    shared_width=8,
)


def test_the_loss_by_pencil():
    scores = torch.tensor([[math.log(3), 0.0], [math.log(2), math.log(4)]])
    # Rows: 3 of 4 and 4 of 6. Columns: 3 of 5 and 4 of 5.
    expected = (
        -(math.log(3 / 4) + math.log(4 / 6) + math.log(3 / 5) + math.log(4 / 5)) / 4
    )
    assert contrastive_loss(scores).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_treats_images_and_texts_alike():
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(contrastive_loss(scores), contrastive_loss(scores.T))
    assert contrastive_loss(scores + 5) == pytest.approx(
        contrastive_loss(scores).item(), abs=1e-5
    )


@pytest.mark.parametrize("pairs", [1, 2, 100])
def test_a_model_that_knows_nothing_loses_the_logarithm_of_the_number_of_pairs(pairs):
    assert contrastive_loss(torch.full((pairs, pairs), 0.3)).item() == pytest.approx(
        math.log(pairs), abs=1e-5
    )


def test_retrieval_by_counting():
    queries = functional.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0]]), dim=1
    )
    candidates = functional.normalize(
        torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.1, 1.0]]), dim=1
    )
    # The first finds the second's partner nearest, and its own next; the second its own
    # only after the first's.
    assert recall_at_k(queries, candidates, k=1) == pytest.approx(1 / 3)
    assert recall_at_k(queries, candidates, k=2) == 1
    assert recall_at_k(queries, candidates, k=3) == 1


def test_equal_vectors_win_nothing():
    same = functional.normalize(torch.ones(5, 3), dim=1)
    assert recall_at_k(same, same, k=1) == 0
    assert recall_at_k(same, same, k=5) == 1


def test_zero_shot_takes_the_nearest_by_angle():
    classes = torch.eye(3)
    images = functional.normalize(
        torch.tensor([[0.1, 0.9, 0.3], [0.9, 0.1, 0.1], [0.0, 0.1, 0.2]]), dim=1
    )
    assert classify_zero_shot(images, classes).tolist() == [1, 0, 2]


def test_vectors_have_length_one_and_scores_are_their_scaled_cosines():
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


def test_the_scale_has_a_largest_value():
    model = CLIP(CONFIG)
    with torch.no_grad():
        model.log_scale.fill_(50.0)
    assert model.scale == LARGEST_SCALE


def test_it_learns_which_word_belongs_to_which_picture():
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
    assert recall_at_k(model.embed_images(images), model.embed_texts(ids), k=1) == 1
    assert classify_zero_shot(
        model.embed_images(images), model.embed_texts(ids)
    ).tolist() == list(range(7))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: contrastive_loss(torch.zeros(2, 3)), "got 2 images and 3 texts"),
        (
            lambda: recall_at_k(torch.eye(3), torch.eye(3)[:2], k=1),
            "got 3 queries and 2 candidates",
        ),
        (
            lambda: recall_at_k(torch.eye(3), torch.eye(3), k=0),
            "from 1 to the number of candidates, 3, got 0",
        ),
        (
            lambda: recall_at_k(torch.eye(3), torch.eye(3), k=4),
            "from 1 to the number of candidates, 3, got 4",
        ),
        (
            lambda: CLIPConfig(CONFIG.image, CONFIG.text, shared_width=0),
            "shared_width must be at least 1, got 0",
        ),
    ],
)
def test_wrong_arguments_are_refused(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()
