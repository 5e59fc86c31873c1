"""Measures of counterpoint, rules that Bach's chorales follow and random notes break,
and the losses of count-based models to compare with.

Each measure counts how often an event occurs and how often it could, so that samples of
any length can be compared, with a confidence interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.data import HOLD, REST

from .chorales import (
    CODES,
    VOICE_RANGES,
    ChoraleWindows,
    decode_cells,
    encode_cells,
    sounding,
)

TRIADS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8))
"""Major, minor, diminished and augmented, in semitones above the root."""

SEVENTHS = ((0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10), (0, 3, 6, 9))
"""Dominant, major, minor, half-diminished and diminished seventh chords."""

UNISON, FIFTH = 0, 7
"""The perfect intervals that must not follow each other, in semitones modulo 12."""

BAR = 8
"""The number of eighth notes in a bar of four quarters."""


@dataclass(frozen=True)
class Counterpoint:
    """Counts of how often a set of pieces follows the rules.

    Attributes:
        chords: The number of onsets whose sounding notes are a triad or a seventh
            chord.
        onsets: The number of steps at which a note begins and all voices sound.
        parallels: The number of pairs of voices that move from a fifth to a fifth or
            from an octave to an octave.
        moves: The number of pairs of voices that both move to another pitch.
        crossed: The number of pairs of neighbouring voices that cross: the upper voice
            is below the lower one.
        neighbours: The number of pairs of neighbouring voices that both sound.
        outside: The number of notes outside the voice's range.
    """

    chords: int
    onsets: int
    parallels: int
    moves: int
    crossed: int
    neighbours: int
    outside: int
    notes: int
    held: int
    cells: int

    @property
    def chord_share(self) -> float:
        """The share of onsets that are a triad or a seventh chord."""
        return self.chords / max(self.onsets, 1)

    @property
    def parallels_per_100(self) -> float:
        """Parallel fifths and octaves per 100 pairs of moving voices."""
        return 100 * self.parallels / max(self.moves, 1)

    @property
    def crossed_share(self) -> float:
        """The share of neighbouring voices that are crossed."""
        return self.crossed / max(self.neighbours, 1)

    @property
    def outside_share(self) -> float:
        """The share of notes outside their voice's range."""
        return self.outside / max(self.notes, 1)

    @property
    def held_share(self) -> float:
        """The share of cells that hold a note."""
        return self.held / max(self.cells, 1)


def judge_counterpoint(cells: Int[Tensor, "piece voice step"]) -> Counterpoint:
    """Count how often pieces follow the rules of four-part writing.

    Args:
        cells: A pitch, `HOLD` or `REST` for each voice and step, the highest voice
            first.

    >>> c_major_to_d_minor = torch.tensor([[72, 74], [67, 69], [64, 65], [48, 50]])
    >>> counted = judge_counterpoint(c_major_to_d_minor[None])
    >>> counted.chord_share, counted.parallels, counted.moves
    (1.0, 2, 6)
    """
    pitches = sounding(cells)
    begins = cells < HOLD
    full = (pitches != REST).all(dim=1)
    onsets = begins.any(dim=1) & full
    lowest, highest = torch.tensor(VOICE_RANGES).T[:, None, :, None]
    outside = begins & ((pitches < lowest) | (pitches > highest))
    upper, lower = pitches[:, :-1], pitches[:, 1:]
    both = (upper != REST) & (lower != REST)
    parallel, moves = count_parallels(cells)
    return Counterpoint(
        chords=int((_is_chord(pitches) & onsets).sum()),
        onsets=int(onsets.sum()),
        parallels=int(parallel.sum()),
        moves=int(moves.sum()),
        crossed=int(((upper < lower) & both).sum()),
        neighbours=int(both.sum()),
        outside=int(outside.sum()),
        notes=int(begins.sum()),
        held=int((cells == HOLD).sum()),
        cells=cells.numel(),
    )


