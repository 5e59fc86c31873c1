"""Films for a vision-language model: a prefix for each frame, one after the other, and
then the text.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import AttentionContext

from .vision_language import VisionLanguageModel, splice


def film_prefix(
    model: VisionLanguageModel, films: Float[Tensor, "batch frame square features"]
) -> Float[Tensor, "batch position width"]:
    """Return the prefixes of all frames of each film, one after the other."""
    frames = model.prefix(films.flatten(0, 1))
    return frames.unflatten(0, films.shape[:2]).flatten(1, 2)


def read_film(
    model: VisionLanguageModel,
    films: Float[Tensor, "batch frame square features"],
    ids: Int[Tensor, "batch token"],
) -> Float[Tensor, "batch token vocab"]:
    """Return the logits of the next token after each token of a text about a film.

    Raises:
        ValueError: If film and text do not fit into the context window.
    """
    image = film_prefix(model, films)
    text = model.decoder.embed(ids, AttentionContext())
    hidden = model.decoder.read_vectors(splice(image, text))
    return model.decoder.logits(hidden[:, image.shape[1] :])


@torch.no_grad()
def attention_to_frames(
    model: VisionLanguageModel,
    films: Float[Tensor, "batch frame square features"],
    ids: Int[Tensor, "batch token"],
) -> Float[Tensor, "batch layer head frame"]:
    """Return the attention weight of the last token of the text on each frame; with the
    weights on the text, those of a head sum to 1.
    """
    image = film_prefix(model, films)
    x = splice(image, model.decoder.embed(ids, AttentionContext()))
    maps = []
    for block in model.decoder.blocks:
        weights = block.attention_weights(x)[:, :, -1, : image.shape[1]]
        maps.append(weights.unflatten(2, films.shape[1:3]).sum(dim=3))
        x = block(x)
    return torch.stack(maps, dim=1)
