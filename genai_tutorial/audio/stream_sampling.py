"""Sampling from a `MultiStreamLM`, optionally with some of the tokens given."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio.codebook_pattern import delay, undelay
from genai_tutorial.audio.multi_stream import MultiStreamLM, column_features
from genai_tutorial.generation import draw, next_token_probabilities
from genai_tutorial.transformer import AttentionContext

UNKNOWN = -1
"""A token for the model to choose."""


@torch.no_grad()
def sample_streams(
    model: MultiStreamLM,
    known: Int[Tensor, "batch stream step"],
    features: Int[Tensor, "batch feature step"] | None = None,
    prefix: Int[Tensor, "batch prefix"] | None = None,
    *,
    temperature: float | int = 1.0,
    top_p: float | int | None = None,
    guidance: float | int = 1,
    no_prefix: Int[Tensor, "prefix"] | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch stream step"]:
    """Sample the unknown tokens, column by column, with a KV cache.

    The model reads a given token like one that it has sampled. With a delay, it chooses
    a stream's token after those of the earlier streams at the same step and before
    those of the later ones. So order the streams such that given ones come first.

    Args:
        model: The model.
        known: The given tokens; `UNKNOWN` where the model is to choose.
        features: The given features of each step.
        prefix: The tokens before the first column, such as a caption.
        temperature: See `next_token_probabilities`.
        top_p: See `next_token_probabilities`.
        guidance: The weight of classifier-free guidance; 1 for none.
        no_prefix: The prefix that stands for no prefix; needed for guidance.
        generator: Random generator of the draws.

    Raises:
        ValueError: If guidance is used without both `prefix` and `no_prefix`.
    """
    config = model.config
    pattern, filler = config.pattern, config.filler
    batch, device = len(known), next(model.parameters()).device
    known, features, prefix, no_prefix = (
        None if part is None else part.to(device)
        for part in (known, features, prefix, no_prefix)
    )
    wanted = delay(known, pattern, filler)  # -1 where the model chooses
    guided = guidance != 1
    if guided:
        if prefix is None or no_prefix is None:
            raise ValueError(
                "Guidance compares two prefixes: give both prefix and no_prefix."
            )
        prefix = torch.cat((prefix, no_prefix.expand(batch, -1)))
    given = None if features is None else column_features(features, pattern)
    if guided and given is not None:
        given = given.repeat(2, 1, 1)
    length = wanted.shape[-1] + (0 if prefix is None else prefix.shape[1])
    cache = model.make_cache(len(prefix) if guided else batch, length)
    last = torch.full_like(wanted[..., :1], filler)
    drawn = []
    for column in range(wanted.shape[-1]):
        logits = model(
            last.repeat(2, 1, 1) if guided else last,
            None if given is None else given[..., column : column + 1],
            prefix if column == 0 else None,
            AttentionContext.cached(cache),
        )[:, :, -1]
        if guided:
            with_prefix, without = logits.chunk(2)
            logits = without + guidance * (with_prefix - without)
        chosen = _draw(logits, temperature, top_p, generator)
        here = wanted[..., column]
        last = torch.where(here == UNKNOWN, chosen, here)[..., None]
        drawn.append(last)
    return undelay(torch.cat(drawn, dim=-1), pattern)


def _draw(
    logits: Float[Tensor, "batch stream vocab"],
    temperature: float | int,
    top_p: float | int | None,
    generator: torch.Generator | None,
) -> Int[Tensor, "batch stream"]:
    probabilities = next_token_probabilities(logits, temperature, top_p=top_p)
    drawn = draw(probabilities.flatten(0, 1), generator)
    return drawn.view(logits.shape[:2]).to(logits.device)
