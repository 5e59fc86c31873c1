"""Masks against torch's own pruning and counts by hand; healing keeps the zeros."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import prune

from genai_tutorial.efficiency import (
    activation_masks,
    apply_masks,
    heal,
    magnitude_masks,
    pattern_masks,
    sparse_bits_per_weight,
)
from genai_tutorial.efficiency.pruning import block_matrices, largest
from genai_tutorial.training import AdamW, TokenBatches
from genai_tutorial.transformer import language_model_loss
from tests.edge.models import CONFIGS, disturbed, tokens

LLAMA = CONFIGS["Llama"]
ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
@ALL
def test_magnitude_masks_are_torchs_l1_unstructured(config, share):
    model, theirs = disturbed(config), disturbed(config)
    masks = magnitude_masks(model, share)
    assert masks.keys() == block_matrices(model).keys()
    for name, layer in block_matrices(theirs).items():
        count = round(share * layer.weight.numel())
        prune.l1_unstructured(layer, "weight", amount=count)
        assert torch.equal(masks[name], layer.weight_mask.bool())


def test_activation_masks_keep_a_small_weight_of_a_large_input():
    """By magnitude alone, the weight of the large feature would go."""
    model, ids = disturbed(LLAMA), tokens(0, 2, 12)
    block = model.blocks[0]
    with torch.no_grad():
        block.attention_norm.weight[3] = 1000.0
        block.attention.query.weight[:, 3] = 0.01
    name = "blocks.0.attention.query"
    assert activation_masks(model, ids, 0.5)[name][:, 3].all()
    assert not magnitude_masks(model, 0.5)[name][:, 3].any()


def test_activation_masks_drop_the_share_of_each_row():
    masks = activation_masks(disturbed(LLAMA), tokens(0, 2, 12), 0.25)
    for mask in masks.values():
        dropped = (~mask).sum(dim=1)
        assert (dropped == round(0.25 * mask.shape[1])).all()


@given(st.integers(1, 4), st.integers(0, 100))
@settings(max_examples=15)
def test_pattern_masks_keep_the_same_number_in_every_group(keep, seed):
    model = disturbed(LLAMA, seed)
    for name, mask in pattern_masks(model, keep, of=4).items():
        assert (mask.view(-1, 4).sum(dim=1) == keep).all()
        sizes = block_matrices(model)[name].weight.detach().abs().view(-1, 4)
        groups = mask.view(-1, 4)
        smallest = sizes.masked_fill(~groups, torch.inf).amin(dim=1)
        assert (sizes.masked_fill(groups, 0).amax(dim=1) <= smallest).all()


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20), st.floats(0, 0.99))
@settings(max_examples=50)
def test_largest_keeps_the_right_number_of_the_largest(values, share):
    scores = torch.tensor(values)
    kept = largest(scores, share)
    assert int((~kept).sum()) == min(round(share * len(values)), len(values) - 1)
    assert not (~kept).any() or scores[~kept].max() <= scores[kept].min()


def test_apply_masks_zeroes_what_they_drop_and_nothing_else():
    model, before = disturbed(LLAMA), disturbed(LLAMA)
    masks = magnitude_masks(model, 0.4)
    apply_masks(model, masks)
    for name, layer in block_matrices(model).items():
        original = block_matrices(before)[name].weight
        assert torch.equal(layer.weight, original * masks[name])
    assert torch.equal(model.token_embedding.weight, before.token_embedding.weight)


def test_heal_lowers_the_loss_and_keeps_the_zeros():
    model = disturbed(LLAMA)
    masks = magnitude_masks(model, 0.5)
    losses = heal(
        model,
        masks,
        TokenBatches(torch.arange(13).repeat(8), 8, 4, 0),
        language_model_loss,
        AdamW(model.parameters(), lr=0.01),
        steps=40,
        progress=False,
    )
    assert len(losses) == 40
    assert losses[-1] < losses[0] - 1
    for name, layer in block_matrices(model).items():
        assert (layer.weight[~masks[name]] == 0).all()
        assert layer.weight[masks[name]].count_nonzero() == masks[name].sum()


def test_sparse_bits_count_the_mask():
    assert sparse_bits_per_weight(0, 8) == 9
    assert sparse_bits_per_weight(1, 8) == 1


def test_pruning_checks_its_arguments():
    model = disturbed(LLAMA)
    with pytest.raises(ValueError, match="share"):
        magnitude_masks(model, 1.0)
    with pytest.raises(ValueError, match="keep"):
        pattern_masks(model, keep=5)
    with pytest.raises(ValueError, match="multiple of 5"):
        pattern_masks(model, keep=2, of=5)
    with pytest.raises(ValueError, match="no matrix"):
        apply_masks(model, {"head": torch.ones(1, 1).bool()})
    with pytest.raises(ValueError, match="share"):
        sparse_bits_per_weight(2, 8)
