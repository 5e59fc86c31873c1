"""Steering by tokens: classifier-free guidance on the logits of a property token."""

import torch

from genai_tutorial.generation import draw, next_token_probabilities
from genai_tutorial.transformer import AttentionContext

from .model import MoleculeModel


@torch.no_grad()
def sample_guided(
    model: MoleculeModel,
    count: int,
    label: int,
    guidance: float | int,
    *,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Sample molecules with a property token and classifier-free guidance.

    Each token is drawn from the logits l(without) + guidance (l(with) - l(without)):
    every molecule is read twice, after its label and after `<start>`. A string that
    reached the context length without an end token is returned as an empty string.

    Args:
        model: A model trained with `label_dropout_loss`.
        label: The number of the property token.
        guidance: 0 ignores the label, 1 is plain conditioning, and more exaggerates it.
        temperature: Divides the guided logits.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If `count` is less than 1, or there is no such label.

    Source: Sanchez et al., Stay on topic with Classifier-Free Guidance, equation 7,
        https://arxiv.org/abs/2306.17806
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    decoder, tokenizer = model.decoder, model.tokenizer
    device = decoder.token_embedding.weight.device
    longest = decoder.config.context_length - 1
    firsts = [model.first_token(label)] * count + [tokenizer.start] * count
    unread = torch.tensor(firsts, device=device)[:, None]
    cache = decoder.make_cache(2 * count, longest + 1)
    rows, running = [], torch.ones(count, dtype=torch.bool, device=device)
    for _ in range(longest):
        logits = decoder(unread, AttentionContext.cached(cache))[:, -1]
        labelled, free = logits.split(count)
        guided = free + guidance * (labelled - free)
        probabilities = next_token_probabilities(guided, temperature)
        chosen = draw(probabilities, generator).to(device)
        rows.append(chosen.where(running, tokenizer.end))
        running = running & (chosen != tokenizer.end)
        if not running.any():
            break
        unread = chosen.repeat(2)[:, None]
    strings = map(tokenizer.decode, torch.stack(rows, dim=1).tolist())
    cut_off = running.tolist()
    return ["" if cut else text for text, cut in zip(strings, cut_off, strict=True)]
