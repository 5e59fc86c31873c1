"""Unmasking beside diffusers and transformers: the same tokens in the same calls."""

import pytest
import torch
from diffusers import BlockRefinementScheduler
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
)

from genai_tutorial.diffusion import (
    EntropyBound,
    Quota,
    Threshold,
    token_log_probabilities,
)

BATCH, LENGTH, VOCAB = 6, 20, 11
MASK = VOCAB


def random_logits(tokens):
    """Return logits that depend on all tokens; the mask's are the lowest."""
    generator = torch.Generator().manual_seed(int(tokens.sum()))
    logits = 2 * torch.randn(*tokens.shape, VOCAB + 1, generator=generator)
    logits[..., MASK] = -1e9
    return logits


@pytest.mark.parametrize("threshold", [2.0, 0.6])
def test_confident_unmasking_equals_diffusers_block_refinement(threshold):
    """A threshold that no probability reaches leaves the quota of each step."""
    scheduler = BlockRefinementScheduler()
    scheduler.set_timesteps(6, block_length=LENGTH)
    theirs = ours = torch.full((BATCH, LENGTH), MASK)
    for step, quota in enumerate([4, 4, 3, 3, 3, 3]):
        logits = random_logits(theirs)
        theirs = scheduler.step(
            logits, step, theirs, mask_token_id=MASK, threshold=threshold
        ).prev_sample
        log_p, masked = token_log_probabilities(logits, MASK), ours == MASK
        rule = Quota(quota) if threshold > 1 else Threshold(threshold, quota)
        drawn = log_p.argmax(dim=-1)
        ours = torch.where(rule.choose(log_p, drawn, masked), drawn, ours)
        assert torch.equal(ours, theirs)
    assert (theirs != MASK).all()


@pytest.mark.parametrize("bound", [0.05, 0.7, 3.0])
def test_entropy_bound_equals_the_sampler_of_diffusion_gemma(bound):
    logits = 3 * torch.randn(
        BATCH, LENGTH, VOCAB, generator=torch.Generator().manual_seed(0)
    )
    config = EntropyBoundSamplerConfig(entropy_bound=bound)
    sampler = EntropyBoundSampler(config, LENGTH, VOCAB, 9)
    accepted = sampler.accept_canvas(
        torch.zeros(BATCH, LENGTH, dtype=torch.long),
        torch.ones(BATCH, LENGTH, dtype=torch.long),
        logits,
        0,
    )
    log_p = logits.log_softmax(dim=-1)
    masked = torch.ones(BATCH, LENGTH, dtype=torch.bool)
    kept = EntropyBound(bound).choose(log_p, log_p.argmax(dim=-1), masked)
    assert torch.equal(kept.long(), accepted)
    assert 0 < int(accepted.sum()) < accepted.numel()
