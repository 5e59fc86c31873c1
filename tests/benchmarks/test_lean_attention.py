"""Parts of the benchmark that could be wrong unnoticed."""

import pytest
import torch

from benchmarks.lean_attention import (
    LATENT,
    SHARED,
    attended,
    cached_model,
    largest_load,
    mixture,
    sink_model,
)
from genai_tutorial.transformer import latent_cache


@pytest.mark.slow
def test_numbers_per_token_are_those_of_the_caches():
    for name, settings in (SHARED | LATENT).items():
        model, numbers = cached_model(seed=0, **settings)
        cache = latent_cache(model) if "latent" in name else model.make_cache()
        per_token = cache.keys[0, 0, :, 0].numel() + cache.values[0, 0, :, 0].numel()
        assert per_token == numbers, name


@pytest.mark.slow
def test_models_with_and_without_sinks_begin_alike():
    plain, learned = (sink_model(kind, None, 0) for kind in (False, True))
    theirs = learned.state_dict()
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, theirs[name])
    found = attended(learned, small=True)
    assert 0 < min(found["nothing"]) < 0.1
    assert abs(sum(attended(plain, small=True)["nothing"])) < 1e-4


@pytest.mark.slow
def test_even_experts_have_a_load_of_one():
    model = mixture(0)
    model(torch.zeros(1, 8, dtype=torch.long))
    assert largest_load(model) == 4  # two of eight experts for the same token
