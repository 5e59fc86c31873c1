"""Classifier-free guidance on logits."""

import pytest
import torch

from genai_tutorial.science.molecules import sample_guided


def generator():
    return torch.Generator().manual_seed(3)


def test_guidance_of_one_is_plain_conditioning(chains):
    """With the same draws, guided sampling and rollouts write the same strings."""
    guided = sample_guided(chains, 6, 1, 1.0, generator=generator())
    plain = chains.sample(6, label=1, generator=generator())
    assert guided == plain


def test_guidance_of_zero_ignores_the_label(chains):
    guided = sample_guided(chains, 6, 1, 0.0, generator=generator())
    assert guided == chains.sample(6, generator=generator())


def test_guidance_exaggerates_the_label(chains):
    """A label that doubles the odds of nitrogen raises them further with guidance."""
    with torch.no_grad():
        label = chains.tokenizer.label_ids[1]
        nitrogen = chains.tokenizer.encode("N")[0]
        head = chains.decoder.head.weight
        chains.decoder.token_embedding.weight[label] += 0.5 * head[nitrogen]
    shares = []
    for guidance in (0.0, 8.0):
        text = "".join(sample_guided(chains, 60, 1, guidance, generator=generator()))
        shares.append(text.count("N") / len(text))
    assert shares[1] > shares[0]


def test_guided_sampling_rejects_nonsense(chains):
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        sample_guided(chains, 0, 1, 1.0)
    with pytest.raises(ValueError, match="label must be from 0 to 1"):
        sample_guided(chains, 1, 5, 1.0)
