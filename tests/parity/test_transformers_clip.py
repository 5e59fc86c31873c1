"""The book's CLIP equals transformers' CLIP: with the same weights, both encoders,
scores, loss and gradients are equal.
"""

import pytest
import torch

from genai_tutorial import multimodal

transformers = pytest.importorskip("transformers")

CONFIG = multimodal.CLIPConfig(
    image=multimodal.ImageEncoderConfig(
        multimodal.EncoderConfig(width=24, layers=2, heads=3),
        image_size=16,
        patch_size=4,
    ),
    text=multimodal.TextEncoderConfig(
        multimodal.EncoderConfig(width=20, layers=3, heads=2, feed_forward_width=36),
        vocab_size=30,
        context_length=9,
        end=1,
    ),
    shared_width=12,
)

# Their names on the left, ours on the right.
TOWER_NAMES = {
    "vision_model.embeddings.class_embedding": "image_encoder.class_token",
    "vision_model.embeddings.patch_embedding.weight": (
        "image_encoder.patch_embedding.weight"
    ),
    "vision_model.embeddings.position_embedding.weight": (
        "image_encoder.positions.weight"
    ),
    "vision_model.pre_layrnorm.weight": "image_encoder.first_norm.weight",
    "vision_model.pre_layrnorm.bias": "image_encoder.first_norm.bias",
    "vision_model.post_layernorm.weight": "image_encoder.final_norm.weight",
    "vision_model.post_layernorm.bias": "image_encoder.final_norm.bias",
    "text_model.embeddings.token_embedding.weight": (
        "text_encoder.token_embedding.weight"
    ),
    "text_model.embeddings.position_embedding.weight": "text_encoder.positions.weight",
    "text_model.final_layer_norm.weight": "text_encoder.final_norm.weight",
    "text_model.final_layer_norm.bias": "text_encoder.final_norm.bias",
    "visual_projection.weight": "projections.image.weight",
    "text_projection.weight": "projections.text.weight",
    "logit_scale": "log_scale",
}
LAYER_NAMES = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.output",
    "layer_norm1": "attention_norm",
    "layer_norm2": "feed_forward_norm",
    "mlp.fc1": "feed_forward.widen",
    "mlp.fc2": "feed_forward.output",
}


def all_names() -> dict[str, str]:
    names = dict(TOWER_NAMES)
    for theirs, ours, config in (
        ("vision_model", "image_encoder", CONFIG.image.encoder),
        ("text_model", "text_encoder", CONFIG.text.encoder),
    ):
        for i in range(config.layers):
            for their_layer, our_layer in LAYER_NAMES.items():
                for kind in ("weight", "bias"):
                    their_name = f"{theirs}.encoder.layers.{i}.{their_layer}.{kind}"
                    names[their_name] = f"{ours}.encoder.{i}.{our_layer}.{kind}"
    return names


def their_encoder(config: multimodal.EncoderConfig) -> dict:
    return {
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "hidden_act": "gelu",
        "attention_dropout": 0.0,
        "layer_norm_eps": 1e-5,
    }


def random_pair(seed=0):
    """Both models with the same weights, all of them random: biases and gains too,
    which start at 0 and 1.
    """
    ours = multimodal.CLIP(CONFIG, seed)
    generator = torch.Generator().manual_seed(seed + 100)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    text, image = CONFIG.text, CONFIG.image
    theirs = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config=their_encoder(text.encoder)
            | {
                "vocab_size": text.vocab_size,
                "max_position_embeddings": text.context_length,
                "eos_token_id": text.end,
                "bos_token_id": 0,
                "pad_token_id": 0,
                "projection_dim": CONFIG.shared_width,
            },
            vision_config=their_encoder(image.encoder)
            | {
                "image_size": image.image_size,
                "patch_size": image.patch_size,
                "num_channels": image.channels,
                "projection_dim": CONFIG.shared_width,
            },
            projection_dim=CONFIG.shared_width,
            attn_implementation="eager",
        )
    )
    weights = ours.state_dict()
    theirs.load_state_dict(
        {name: weights[our_name] for name, our_name in all_names().items()}
    )
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


def same(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_weight_names_map_one_to_one():
    """Each weight of their model is copied exactly once."""
    ours, theirs = random_pair()
    names = all_names()
    assert set(names) == {name for name, _ in theirs.named_parameters()}
    assert sorted(names.values()) == sorted(name for name, _ in ours.named_parameters())


@pytest.mark.parametrize("seed", range(3))
def test_image_encoder_equals_transformers(seed):
    """The same weights give the same image vectors."""
    ours, theirs = random_pair(seed)
    images, _ = random_batch(seed=seed)
    expected = theirs.vision_model(pixel_values=images)
    same(ours.image_encoder(images), expected.pooler_output)
    same(ours.image_encoder.read(images), expected.last_hidden_state)


@pytest.mark.parametrize("seed", range(3))
def test_text_encoder_equals_transformers(seed):
    """The same weights give the same text features."""
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
    """Scores, loss and gradients are equal."""
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
    found = {name: parameter.grad for name, parameter in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        same(found[all_names()[name]], parameter.grad)


def test_contrastive_loss_equals_transformers():
    """The losses agree on arbitrary scores."""
    from transformers.models.clip.modeling_clip import (
        image_text_contrastive_loss as theirs,
    )

    generator = torch.Generator().manual_seed(0)
    for pairs in (2, 3, 17):
        scores = 7 * torch.randn(pairs, pairs, generator=generator)
        same(multimodal.contrastive_loss(scores), theirs(scores.T))
