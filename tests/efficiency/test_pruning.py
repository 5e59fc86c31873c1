"""Masks, and the removal of units and blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import prune

from genai_tutorial.efficiency import (
    activation_masks,
    apply_masks,
    block_influence,
    keep_blocks,
    magnitude_masks,
    narrow_feed_forward,
    pattern_masks,
    sparse_bits_per_weight,
    unit_scores,
)
from genai_tutorial.efficiency.pruning import block_matrices, largest
from genai_tutorial.generation import generate
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss
from tests.decoders import mixtral
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


@given(st.integers(0, 100))
@settings(max_examples=15)
def test_pattern_masks_keep_the_two_largest_of_four(seed):
    model = disturbed(LLAMA, seed)
    for name, mask in pattern_masks(model).items():
        assert (mask.view(-1, 4).sum(dim=1) == 2).all()
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


def test_sparse_bits_count_the_mask():
    assert sparse_bits_per_weight(0, 8) == 9
    assert sparse_bits_per_weight(1, 8) == 1


def test_pruning_checks_its_arguments():
    model = disturbed(LLAMA)
    with pytest.raises(ValueError, match="share"):
        magnitude_masks(model, 1.0)
    with pytest.raises(ValueError, match="not a multiple of 4"):
        pattern_masks(DecoderLM(DecoderConfig.llama(13, 24, 16, 2, 4, 2, 26)))
    with pytest.raises(ValueError, match="no matrix"):
        apply_masks(model, {"head": torch.ones(1, 1).bool()})
    with pytest.raises(ValueError, match="share"):
        sparse_bits_per_weight(2, 8)


@ALL
def test_unit_scores_are_the_products_of_activations_and_gradients(config):
    """For one text: the derivative of the loss when the unit's output is scaled."""
    model, ids = disturbed(config), tokens(0, 1, 10)
    scores = unit_scores(model, ids)
    assert scores.hidden.shape == (config.layers, config.hidden_width)
    assert scores.heads.shape == (config.layers, config.attention.heads)
    for layer, unit in ((0, 3), (1, 7)):
        for part, score, places in (
            ("feed_forward", scores.hidden[layer, unit], [unit]),
            (
                "attention",
                scores.heads[layer, unit % config.attention.heads],
                _features(config, unit % config.attention.heads),
            ),
        ):
            output = getattr(model.blocks[layer], part).output
            assert float(score) == pytest.approx(
                _slope(model, ids, output, places), rel=0.02, abs=1e-5
            )


def _features(config, head):
    return list(range(head * config.head_width, (head + 1) * config.head_width))


@torch.no_grad()
def _slope(model, ids, output, places, step=1e-2):
    """Return |dL/ds| where s scales columns of a matrix, by a central difference."""
    losses = []
    for scale in (1 + step, 1 - step):
        kept = output.weight.clone()
        output.weight[:, places] *= scale
        losses.append(float(next_token_loss(model(ids[:, :-1]), ids[:, 1:])))
        output.weight.copy_(kept)
    return abs(losses[0] - losses[1]) / (2 * step)


def test_unit_scores_average_over_texts():
    model, ids = disturbed(CONFIGS["Llama"]), tokens(1, 3, 9)
    single = [unit_scores(model, row[None]) for row in ids]
    together = unit_scores(model, ids)
    for kind in ("hidden", "heads"):
        mean = torch.stack([getattr(scores, kind) for scores in single]).mean(dim=0)
        torch.testing.assert_close(getattr(together, kind), mean, atol=1e-5, rtol=1e-3)


@torch.no_grad()
@ALL
def test_narrow_feed_forward_equals_the_model_with_those_units_silent(config):
    model, ids = disturbed(config), tokens(0, 2, 10)
    scores = torch.rand(config.layers, config.hidden_width)
    width = config.hidden_width // 2
    narrow = narrow_feed_forward(model, scores, width)
    for block, row in zip(model.blocks, scores, strict=True):
        off = row.topk(width).indices
        silent = torch.ones(len(row), dtype=torch.bool)
        silent[off] = False
        block.feed_forward.output.weight[:, silent] = 0
    torch.testing.assert_close(narrow(ids), model(ids), atol=1e-5, rtol=1e-5)
    assert narrow.config.hidden_width == width
    assert narrow.parameter_count() < model.parameter_count()


@torch.no_grad()
@ALL
def test_keep_blocks_skips_the_others_with_and_without_a_cache(config):
    model, ids = disturbed(config), tokens(0, 2, 10)
    short = keep_blocks(model, [1])
    x = model.blocks[1](model.hidden_states(ids)[0])
    torch.testing.assert_close(short(ids), model.logits(x), atol=1e-5, rtol=1e-5)
    written = generate(short, ids[:1, :4], 5, temperature=0)
    for place in range(4, 9):
        assert written[0, place] == short(written[:, :place])[0, -1].argmax()
    assert len(model.blocks) == 2  # unchanged


@torch.no_grad()
def test_block_influence_is_zero_for_a_block_that_changes_nothing():
    model = disturbed(CONFIGS["Llama"])
    block = model.blocks[1]
    block.attention.output.weight.zero_()
    block.feed_forward.output.weight.zero_()
    influence = block_influence(model, tokens(0, 2, 10))
    assert float(influence[1]) == pytest.approx(0, abs=1e-6)
    assert float(influence[0]) > 0.01


def test_structured_pruning_checks_its_arguments():
    model = disturbed(CONFIGS["Llama"])
    with pytest.raises(ValueError, match="2 rows of 24"):
        narrow_feed_forward(model, torch.ones(2, 3), 1)
    with pytest.raises(ValueError, match="width"):
        narrow_feed_forward(model, torch.ones(2, 24), 25)
    for kept in ([], [2], [-1]):
        with pytest.raises(ValueError, match="0 to 1"):
            keep_blocks(model, kept)
    mixture = DecoderLM(mixtral(13, 24, 16, 2, 4, 2, 24, experts=4))
    with pytest.raises(ValueError, match="plain feed-forward"):
        unit_scores(mixture, tokens(0, 1, 4))
