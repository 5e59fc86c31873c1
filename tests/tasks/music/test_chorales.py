"""Codes of chorales, windows, baselines, harmony and playing."""

import math

import pytest
import torch

from genai_tutorial.audio import (
    CodebookPattern,
    MultiStreamConfig,
    MultiStreamLM,
    PlayedNote,
)
from genai_tutorial.data import HOLD, REST, Chorale, load_chorales
from genai_tutorial.tasks.music import (
    CODES,
    FEATURES,
    ChoraleWindows,
    backoff_losses,
    choose_fewest_parallels,
    chorale_windows,
    compose,
    decode_cells,
    frequency_losses,
    harmonize,
    last_pitch_losses,
    notes_of,
    phrase_features,
    pitch_agreement,
    play_chorale,
    write_melody,
)
from genai_tutorial.tasks.music.chorales import (
    VOICE_RANGES,
    encode_cells,
    transpositions,
)
from genai_tutorial.tasks.music.counterpoint import count_parallels
from genai_tutorial.transformer import DecoderConfig


def make_chorale(steps: int = 20) -> Chorale:
    """Return a chorale whose notes are held for four steps."""
    cells = torch.full((4, steps), HOLD)
    for voice, pitch in enumerate((70, 65, 60, 50)):
        cells[voice, ::4] = pitch + torch.arange(len(range(0, steps, 4)))
    return Chorale(
        "x", cells, torch.arange(steps) % 8, torch.zeros(steps, dtype=torch.bool)
    )


@pytest.fixture(scope="module")
def model() -> MultiStreamLM:
    pattern = CodebookPattern.delayed(4)
    decoder = DecoderConfig(CODES, pattern.columns(16), width=16, layers=1)
    return MultiStreamLM(MultiStreamConfig(decoder, pattern, FEATURES)).eval()


def test_decode_cells_undoes_encode_cells():
    cells = torch.tensor([[36, 81, HOLD, REST]])
    assert encode_cells(cells).tolist() == [[0, 45, 46, 47]]
    assert torch.equal(decode_cells(encode_cells(cells)), cells)


def test_chorale_windows_begin_with_notes_and_end_with_the_chorale():
    chorale = make_chorale(22)
    windows = chorale_windows([chorale], length=8, hop=6)
    cells = decode_cells(windows.codes)
    assert len(windows) == 4  # from 0, 6, 12 and 14
    assert cells[0, 0].tolist() == [70, HOLD, HOLD, HOLD, 71, HOLD, HOLD, HOLD]
    assert cells[1, 0].tolist() == [71, HOLD, 72, HOLD, HOLD, HOLD, 73, HOLD]
    assert windows.features[1, 0].tolist() == [6, 7, 0, 1, 2, 3, 4, 5]
    assert torch.equal(cells[-1, :, 1:], chorale.cells[:, 15:])
    with pytest.raises(ValueError, match="No chorale has 30 steps"):
        chorale_windows([chorale], length=30)


def test_chorale_windows_in_every_key_stay_within_the_voices_ranges():
    chorale = make_chorale()
    keys = transpositions(chorale)
    assert 0 in keys
    assert len(keys) > 3
    windows = chorale_windows([chorale], length=20, every_key=True)
    assert len(windows) == len(keys)
    for semitones, codes in zip(keys, windows.codes, strict=True):
        cells = decode_cells(codes)
        moved = torch.where(chorale.cells < HOLD, chorale.cells + semitones, HOLD)
        assert torch.equal(cells, torch.where(chorale.cells == REST, REST, moved))
        for notes, (lowest, highest) in zip(cells, VOICE_RANGES, strict=True):
            pitches = notes[notes < HOLD]
            assert lowest <= pitches.min() <= pitches.max() <= highest


def test_voice_ranges_are_those_of_the_chorales():
    pytest.importorskip("music21")
    cells = torch.cat([chorale.cells for chorale in load_chorales()], dim=1)
    ranges = tuple(
        (int(row[row < HOLD].min()), int(row[row < HOLD].max())) for row in cells
    )
    assert ranges == VOICE_RANGES


