"""Ablation: heads that are replaced by zeros or means, and what each of them costs."""

import pytest
import torch

from genai_tutorial.interpretability import ablated, ablation_costs, mean_head_outputs
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)

CONFIG = DecoderConfig.llama(
    11, 8, 12, layers=2, heads=6, key_value_heads=2, feed_forward_width=12
)
IDS = torch.tensor([[1, 5, 2, 8], [3, 3, 0, 7]])
MEANS = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))


def without(model, heads):
    """The logits of a copy whose output projections do not read these heads."""
    other = DecoderLM(CONFIG)
    other.load_state_dict(model.state_dict())
    for layer, head in heads:
        other.blocks[layer].attention.output.weight.data[:, 2 * head : 2 * head + 2] = 0
    return other(IDS)


@pytest.mark.parametrize(
    "heads", [[(0, 0)], [(1, 5)], [(0, 2), (0, 3), (1, 1)], [(1, 1), (1, 1)]]
)
def test_zero_ablation_equals_an_output_projection_without_the_head(heads):
    model = DecoderLM(CONFIG)
    before = model(IDS)
    with ablated(model, heads) as same:
        assert same is model
        off = model(IDS)
        cached = model(
            IDS, AttentionContext.cached(model.make_cache(batch_size=len(IDS)))
        )
    torch.testing.assert_close(off, without(model, heads))
    torch.testing.assert_close(cached, off, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(off, before, atol=1e-4)
    assert torch.equal(model(IDS), before)  # the hooks are gone


def test_mean_ablation_feeds_the_given_vector_to_the_output_projection():
    model = DecoderLM(CONFIG)
    seen = []
    output = model.blocks[1].attention.output
    with ablated(model, [(1, 2)], MEANS):
        # registered later, so it sees what the ablation leaves
        hook = output.register_forward_pre_hook(
            lambda _, inputs: seen.append(inputs[0])
        )
        model(IDS)
        hook.remove()
    model_input = seen[0].unflatten(-1, (6, 2))
    assert (model_input[:, :, 2] == MEANS[1, 2]).all()
    assert not (model_input[:, :, 3] == MEANS[1, 3]).any()


def test_mean_head_outputs_average_over_rows_and_positions():
    model = DecoderLM(CONFIG)
    seen = []
    hook = model.blocks[1].attention.output.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    model(IDS)
    hook.remove()
    means = mean_head_outputs(model, IDS)
    assert means.shape == (2, 6, 2)
    torch.testing.assert_close(means[1].flatten(), seen[0].flatten(0, 1).mean(dim=0))
    assert not model.blocks[0].attention.output._forward_pre_hooks


@pytest.mark.parametrize("means", [None, MEANS], ids=["zero", "mean"])
@pytest.mark.parametrize("first_target", [1, 3])
def test_ablation_costs_equal_one_ablation_after_the_other(means, first_target):
    model = DecoderLM(CONFIG)

    @torch.no_grad()
    def loss():
        logits = model(IDS[:, :-1])[:, first_target - 1 :]
        return next_token_loss(logits, IDS[:, first_target:]).item()

    intact, expected = loss(), torch.zeros(2, 6)
    for layer in range(2):
        for head in range(6):
            with ablated(model, [(layer, head)], means):
                expected[layer, head] = loss() - intact
    costs = ablation_costs(model, IDS, means, first_target)
    torch.testing.assert_close(costs, expected, atol=1e-5, rtol=1e-4)
    assert costs.abs().min() > 1e-6
    assert loss() == intact


@pytest.mark.parametrize("first_target", [0, 4])
def test_ablation_costs_need_a_target(first_target):
    with pytest.raises(ValueError, match=f"from 1 to 3.* got {first_target}"):
        ablation_costs(DecoderLM(CONFIG), IDS, first_target=first_target)


def test_ablation_ends_with_an_error():
    model = DecoderLM(CONFIG)
    before = model(IDS)
    with (
        pytest.raises(RuntimeError, match="stop"),
        ablated(model, [(0, 0)]),
        ablated(model, [(1, 0)]),
    ):
        raise RuntimeError("stop")
    assert torch.equal(model(IDS), before)


def test_ablation_keeps_sixteen_bits():
    model = DecoderLM(CONFIG).bfloat16()
    with ablated(model, [(0, 1)], MEANS):
        assert model(IDS).dtype == torch.bfloat16


@pytest.mark.parametrize("head", [(2, 0), (0, 6), (-1, 0), (0, -1)])
def test_ablation_refuses_heads_that_do_not_exist(head):
    message = f"layers 0 to 1 of heads 0 to 5 each; got layer {head[0]}, head {head[1]}"
    with (
        pytest.raises(ValueError, match=message),
        ablated(DecoderLM(CONFIG), [head]),
    ):
        pass
