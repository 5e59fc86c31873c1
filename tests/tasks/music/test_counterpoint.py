"""The rules of counterpoint, on chords that can be checked by hand, and on Bach."""

import pytest
import torch

from genai_tutorial.data import HOLD, REST, load_chorale_split
from genai_tutorial.tasks.music import (
    chorale_windows,
    decode_cells,
    judge_counterpoint,
    repeated_bars,
    shuffle_voices,
)
from genai_tutorial.tasks.music.chorales import sounding
from genai_tutorial.tasks.music.counterpoint import count_parallels, parallel_motion


def chords(*columns: tuple[int, int, int, int]) -> torch.Tensor:
    return torch.tensor(columns).T[None]


@pytest.fixture(scope="module")
def bach() -> torch.Tensor:
    pytest.importorskip("music21")
    return decode_cells(chorale_windows(load_chorale_split()[1], hop=64).codes)


@pytest.mark.parametrize(
    ("chord", "is_chord"),
    [
        ((72, 67, 64, 48), True),  # C major
        ((72, 64, 60, 48), True),  # C major without its fifth
        ((72, 67, 60, 48), False),  # an open fifth
        ((70, 67, 64, 48), True),  # C7
        ((70, 64, 60, 48), True),  # C7 without its fifth
        ((72, 67, 65, 48), False),  # a suspended fourth
        ((73, 72, 71, 48), False),  # a cluster
        ((69, 66, 63, 48), True),  # a diminished seventh
    ],
)
def test_judge_counterpoint_knows_triads_and_sevenths(chord, is_chord):
    counted = judge_counterpoint(chords(chord))
    assert (counted.chords, counted.onsets) == (int(is_chord), 1)


def test_chords_are_judged_with_held_notes_and_not_where_a_voice_rests():
    held = chords((72, 67, 64, 48), (HOLD, 65, HOLD, HOLD), (HOLD, HOLD, HOLD, HOLD))
    assert judge_counterpoint(held).onsets == 2
    assert judge_counterpoint(held).chords == 1
    silent = chords((72, REST, 64, 48))
    assert judge_counterpoint(silent).onsets == 0
    assert judge_counterpoint(silent).chord_share == 0.0


@pytest.mark.parametrize(
    ("upper", "lower", "parallel", "both"),
    [
        ((67, 69), (60, 62), True, True),  # fifths
        ((72, 74), (60, 62), True, True),  # octaves
        ((60, 62), (60, 62), True, True),  # unisons
        ((67, 62), (60, 67), False, True),  # a fifth, then a fourth below
        ((67, 81), (60, 62), True, True),  # a fifth, then a twelfth
        ((67, 67), (60, 60), False, False),  # repeated notes
        ((67, 67), (60, 55), False, False),  # one voice moves
        ((64, 65), (60, 62), False, True),  # thirds
        ((67, REST), (60, 62), False, False),
        ((REST, 69), (60, 62), False, False),
    ],
)
def test_parallel_motion(upper, lower, parallel, both):
    found = parallel_motion(torch.tensor(upper), torch.tensor(lower))
    assert [bool(each) for each in found] == [parallel, both]


def test_count_parallels_sees_every_pair_of_voices_and_each_piece():
    moved = chords((72, 67, 64, 48), (74, 69, 65, 50))
    still = chords((72, 67, 64, 48), (72, 67, 64, 48))
    parallels, moves = count_parallels(torch.cat((moved, still)))
    assert parallels.tolist() == [2, 0]  # octaves soprano-bass, fifths alto-bass
    assert moves.tolist() == [6, 0]


def test_judge_counterpoint_counts_crossings_ranges_and_held_cells():
    cells = chords((60, 64, 55, 48), (HOLD, HOLD, HOLD, 30))
    counted = judge_counterpoint(cells)
    assert (counted.crossed, counted.neighbours) == (2, 6)
    assert (counted.outside, counted.notes) == (1, 5)
    assert (counted.held, counted.cells) == (3, 8)


def test_sounding_continues_notes_but_not_rests():
    cells = torch.tensor([[HOLD, 60, HOLD, REST, HOLD]])
    assert sounding(cells).tolist() == [[REST, 60, 60, REST, REST]]


def test_repeated_bars_need_all_voices():
    bar = torch.arange(60, 68)
    same = torch.cat((bar, bar, bar + 1)).expand(1, 4, -1).clone()
    assert repeated_bars(same).tolist() == [[True, False]]
    same[0, 2, 9] = 50
    assert repeated_bars(same).tolist() == [[False, False]]


def test_shuffle_voices_keeps_each_melody(bach):
    shuffled = shuffle_voices(bach, torch.Generator().manual_seed(0))
    before, after = sounding(bach), sounding(shuffled)
    assert torch.equal(before.sort(dim=-1).values, after.sort(dim=-1).values)
    assert not torch.equal(before, after)
    assert (shuffled[..., 0] != HOLD).all()


def test_counterpoint_tells_bach_from_shuffled_bach(bach):
    shuffled = shuffle_voices(bach, torch.Generator().manual_seed(0))
    real, mixed = judge_counterpoint(bach), judge_counterpoint(shuffled)
    assert real.chord_share > 0.8 > 0.4 > mixed.chord_share
    assert real.parallels_per_100 < 0.5 < 4 < mixed.parallels_per_100
    assert real.crossed_share < 0.01 < 0.04 < mixed.crossed_share
    # Ranges separate nothing: shuffled voices stay where they were.
    assert real.outside_share == mixed.outside_share == 0