def test_baselines_know_what_they_count():
    """Voices that repeat four pitches in order: ln 4 alone, almost 0 after a pitch."""
    codes = torch.arange(4).repeat(1, 4, 100)
    held_out = codes[:, :, :40]
    alone = frequency_losses(codes, held_out)
    after = last_pitch_losses(codes, held_out)
    assert torch.allclose(alone, torch.full((1, 4), math.log(4)), atol=0.02)
    assert after.max() < 0.2


def test_last_pitch_losses_look_through_held_notes():
    notes = torch.tensor([60, HOLD, HOLD, 64, HOLD, HOLD]).repeat(1, 4, 50)
    codes = encode_cells(notes)
    # After 60 (held) there follow hold, hold, 64: more than one answer, but never 60.
    losses = last_pitch_losses(codes, codes)
    assert 0.4 < losses.mean() < 0.7


def test_backoff_losses_know_the_beat_and_the_voices_above():
    """A soprano that the beat decides, an alto below it, a tenor at random."""
    beat = torch.arange(64).expand(40, -1) % 8
    tenor = torch.randint(4, (40, 64), generator=torch.Generator().manual_seed(0))
    codes = torch.stack([beat + 20, beat + 15, tenor, tenor + 1], dim=1)
    features = torch.stack([beat, 0 * beat], dim=1)
    windows = ChoraleWindows(codes, features), ChoraleWindows(codes[:8], features[:8])
    losses = backoff_losses(*windows, weight=1).mean(dim=0)
    assert losses[[0, 1, 3]].max() < 0.1
    assert losses[2] == pytest.approx(math.log(4), abs=0.2)


def test_backoff_losses_of_new_situations_are_those_of_the_coarser_table():
    codes = torch.zeros(2, 4, 8, dtype=torch.long)
    beats = torch.zeros(2, 2, 8, dtype=torch.long)
    train = ChoraleWindows(codes, beats)
    seen = backoff_losses(train, train)
    new = backoff_losses(train, ChoraleWindows(codes, beats + 1))  # no such beat
    assert torch.isfinite(new).all()
    assert (new > seen).all()


def test_harmonize_keeps_the_melody_and_compose_chooses_everything(model):
    melody = write_melody((72, 4), (74, 2), (71, 2), (72, 8))
    features = phrase_features(16, phrase_ends=range(8, 16))[None]
    generator = torch.Generator().manual_seed(0)
    cells = harmonize(model, melody[None], features, generator=generator)
    assert cells.shape == (1, 4, 16)
    assert torch.equal(cells[0, 0], melody)
    free = compose(model, features.expand(3, -1, -1), generator=generator)
    assert free.shape == (3, 4, 16)
    assert not torch.equal(free[0], free[1])


def test_choose_fewest_parallels_takes_the_best_version_of_each_piece():
    bad = torch.tensor([[72, 74], [67, 69], [64, 65], [48, 50]])
    good = torch.tensor([[72, 74], [67, 65], [64, 57], [48, 50]])
    tries = [torch.stack((bad, good)), torch.stack((good, bad))]
    chosen = choose_fewest_parallels(tries)
    assert torch.equal(chosen, torch.stack((good, good)))
    assert count_parallels(chosen)[0].tolist() == [1, 1]


def test_pitch_agreement_counts_sounding_pitches():
    one = torch.tensor([[[60, HOLD, 62, HOLD]]])
    other = torch.tensor([[[60, 60, 64, HOLD]]])
    assert pitch_agreement(one, other).tolist() == [0.5]


def test_phrase_features_and_written_melodies():
    beats, fermatas = phrase_features(10, phrase_ends=[4])
    assert beats.tolist() == [*range(8), 0, 1]
    assert fermatas.tolist() == [0] * 4 + [1] + [0] * 5
    with pytest.raises(ValueError, match="steps from 0 to 3"):
        phrase_features(4, phrase_ends=[4])


def test_played_notes_have_their_lengths_and_rests_are_silent():
    cells = torch.tensor([[60, HOLD, REST, 62]])
    assert notes_of(cells, 0.5) == [PlayedNote(0.0, 1.0, 60), PlayedNote(1.5, 0.5, 62)]
    wave = play_chorale(cells, 0.5, rate=8000)
    assert wave.shape == (16_000,)
    assert wave[8000:12_000].abs().max() == 0
