"""Separation of two groups, and trained readers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.interpretability import (
    PositionReader,
    centred_cosines,
    leave_one_out_centroid_hits,
    name_pairs,
    previous_word_batch,
    probes,
    reader_accuracy,
    train_reader,
    who_bites_batch,
    within_between_auc,
    within_between_auc_interval,
)
from genai_tutorial.interpretability.probes import IGNORED

TWO = torch.tensor([0] * 20 + [1] * 20)


def clouds(distance: float, seed: int = 0, dim: int = 6) -> torch.Tensor:
    points = torch.randn(40, dim, generator=torch.Generator().manual_seed(seed))
    points[20:, 0] += distance
    return points


def test_auc_of_identical_vectors_is_one_half():
    same = torch.full((40, 5), 0.1234567)
    same_table = centred_cosines(same)
    assert (same_table == 0).all()
    assert within_between_auc(same_table, TWO) == 0.5
    interval = within_between_auc_interval(same_table, TWO)
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)
    assert leave_one_out_centroid_hits(same, TWO).mean() == 0.5


def test_auc_of_distant_groups_is_one():
    far = clouds(50.0)
    assert within_between_auc(centred_cosines(far), TWO) == 1
    assert within_between_auc_interval(centred_cosines(far), TWO).low == 1
    assert leave_one_out_centroid_hits(far, TWO).mean() == 1


def test_auc_of_shuffled_labels_is_at_chance():
    table = centred_cosines(clouds(50.0))
    shuffled = [
        TWO[torch.randperm(40, generator=torch.Generator().manual_seed(seed))]
        for seed in range(50)
    ]
    # Each vector is left out of its own group, so the expectation is slightly below
    # one half.
    aucs = [within_between_auc(table, labels) for labels in shuffled]
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)
    hits = [leave_one_out_centroid_hits(clouds(0.0, seed), TWO) for seed in range(50)]
    assert torch.cat(hits).mean() == pytest.approx(0.48, abs=0.05)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_separation_ignores_scale_order_and_group_names(seed, scale):
    points = clouds(1.0, seed).double()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    auc = within_between_auc(centred_cosines(points), TWO)
    assert within_between_auc(
        centred_cosines(points[order] * scale), 1 - TWO[order]
    ) == pytest.approx(auc, abs=1e-6)
    hits = leave_one_out_centroid_hits(points, TWO)
    torch.testing.assert_close(
        leave_one_out_centroid_hits(points[order] * scale, 1 - TWO[order]), hits[order]
    )


@pytest.mark.slow
def test_auc_interval_covers_at_about_its_level(monkeypatch):
    monkeypatch.setattr(probes, "LEVEL", 0.9)
    monkeypatch.setattr(probes, "RESAMPLES", 300)
    tables = [centred_cosines(clouds(1.5, seed)) for seed in range(300)]
    fresh = np.mean([within_between_auc(table, TWO) for table in tables])
    intervals = [within_between_auc_interval(table, TWO) for table in tables[:100]]
    inside = [interval.low <= fresh <= interval.high for interval in intervals]
    assert 0.8 <= np.mean(inside) <= 0.99
    assert within_between_auc_interval(tables[0], TWO) == intervals[0]


@pytest.mark.parametrize("labels", [[0] * 40, list(range(40))])
def test_auc_needs_both_kinds_of_pairs(labels):
    with pytest.raises(ValueError, match="two groups, one with at least two members"):
        within_between_auc(torch.eye(40), torch.tensor(labels))


def test_centroids_need_two_members():
    with pytest.raises(ValueError, match=r"groups of \[1, 2\]"):
        leave_one_out_centroid_hits(torch.eye(3), torch.tensor([0, 1, 1]))


IDS = torch.tensor([[3, 1, 4, 1, 5]])


def test_previous_word_batch_asks_for_the_word_before():
    ids, targets = previous_word_batch(5, torch.Generator().manual_seed(0), length=9)
    assert ids.shape == targets.shape == (5, 9)
    assert torch.equal(targets[:, 1:], ids[:, :-1])
    assert (targets[:, 0] == IGNORED).all()


def test_name_pairs_keep_both_orders_in_one_set():
    train, test = ({tuple(pair) for pair in part.tolist()} for part in name_pairs())
    assert not train & test
    assert len(train | test) == 15 * 14
    assert all((b, a) in test for a, b in test)


def test_who_bites_batch_asks_at_the_middle_word():
    ids, targets = who_bites_batch(torch.tensor([[3, 7], [7, 3]]))
    assert ids.tolist() == [[3, 0, 7], [7, 0, 3]]
    assert targets.tolist() == [[IGNORED, 3, IGNORED], [IGNORED, 7, IGNORED]]


@pytest.mark.parametrize("kind", PositionReader.KINDS)
def test_position_reader_is_blind_to_order_only_without_positions(kind):
    reader = PositionReader(kind, causal=False)
    order = torch.tensor([4, 2, 0, 3, 1])
    same = torch.allclose(reader(IDS)[:, order], reader(IDS[:, order]), atol=1e-6)
    assert same == (kind == "none")


@pytest.mark.parametrize("kind", PositionReader.KINDS)
def test_position_reader_does_not_look_ahead_if_causal(kind):
    reader, changed = PositionReader(kind), IDS.clone()
    changed[0, 3:] = 9
    torch.testing.assert_close(reader(IDS)[:, :3], reader(changed)[:, :3])


@pytest.mark.slow
def test_train_reader_learns_and_repeats_itself():
    def accuracy(steps):
        reader = train_reader(PositionReader("rotary"), previous_word_batch, steps)
        test = previous_word_batch(50, torch.Generator().manual_seed(1))
        return reader_accuracy(reader, *test)

    assert accuracy(0) < 0.2
    assert accuracy(120) > 0.6
    assert accuracy(5) == accuracy(5)


def test_reader_accuracy_leaves_out_what_is_ignored():
    reader = PositionReader("none")
    best = reader(IDS).argmax(dim=-1)
    wrong = (best + 1) % 16
    targets = torch.full_like(IDS, IGNORED)
    targets[0, :2] = torch.stack([best[0, 0], wrong[0, 1]])
    assert reader_accuracy(reader, IDS, targets) == 0.5


def test_position_reader_names_the_encodings():
    with pytest.raises(ValueError, match=r"none, learned, .* got 'relative'"):
        PositionReader("relative")
