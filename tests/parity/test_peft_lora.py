"""The book's LoRA is peft's: the same outputs, gradients and merged weights from the
same small matrices.
"""

import copy

import pytest
import torch

from genai_tutorial.alignment import (
    LoRAConfig,
    add_lora,
    lora_layers,
    merge_lora,
    trained_parameter_count,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import integers, stirred
from tests.parity.weights import same

peft = pytest.importorskip("peft")

TARGETS = ("query", "value", "feed_forward.widen")
CONFIGS = {
    "Llama": DecoderConfig.llama(13, 24, 16, 2, 4, 2, 24),
    "GPT-2, with biases": DecoderConfig.gpt2(13, 24, 16, 2, 4),
}
ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def both(config, seed, rank=3, alpha=7):
    """The same model twice, with the same adapters: ours, and peft's."""
    theirs = stirred(DecoderLM(config, seed), seed)
    generator = torch.Generator().manual_seed(seed)
    ours = copy.deepcopy(theirs)
    add_lora(ours, LoRAConfig(rank, alpha, TARGETS), generator)
    settings = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS))
    peft.inject_adapter_in_model(settings, theirs)
    pairs = [(layer, theirs.get_submodule(name)) for name, layer in lora_layers(ours)]
    with torch.no_grad():
        for layer, other in pairs:
            layer.up.copy_(0.3 * torch.randn(layer.up.shape, generator=generator))
            other.lora_A["default"].weight.copy_(layer.down)
            other.lora_B["default"].weight.copy_(layer.up)
    return ours, theirs, pairs


def ids_of(seed):
    return integers(13, 3, 9, seed=seed)


@pytest.mark.parametrize("seed", range(3))
@ALL
def test_outputs_and_gradients_are_pefts(config, seed):
    ours, theirs, pairs = both(config, seed)
    assert len(pairs) == len(TARGETS) * config.layers
    outputs = [model(ids_of(seed)) for model in (ours, theirs)]
    same(*outputs)
    for output in outputs:
        output.square().mean().backward()
    for layer, other in pairs:
        same(layer.down.grad, other.lora_A["default"].weight.grad, rtol=1e-4)
        same(layer.up.grad, other.lora_B["default"].weight.grad, rtol=1e-4)
    trained = [
        name for name, parameter in theirs.named_parameters() if parameter.requires_grad
    ]
    assert all("lora_" in name for name in trained)
    assert trained_parameter_count(ours) == trained_parameter_count(theirs)


@pytest.mark.parametrize("seed", range(3))
@ALL
def test_merged_weights_are_pefts(config, seed):
    ours, theirs, pairs = both(config, seed)
    merge_lora(ours)
    for layer, other in pairs:
        other.merge()
        same(layer.base.weight, other.get_base_layer().weight, atol=1e-6, rtol=1e-6)
    same(ours(ids_of(seed)), theirs(ids_of(seed)))


def test_first_weights_come_from_the_same_distribution():
    # peft draws with kaiming_uniform(a=sqrt(5)), which is the range from
    # -1/sqrt(inputs) to 1/sqrt(inputs).
    base = torch.nn.Linear(256, 4)
    theirs = peft.tuners.lora.Linear(
        base, "default", config=peft.LoraConfig(r=64), r=64, lora_alpha=64
    )
    drawn = theirs.lora_A["default"].weight.detach()
    assert drawn.abs().max() <= 1 / 16
    assert drawn.abs().max() > 0.99 / 16
    assert drawn.std().item() == pytest.approx(1 / 16 / 3**0.5, rel=0.02)
