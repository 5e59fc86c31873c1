"""Whole models quantized after training: each method's place among the others, and the
divergence that measures it.
"""

import pytest
import torch

from genai_tutorial.efficiency import (
    gptq_quantize,
    prediction_divergence,
    quantize_affine,
    quantize_layers,
)
from genai_tutorial.efficiency.calibration import input_groups, input_hessian
from genai_tutorial.efficiency.post_training import observe_inputs
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    MixtureConfig,
    next_token_loss,
)

METHODS = ["rounding", "gptq", "awq"]
CONFIG = DecoderConfig.llama(40, 32, 32, 3, 2, None, 96)


def model_and_ids(seed=0):
    """Return a model whose inputs are correlated, as a trained one's are: its
    embeddings have few directions.
    """
    model = DecoderLM(CONFIG, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        few = torch.randn(40, 6, generator=generator)
        mixing = torch.randn(6, 32, generator=generator)
        model.token_embedding.weight.copy_(few @ mixing / 6)
        for parameter in model.blocks.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)
    return model, torch.randint(40, (16, 32), generator=generator)


@pytest.mark.parametrize("method", METHODS)
def test_quantize_layers_rounds_the_chosen_blocks_only(method):
    model, ids = model_and_ids()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    found = quantize_layers(model, ids, method, bits=3, group_size=8, blocks=[1])
    for name, parameter in found.named_parameters():
        if name.startswith("blocks.1.") and parameter.dim() == 2:
            groups = parameter.detach().unflatten(1, (-1, 8)).flatten(0, 1)
            assert max(len(group.unique()) for group in groups) <= 8, name
            assert not torch.equal(parameter, before[name]), name
        elif not name.startswith("blocks.1."):
            assert torch.equal(parameter, before[name]), name
    assert all(
        torch.equal(before[name], one) for name, one in model.state_dict().items()
    )


def test_quantize_layers_without_blocks_changes_nothing():
    model, ids = model_and_ids()
    found = quantize_layers(model, ids, "gptq", 4, 8, blocks=[])
    for one, two in zip(model.parameters(), found.parameters(), strict=True):
        assert torch.equal(one, two)


@torch.no_grad()
def test_quantize_layers_calibrates_on_the_quantized_blocks_before():
    model, ids = model_and_ids()
    found = quantize_layers(model, ids, "gptq", bits=3, group_size=8)
    read = found.blocks[2].attention_norm(found.hidden_states(ids)[2]).flatten(0, 1)
    weight = model.blocks[2].attention.query.weight
    expected = gptq_quantize(weight, input_hessian(read), 3, 8).dequantize()
    torch.testing.assert_close(found.blocks[2].attention.query.weight, expected)


@torch.no_grad()
def test_observe_inputs_sees_all_groups_in_one_pass():
    model, ids = model_and_ids()
    block, x = model.blocks[0], model.hidden_states(ids)[0]
    found = observe_inputs(block, input_groups(block), x)
    assert [len(magnitudes) for _, magnitudes in found] == [32, 32, 32, 96]
    read = block.attention_norm(x).flatten(0, 1)
    torch.testing.assert_close(found[0][0], input_hessian(read))
    torch.testing.assert_close(found[0][1], read.abs().mean(dim=0))


def test_quantize_layers_rounding_is_quantize_affine():
    model, ids = model_and_ids()
    found = quantize_layers(model, ids[:1], "rounding", bits=4, group_size=16)
    for name, parameter in found.blocks.named_parameters():
        if parameter.dim() == 2:
            weight = model.blocks.get_parameter(name).detach()
            assert torch.equal(quantize_affine(weight, 4, 16).dequantize(), parameter)


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_quantize_layers_gptq_diverges_least(bits, seed):
    model, ids = model_and_ids(seed)
    kl = {
        method: prediction_divergence(
            model, quantize_layers(model, ids[:8], method, bits, 16), ids[8:]
        ).kl
        for method in METHODS
    }
    assert kl["gptq"] < 0.8 * kl["rounding"]


def test_quantize_layers_with_eight_bits_is_nearly_exact():
    model, ids = model_and_ids()
    for method in METHODS:
        found = quantize_layers(model, ids, method, bits=8, group_size=8)
        divergence = prediction_divergence(model, found, ids)
        assert divergence.kl < 1e-4
        assert divergence.agreement > 0.97


@pytest.mark.parametrize(
    ("method", "bits", "size", "blocks", "said"),
    [
        ("smooth", 4, 8, None, "method must be rounding, gptq or awq; got 'smooth'"),
        ("gptq", 9, 8, None, "bits must be from 2 to 8"),
        ("awq", 4, 5, None, "group_size must divide"),
        ("gptq", 4, 8, [3], "blocks must be from 0 to 2, got \\[3\\]"),
        ("gptq", 4, 8, [-1], "blocks must be from 0 to 2"),
    ],
)
def test_quantize_layers_rejects_invalid_arguments(method, bits, size, blocks, said):
    model, ids = model_and_ids()
    with pytest.raises(ValueError, match=said):
        quantize_layers(model, ids, method, bits, size, blocks)


def test_quantize_layers_rejects_mixture_of_experts():
    model = DecoderLM(DecoderConfig(vocab_size=5, mixture=MixtureConfig(4, 2)))
    with pytest.raises(ValueError, match="MixtureOfExperts"):
        quantize_layers(model, torch.zeros(1, 4, dtype=torch.long), "gptq", 4, 8)


@torch.no_grad()
def test_prediction_divergence_against_torch():
    model, ids = model_and_ids(0)
    other = model_and_ids(1)[0]
    found = prediction_divergence(model, other, ids, batch_size=5)
    p, q = (
        torch.distributions.Categorical(logits=one(ids[:, :-1]))
        for one in (model, other)
    )
    kl = torch.distributions.kl_divergence(p, q)
    torch.testing.assert_close(torch.tensor(found.row_kl), kl.mean(dim=1))
    same = (p.probs.argmax(-1) == q.probs.argmax(-1)).float()
    assert found.agreement == pytest.approx(float(same.mean()))
    for nats, one in ((found.reference_nats, model), (found.nats, other)):
        loss = next_token_loss(one(ids[:, :-1]), ids[:, 1:])
        assert nats == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 1), (0, 5)])
def test_prediction_divergence_rejects_empty_texts(shape):
    model, _ = model_and_ids()
    with pytest.raises(ValueError, match="ids must have a row and two columns"):
        prediction_divergence(model, model, torch.zeros(shape, dtype=torch.long))
