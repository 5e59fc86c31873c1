"""The book's vision-language model equals transformers' Llava: with the same weights,
pixels and ids, the logits and gradients are equal.
"""

import pytest
import torch
from torch import nn

from genai_tutorial.multimodal import (
    EncoderConfig,
    ImageEncoderConfig,
    VisionLanguageConfig,
    VisionLanguageModel,
)
from genai_tutorial.pretrained import LAYER_NAMES
from genai_tutorial.transformer import DecoderConfig

transformers = pytest.importorskip("transformers")

IMAGE_TOKEN = 29
CONFIG = VisionLanguageConfig(
    image=ImageEncoderConfig(
        EncoderConfig(width=24, layers=2, heads=3), image_size=16, patch_size=4
    ),
    decoder=DecoderConfig.llama(
        vocab_size=30,
        context_length=32,
        width=20,
        layers=2,
        heads=2,
        key_value_heads=1,
        feed_forward_width=36,
        rotary_base=10_000,
    ),
)
THEIR_LAYERS = CONFIG.image.encoder.layers + 1  # Llava leaves out the last one
ENCODER_NAMES = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.output",
    "layer_norm1": "attention_norm",
    "layer_norm2": "feed_forward_norm",
    "mlp.fc1": "feed_forward.widen",
    "mlp.fc2": "feed_forward.output",
}


def names() -> dict[str, str]:
    """Their names on the left, ours on the right."""
    tower = {
        "embeddings.class_embedding": "class_token",
        "embeddings.patch_embedding.weight": "patch_embedding.weight",
        "embeddings.position_embedding.weight": "positions.weight",
    }
    for kind in ("weight", "bias"):
        tower[f"pre_layrnorm.{kind}"] = f"first_norm.{kind}"
        tower[f"post_layernorm.{kind}"] = f"final_norm.{kind}"
        for layer in range(CONFIG.image.encoder.layers):
            for theirs, ours in ENCODER_NAMES.items():
                tower[f"encoder.layers.{layer}.{theirs}.{kind}"] = (
                    f"encoder.{layer}.{ours}.{kind}"
                )
    found = {
        f"model.vision_tower.{theirs}": f"image_encoder.{ours}"
        for theirs, ours in tower.items()
    }
    for theirs, ours in (("linear_1", "input"), ("linear_2", "output")):
        for kind in ("weight", "bias"):
            found[f"model.multi_modal_projector.{theirs}.{kind}"] = (
                f"projector.{ours}.{kind}"
            )
    found |= {
        "model.language_model.embed_tokens.weight": "decoder.token_embedding.weight",
        "model.language_model.norm.weight": "decoder.final_norm.weight",
        "lm_head.weight": "decoder.head.weight",
    }
    for layer in range(CONFIG.decoder.layers):
        for theirs, ours in LAYER_NAMES.items():
            found[f"model.language_model.layers.{layer}.{theirs}.weight"] = (
                f"decoder.blocks.{layer}.{ours}.weight"
            )
    return found


@pytest.fixture(scope="module")
def pair():
    """Both models with the same random weights."""
    ours = VisionLanguageModel(CONFIG)
    ours.projector.norm = nn.Identity()  # Llava's projector has none
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if name != "square_positions.weight":  # not in Llava; zero at first
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    image, decoder = CONFIG.image, CONFIG.decoder
    theirs = transformers.LlavaForConditionalGeneration(
        transformers.LlavaConfig(
            vision_config={
                "model_type": "clip_vision_model",
                "hidden_size": image.encoder.width,
                "intermediate_size": image.encoder.hidden_width,
                "num_hidden_layers": THEIR_LAYERS,
                "num_attention_heads": image.encoder.heads,
                "hidden_act": "gelu",
                "attention_dropout": 0.0,
                "layer_norm_eps": 1e-5,
                "image_size": image.image_size,
                "patch_size": image.patch_size,
            },
            text_config={
                "model_type": "llama",
                "vocab_size": decoder.vocab_size,
                "max_position_embeddings": decoder.context_length,
                "hidden_size": decoder.width,
                "intermediate_size": decoder.hidden_width,
                "num_hidden_layers": decoder.layers,
                "num_attention_heads": decoder.attention.heads,
                "num_key_value_heads": decoder.attention.key_value_heads,
                "rms_norm_eps": 1e-5,
                "rope_theta": 10_000.0,
                "tie_word_embeddings": False,
            },
            image_token_index=IMAGE_TOKEN,
            projector_hidden_act="gelu",
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
            tie_word_embeddings=False,
        )
    ).eval()
    weights, mapped = ours.state_dict(), names()
    missing, unexpected = theirs.load_state_dict(
        {name: weights[mine] for name, mine in mapped.items()}, strict=False
    )
    assert not unexpected
    unread = f"vision_tower.encoder.layers.{THEIR_LAYERS - 1}."
    assert missing
    assert all(unread in name for name in missing)
    left = set(weights) - set(mapped.values())
    assert left == {"square_positions.weight"}
    return ours.eval(), theirs


def inputs():
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(3, 3, 16, 16, generator=generator)
    return images, torch.randint(29, (3, 7), generator=generator)


def their_logits(theirs, images, ids):
    squares = CONFIG.image.patches
    row = torch.cat([torch.full((len(ids), squares), IMAGE_TOKEN), ids], dim=1)
    output = theirs(input_ids=row, pixel_values=images)
    return output.logits[:, squares:]


def test_logits_equal_llavas(pair):
    ours, theirs = pair
    images, ids = inputs()
    with torch.no_grad():
        mine, expected = ours(images, ids), their_logits(theirs, images, ids)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


def test_the_picture_matters_to_both(pair):
    ours, theirs = pair
    images, ids = inputs()
    with torch.no_grad():
        changed = ours(images.flip(0), ids)
        expected = their_logits(theirs, images.flip(0), ids)
        before = ours(images, ids)
    torch.testing.assert_close(changed, expected, atol=1e-5, rtol=1e-5)
    assert (changed - before).abs().max() > 1e-2


def test_the_projectors_gradient_equals_llavas(pair):
    ours, theirs = pair
    images, ids = inputs()
    ours(images, ids).square().mean().backward()
    their_logits(theirs, images, ids).square().mean().backward()
    torch.testing.assert_close(
        ours.projector.input.weight.grad,
        theirs.model.multi_modal_projector.linear_1.weight.grad,
        atol=1e-5,
        rtol=1e-4,
    )
