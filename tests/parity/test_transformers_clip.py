"""The book's CLIP equals transformers' CLIP: with the same weights, both encoders,
scores, loss and gradients are equal.
"""

import pytest
import torch

from genai_tutorial import multimodal
from tests.drawn import stirred
from tests.parity.weights import (
    both_kinds,
    clip_layers,
    clip_settings,
    image_encoder_names,
    same,
    same_gradients,
)

transformers = pytest.importorskip("transformers")

CONFIG = multimodal.CLIPConfig(
    multimodal.ImageEncoderConfig(
        multimodal.EncoderConfig(width=24, layers=2, heads=3), image_size=16,
        patch_size=4,
    ),
    multimodal.TextEncoderConfig(
        multimodal.EncoderConfig(width=20, layers=3, heads=2, feed_forward_width=36),
        vocab_size=30, context_length=9, end=1,
    ),
    shared_width=12,
)  # fmt: skip
# Their names on the left, ours on the right.
NAMES = {
    **image_encoder_names(CONFIG.image.encoder.layers, "vision_model"),
    **clip_layers(CONFIG.text.encoder.layers, "text_model", "text_encoder"),
    **both_kinds({"text_model.final_layer_norm": "text_encoder.final_norm"}),
    "text_model.embeddings.token_embedding.weight": (
        "text_encoder.token_embedding.weight"
    ),
    "text_model.embeddings.position_embedding.weight": "text_encoder.positions.weight",
    "visual_projection.weight": "projections.image.weight",
    "text_projection.weight": "projections.text.weight",
    "logit_scale": "log_scale",
}


def random_pair(seed=0):
    """Both models with the same weights, all of them random: biases and gains too,
    which start at 0 and 1.
    """
    ours = stirred(multimodal.CLIP(CONFIG, seed), seed + 100)
    text, image, shared = CONFIG.text, CONFIG.image, CONFIG.shared_width
    settings = transformers.CLIPConfig(
        text_config=clip_settings(text.encoder) | {
            "vocab_size": text.vocab_size, "eos_token_id": text.end, "bos_token_id": 0,
            "max_position_embeddings": text.context_length, "pad_token_id": 0,
            "projection_dim": shared,
        },
        vision_config=clip_settings(image.encoder) | {
            "image_size": image.image_size, "patch_size": image.patch_size,
            "num_channels": image.channels, "projection_dim": shared,
        },
        projection_dim=shared, attn_implementation="eager",
    )  # fmt: skip
    theirs, weights = transformers.CLIPModel(settings), ours.state_dict()
    theirs.load_state_dict({name: weights[mine] for name, mine in NAMES.items()})
    return ours, theirs.eval()


def random_batch(batch=5, seed=0):
    """Images, and texts of different lengths with their end and padding after it."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, 16, 16, generator=generator)
    ids = torch.randint(2, 30, (batch, 9), generator=generator)
    for row, end in enumerate(
        torch.randint(1, 9, (batch,), generator=generator).tolist()
    ):
        ids[row, end], ids[row, end + 1 :] = 1, 0
    return images, ids


def test_weight_names_map_one_to_one():
    """Each weight of their model is copied exactly once."""
    ours, theirs = random_pair()
    assert set(NAMES) == {name for name, _ in theirs.named_parameters()}
    assert sorted(NAMES.values()) == sorted(name for name, _ in ours.named_parameters())


@pytest.mark.parametrize("seed", range(3))
def test_image_encoder_equals_transformers(seed):
    ours, theirs = random_pair(seed)
    images, _ = random_batch(seed=seed)
    expected = theirs.vision_model(pixel_values=images)
    same(ours.image_encoder(images), expected.pooler_output)
    same(ours.image_encoder.read(images), expected.last_hidden_state)


@pytest.mark.parametrize("seed", range(3))
def test_text_encoder_equals_transformers(seed):
    ours, theirs = random_pair(seed)
    _, ids = random_batch(seed=seed)
    found = ours.text_encoder(ids)
    mask = found.mask.long()
    expected = theirs.text_model(input_ids=ids, attention_mask=mask)
    same(found.pooled, expected.pooler_output)
    # The vectors at padding positions are meaningless, and differ from theirs.
    same(found.tokens[found.mask], expected.last_hidden_state[found.mask])


@pytest.mark.parametrize("seed", range(3))
def test_clip_equals_transformers(seed):
    ours, theirs = random_pair(seed)
    images, ids = random_batch(seed=seed)
    expected = theirs(input_ids=ids, pixel_values=images, return_loss=True)
    same(ours(images, ids), expected.logits_per_image)
    same(ours.embed_images(images), expected.image_embeds)
    same(ours.embed_texts(ids), expected.text_embeds)
    loss = multimodal.contrastive_loss(ours(images, ids))
    same(loss, expected.loss)
    loss.backward()
    expected.loss.backward()
    same_gradients(ours, theirs, NAMES)


def test_contrastive_loss_equals_transformers():
    from transformers.models.clip.modeling_clip import (
        image_text_contrastive_loss as theirs,
    )

    generator = torch.Generator().manual_seed(0)
    for pairs in (2, 3, 17):
        scores = 7 * torch.randn(pairs, pairs, generator=generator)
        same(multimodal.contrastive_loss(scores), theirs(scores.T))
