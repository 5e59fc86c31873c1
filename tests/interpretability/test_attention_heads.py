"""Scores, values and ablation of attention heads."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.interpretability import (
    ablated,
    ablation_costs,
    induction_scores,
    mean_head_outputs,
    predict_values,
    previous_token_scores,
    repeated_random_tokens,
)
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(20, 50), st.integers(0, 99))
def test_repeated_tokens_have_exactly_one_earlier_occurrence(
    count, length, vocabulary, seed
):
    rows = repeated_random_tokens(count, length, vocabulary, seed)
    assert rows.shape == (count, 2 * length)
    assert torch.equal(rows[:, :length], rows[:, length:])
    assert all(len(set(row[:length].tolist())) == length for row in rows)
    assert rows.min() >= 0
    assert rows.max() < vocabulary
    assert torch.equal(rows, repeated_random_tokens(count, length, vocabulary, seed))


def test_repeated_tokens_differ_between_rows_and_seeds():
    rows = repeated_random_tokens(2, 30, 1000, seed=0)
    assert not torch.equal(rows[0], rows[1])
    assert not torch.equal(rows, repeated_random_tokens(2, 30, 1000, seed=1))


def test_repeated_tokens_come_from_the_given_vocabulary():
    rows = repeated_random_tokens(5, 3, torch.tensor([7, 70, 700, 7000]), seed=0)
    assert set(rows.flatten().tolist()) <= {7, 70, 700, 7000}


def maps_that_look(back: dict[int, float], size: int) -> torch.Tensor:
    """A head that gives the stated weight to the stated distances, and the rest to
    itself.
    """
    table = torch.zeros(size, size)
    for query in range(size):
        for distance, weight in back.items():
            if distance <= query:
                table[query, query - distance] = weight
        table[query, query] += 1 - table[query].sum()
    return table


def test_scores_of_known_attention_maps():
    period = 5
    heads = torch.stack(
        [
            maps_that_look({period - 1: 1.0}, 10),  # a perfect induction head
            maps_that_look({1: 0.75, period - 1: 0.25}, 10),
            # attends to the earlier occurrence, not to the token after it
            maps_that_look({period: 1.0}, 10),
            maps_that_look({}, 10),
        ]
    )
    # two layers of two heads, three texts
    maps = heads.view(2, 1, 2, 10, 10).repeat(1, 3, 1, 1, 1)
    expected = torch.tensor([[1.0, 0.25], [0.0, 0.0]])
    torch.testing.assert_close(induction_scores(maps, period), expected)
    torch.testing.assert_close(
        previous_token_scores(maps), torch.tensor([[0.0, 0.75], [0.0, 0.0]])
    )


def test_induction_scores_are_averaged_over_the_batch():
    induction, idle = maps_that_look({2: 1.0}, 6), maps_that_look({}, 6)
    # one layer, two texts, one head
    maps = torch.stack([induction, idle])[None, :, None]
    assert induction_scores(maps, period=3).item() == 0.5


def test_head_scores_refuse_invalid_arguments():
    with pytest.raises(ValueError, match="number of different tokens, 5, got 6"):
        repeated_random_tokens(1, 6, vocabulary=5)
    with pytest.raises(ValueError, match="tokens repeated once, 8 square; got 10x10"):
        induction_scores(torch.zeros(1, 1, 1, 10, 10), period=4)
    with pytest.raises(ValueError, match="At least two positions"):
        previous_token_scores(torch.ones(1, 1, 1, 1, 1))


def test_predict_values_is_exact_for_single_digits():
    known, new = list(range(0, 1000, 7)), [503, 999, 42]
    digits, unseen = (
        [[int(digit) for digit in f"{value:03}"] for value in values]
        for values in (known, new)
    )
    found = predict_values(digits, known, unseen)
    np.testing.assert_allclose(found, new, atol=1e-6)


def test_predict_values_knows_a_token_only_at_its_place():
    known, values = [[1, 2], [2, 2], [1, 3]], [12, 22, 13]
    np.testing.assert_allclose(predict_values(known, values, [[2, 3]]), [23], atol=1e-9)
    # token 3 was never seen first, so only the second token counts
    unseen = predict_values(known, values, [[3, 3]])
    assert abs(unseen[0] - 33) > 1


def test_predict_values_fails_where_pieces_have_no_fixed_worth():
    """7 and 70 share the token 7 at the same place."""
    found = predict_values([[7], [7, 0], [8], [8, 0]], [7, 70, 8, 80], [[9, 0]])
    assert abs(found[0] - 90) > 1


@pytest.mark.parametrize(("known", "values"), [([[1]], [1, 2]), ([], [])])
def test_predict_values_needs_a_value_for_each_row(known, values):
    with pytest.raises(ValueError, match="equally long and not empty"):
        predict_values(known, values, [[1]])


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
        cached = model(IDS, AttentionContext.cached(model.make_cache(len(IDS))))
    torch.testing.assert_close(off, without(model, heads))
    torch.testing.assert_close(cached, off, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(off, before, atol=1e-4)
    assert torch.equal(model(IDS), before)  # the hooks are gone


def projected(model):
    """Return what the output projection of the second layer reads."""
    seen = []
    hook = model.blocks[1].attention.output.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    model(IDS)
    hook.remove()
    return seen[0].unflatten(-1, (6, 2))


def test_mean_ablation_feeds_the_given_vector_to_the_output_projection():
    model = DecoderLM(CONFIG)
    with ablated(model, [(1, 2)], MEANS):
        read = projected(model)
    assert (read[:, :, 2] == MEANS[1, 2]).all()
    assert not (read[:, :, 3] == MEANS[1, 3]).any()


def test_mean_head_outputs_average_over_rows_and_positions():
    model = DecoderLM(CONFIG)
    means = mean_head_outputs(model, IDS)
    assert means.shape == (2, 6, 2)
    torch.testing.assert_close(means[1], projected(model).mean(dim=(0, 1)))
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
    stopped = pytest.raises(RuntimeError, match="stop")
    with stopped, ablated(model, [(0, 0)]), ablated(model, [(1, 0)]):
        raise RuntimeError("stop")
    assert torch.equal(model(IDS), before)


def test_ablation_keeps_sixteen_bits():
    model = DecoderLM(CONFIG).bfloat16()
    with ablated(model, [(0, 1)], MEANS):
        assert model(IDS).dtype == torch.bfloat16


@pytest.mark.parametrize("head", [(2, 0), (0, 6), (-1, 0), (0, -1)])
def test_ablation_refuses_heads_that_do_not_exist(head):
    refused = pytest.raises(ValueError, match=f"got layer {head[0]}, head {head[1]}")
    with refused, ablated(DecoderLM(CONFIG), [head]):
        pass