def shuffle_voices(
    cells: Int[Tensor, "piece voice step"], generator: torch.Generator
) -> Int[Tensor, "piece voice step"]:
    """Shift each voice circularly by a random number of quarter notes: every melody is
    kept, but the voices no longer fit together.
    """
    pitches = sounding(cells)
    begins = (cells != HOLD) | (torch.arange(cells.shape[-1]) == 0)
    shifts = 2 * torch.randint(
        cells.shape[-1] // 2, cells.shape[:2], generator=generator
    )
    steps = (torch.arange(cells.shape[-1]) - shifts[..., None]) % cells.shape[-1]
    pitches, begins = pitches.gather(-1, steps), begins.gather(-1, steps)
    begins[..., 0] = True
    return torch.where(begins | (pitches == REST), pitches, HOLD)


def repeated_bars(cells: Int[Tensor, "piece voice step"]) -> Bool[Tensor, "piece bar"]:
    """Return for each bar after the first whether all voices repeat an earlier bar."""
    bars = sounding(cells).unfold(-1, BAR, BAR).movedim(2, 1).flatten(2)
    equal = (bars[:, :, None] == bars[:, None]).all(dim=-1)
    return equal.tril(diagonal=-1).any(dim=-1)[:, 1:]


def parallel_motion(
    upper: Int[Tensor, "*piece step"], lower: Int[Tensor, "*piece step"]
) -> tuple[Bool[Tensor, "*piece move"], Bool[Tensor, "*piece move"]]:
    """Return for each step but the first whether two voices move in parallel fifths or
    octaves, and whether both move at all.
    """
    silent = (upper == REST) | (lower == REST)
    interval = (upper - lower).abs() % 12
    both = (upper.diff(dim=-1) != 0) & (lower.diff(dim=-1) != 0)
    both &= ~silent[..., 1:] & ~silent[..., :-1]
    perfect = (interval == UNISON) | (interval == FIFTH)
    same = interval[..., 1:] == interval[..., :-1]
    return both & same & perfect[..., 1:], both


def count_parallels(
    cells: Int[Tensor, "piece voice step"],
) -> tuple[Int[Tensor, " piece"], Int[Tensor, " piece"]]:
    """Return for each piece the number of parallel fifths and octaves between any two
    voices, and the number of pairs of voices that move.
    """
    pitches = sounding(cells)
    pairs = [
        parallel_motion(pitches[:, upper], pitches[:, lower])
        for upper, lower in combinations(range(pitches.shape[1]), 2)
    ]
    parallel, both = (
        torch.stack(each).sum(dim=(0, 2)) for each in zip(*pairs, strict=True)
    )
    return parallel, both


def choose_fewest_parallels(
    tries: Sequence[Int[Tensor, "piece voice step"]],
) -> Int[Tensor, "piece voice step"]:
    """Return for each piece the version with the fewest parallel fifths and octaves:
    best-of-n sampling, with the rule as the judge.
    """
    counts = torch.stack([count_parallels(cells)[0] for cells in tries])
    best = counts.argmin(dim=0)
    return torch.stack(list(tries))[best, torch.arange(len(best))]


def _is_chord(pitches: Int[Tensor, "piece voice step"]) -> Bool[Tensor, "piece step"]:
    """Return whether the pitch classes of each step form a chord, with or without its
    fifth.
    """
    bits = (1 << (pitches % 12)).unbind(dim=1)
    chord = bits[0]
    for bit in bits[1:]:
        chord = chord | bit
    return _CHORDS[chord]


def _chord_table() -> Bool[Tensor, "classes"]:
    """Return for each set of pitch classes, as 12 bits, whether it is a chord."""
    table = torch.zeros(1 << 12, dtype=torch.bool)
    for root in range(12):
        for chord in (*TRIADS, *SEVENTHS):
            for notes in (chord, (*chord[:2], *chord[3:])):  # whole, without the fifth
                table[sum(1 << (root + note) % 12 for note in notes)] = True
    return table


_CHORDS = _chord_table()


