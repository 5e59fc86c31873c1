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
from genai_tutorial.transformer import DecoderConfig
from tests.drawn import stirred
from tests.parity.weights import (
    both_kinds,
    clip_settings,
    image_encoder_names,
    llama_names,
    llama_settings,
    same,
)

transformers = pytest.importorskip("transformers")

IMAGE_TOKEN = 29
CONFIG = VisionLanguageConfig(
    image=ImageEncoderConfig(
        EncoderConfig(width=24, layers=2, heads=3), image_size=16, patch_size=4
    ),
    decoder=DecoderConfig.llama(30, 32, 20, 2, 2, 1, 36, rotary_base=10_000),
)
THEIR_LAYERS = CONFIG.image.encoder.layers + 1  # Llava leaves out the last one
# Their names on the left, ours on the right.
NAMES = {
    **image_encoder_names(CONFIG.image.encoder.layers, "model.vision_tower"),
    **both_kinds({
        "model.multi_modal_projector.linear_1": "projector.input",
        "model.multi_modal_projector.linear_2": "projector.output",
    }),
    **llama_names(CONFIG.decoder.layers, "model.language_model.", "decoder.", None),
    "lm_head.weight": "decoder.head.weight",
}  # fmt: skip


@pytest.fixture(scope="module")
def pair():
    """Both models with the same random weights."""
    ours = VisionLanguageModel(CONFIG)
    ours.projector.norm = nn.Identity()  # Llava's projector has none
    # The positions are not in Llava; they are zero at first.
    stirred(ours, 1, without=["square_positions.weight"])
    image, decoder = CONFIG.image, CONFIG.decoder
    settings = transformers.LlavaConfig(
        vision_config=clip_settings(image.encoder) | {
            "model_type": "clip_vision_model", "num_hidden_layers": THEIR_LAYERS,
            "image_size": image.image_size, "patch_size": image.patch_size,
        },
        text_config=llama_settings(decoder) | {"model_type": "llama"},
        image_token_index=IMAGE_TOKEN, projector_hidden_act="gelu",
        vision_feature_layer=-2, vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )  # fmt: skip
    theirs = transformers.LlavaForConditionalGeneration(settings).eval()
    weights = ours.state_dict()
    missing, unexpected = theirs.load_state_dict(
        {name: weights[mine] for name, mine in NAMES.items()}, strict=False
    )
    assert not unexpected
    unread = f"vision_tower.encoder.layers.{THEIR_LAYERS - 1}."
    assert missing
    assert all(unread in name for name in missing)
    assert set(weights) - set(NAMES.values()) == {"square_positions.weight"}
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


def test_logits_equal_llavas_and_the_picture_matters(pair):
    ours, theirs = pair
    images, ids = inputs()
    with torch.no_grad():
        found = [ours(each, ids) for each in (images, images.flip(0))]
        same(found[0], their_logits(theirs, images, ids))
        same(found[1], their_logits(theirs, images.flip(0), ids))
    assert found[0].abs().max() > 0.1
    assert (found[0] - found[1]).abs().max() > 1e-2


def test_the_projectors_gradient_equals_llavas(pair):
    ours, theirs = pair
    images, ids = inputs()
    ours(images, ids).square().mean().backward()
    their_logits(theirs, images, ids).square().mean().backward()
    theirs = theirs.model.multi_modal_projector.linear_1.weight.grad
    same(ours.projector.input.weight.grad, theirs, rtol=1e-4)
