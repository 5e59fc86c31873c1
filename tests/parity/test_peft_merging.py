"""Merged LoRA adapters are those of peft's `add_weighted_adapter`: the average, the sum
and TIES, and its quick `linear`.
"""

import copy

import pytest
import torch

from benchmarks.adapter_merges import (
    combine,
    combine_factors,
    corrections_of,
    ties,
)
from genai_tutorial.alignment import LoRAConfig, add_lora, lora_layers
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import stirred
from tests.parity.weights import same

peft = pytest.importorskip("peft")

TARGETS, NAMES = ("query", "value", "feed_forward.widen"), ["one", "two"]
RANK, ALPHA, WIDTH = 2, 4, 16


@pytest.fixture(scope="module")
def both():
    """Two models of ours with an adapter each, and one of peft's with the two."""
    start = stirred(DecoderLM(DecoderConfig.llama(13, 24, WIDTH, 2, 4, 4, 24), 0), 0)
    settings = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(TARGETS))
    theirs = peft.LoraModel(copy.deepcopy(start), settings, "one")
    theirs.peft_config["two"] = settings
    theirs.inject_adapter(theirs.model, "two")
    ours = []
    for seed, name in enumerate(NAMES):
        generator = torch.Generator().manual_seed(seed)
        model = copy.deepcopy(start)
        add_lora(model, LoRAConfig(RANK, ALPHA, TARGETS), generator)
        with torch.no_grad():
            for layer_name, layer in lora_layers(model):
                layer.up.copy_(torch.randn(layer.up.shape, generator=generator))
                other = theirs.model.get_submodule(layer_name)
                other.lora_A[name].weight.copy_(layer.down)
                other.lora_B[name].weight.copy_(layer.up)
        ours.append(model)
    return ours, theirs


@pytest.mark.parametrize(
    ("merge", "kind", "weight"),
    [
        (lambda models: combine(list(map(corrections_of, models)), 0.5), "cat", 0.5),
        (lambda models: combine(list(map(corrections_of, models)), 1.0), "cat", 1.0),
        (lambda models: ties(list(map(corrections_of, models)), 0.2), "ties_svd", 1.0),
    ],
    ids=["average", "sum", "TIES"],
)
def test_merged_corrections_are_pefts(both, merge, kind, weight):
    ours, theirs = both
    name = f"{kind}_{10 * weight:.0f}"
    theirs.add_weighted_adapter(
        NAMES, [weight] * 2, name, kind, svd_rank=WIDTH, density=0.2
    )
    merged = merge(ours)
    assert merged
    for layer_name, correction in merged.items():
        other = theirs.model.get_submodule(layer_name)
        same(correction, other.get_delta_weight(name), atol=1e-5)


def test_combined_factors_are_pefts_linear(both):
    ours, theirs = both
    theirs.add_weighted_adapter(NAMES, [0.5] * 2, "linear", "linear")
    for layer_name, correction in combine_factors(ours, 0.5).items():
        other = theirs.model.get_submodule(layer_name)
        same(correction, other.get_delta_weight("linear"), atol=1e-5)