def frequency_losses(
    train: Int[Tensor, "n voice step"], held_out: Int[Tensor, "m voice length"]
) -> Float[Tensor, "m voice"]:
    """Return the cross-entropy in nats per step of a unigram model: the frequency of
    each code of a voice in the training windows.
    """
    context = torch.zeros_like
    return _losses(train, context(train), held_out, context(held_out))


def last_pitch_losses(
    train: Int[Tensor, "n voice step"], held_out: Int[Tensor, "m voice length"]
) -> Float[Tensor, "m voice"]:
    """Return the cross-entropy in nats per step of a bigram model: the frequency of
    each code after the voice's last pitch.
    """
    return _losses(train, _last_pitches(train), held_out, _last_pitches(held_out))


def backoff_losses(
    train: ChoraleWindows, held_out: ChoraleWindows, weight: float | int = 60
) -> Float[Tensor, "m voice"]:
    """Return the cross-entropy in nats per step of tables of counts that know more than
    a bigram: the voice's last pitch; also the beat and the fermata; also what the voice
    above does at this step; also the soprano's pitch.

    Each table starts from the probabilities of the coarser one before it, which count
    as much as `weight` observations, so that a rare situation relies on them.
    """
    losses = []
    known, asked = _situations(train), _situations(held_out)
    for voice in range(train.codes.shape[1]):
        codes, targets = (one.codes[:, voice].flatten() for one in (train, held_out))
        p = torch.full((len(targets), CODES), 1 / CODES)
        for before, now in zip(known[voice], asked[voice], strict=True):
            names, rows = before.flatten().unique(return_inverse=True)
            counts = torch.zeros(len(names), CODES)
            counts.index_put_((rows, codes), torch.tensor(1.0), accumulate=True)
            place = torch.searchsorted(names, now.flatten()).clamp(max=len(names) - 1)
            counts = counts[place] * (names[place] == now.flatten())[:, None]
            p = (counts + weight * p) / (counts.sum(dim=1, keepdim=True) + weight)
        losses.append(-p.gather(1, targets[:, None]).log().view(len(held_out), -1))
    return torch.stack(losses, dim=1).mean(dim=-1)


def _situations(windows: ChoraleWindows) -> list[list[Int[Tensor, "n step"]]]:
    """Return for each voice the numbers of its situations, from coarse to fine."""
    codes, (beat, fermata) = windows.codes, windows.features.unbind(dim=1)
    last, pitches = _last_pitches(codes), encode_cells(sounding(decode_cells(codes)))
    voices = []
    for voice in range(codes.shape[1]):
        finer = [last[:, voice], beat, fermata]
        if voice > 0:
            finer += [codes[:, voice - 1], pitches[:, voice - 1], pitches[:, 0]]
        levels = [finer[0]]
        for feature in finer[1:]:
            levels.append(levels[-1] * (CODES + 1) + feature)
        voices.append(levels)
    return voices


def _last_pitches(codes: Int[Tensor, "n voice step"]) -> Int[Tensor, "n voice step"]:
    before = encode_cells(sounding(decode_cells(codes))).roll(1, -1)
    before[..., 0] = CODES  # nothing yet
    return before


def _losses(
    train: Int[Tensor, "n voice step"],
    train_context: Int[Tensor, "n voice step"],
    held_out: Int[Tensor, "m voice length"],
    context: Int[Tensor, "m voice length"],
) -> Float[Tensor, "m voice"]:
    losses = []
    for voice in range(train.shape[1]):
        pairs = train_context[:, voice] * CODES + train[:, voice]
        counts = pairs.flatten().bincount(minlength=(CODES + 1) * CODES)
        table = counts.view(CODES + 1, CODES) + 0.1  # nothing is impossible
        log_probabilities = (table / table.sum(dim=1, keepdim=True)).log()
        losses.append(-log_probabilities[context[:, voice], held_out[:, voice]])
    return torch.stack(losses, dim=1).mean(dim=-1)
