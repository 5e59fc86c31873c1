"""The small attention model, and its two tasks."""

import pytest
import torch

from genai_tutorial.interpretability import (
    PositionReader,
    name_pairs,
    previous_word_batch,
    reader_accuracy,
    train_reader,
    who_bites_batch,
)
from genai_tutorial.interpretability.probes import IGNORED

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
