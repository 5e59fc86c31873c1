"""Four-part chorales by Bach on a grid of eighth notes, read from the MusicXML files
that come with music21.

Each row of the grid is a voice, and each column an eighth note. A cell holds the pitch
of a note that begins there, `HOLD` if a note continues, or `REST`. Pitches alone would
merge repeated notes into one long note.
"""

import zipfile
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from genai_tutorial.runtime import cached, package_folder, require

VOICES = ("soprano", "alto", "tenor", "bass")

HOLD, REST = 128, 129
"""The two values of a cell that are not a MIDI pitch (0 to 127, middle C is 60)."""

MELODY_NOTES = 16
"""Chorales whose sopranos have the same intervals between their first 16 notes count as
settings of the same melody.
"""

HELD_OUT = 33
"""The minimum number of held-out chorales; the last melody may add a few more."""

LONGEST_BAR = 12
"""The largest number of eighth notes in a bar."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_PER_QUARTER = 4  # files are read in sixteenth notes, which keep every onset
_NOTHING = -1
_LARGEST = 10_000_000  # bytes of a score
_LONGEST = 20_000  # sixteenths of a score


@dataclass(frozen=True)
class Chorale:
    """A chorale in four parts.

    Attributes:
        name: Its number in the catalogue of Bach's works, such as "bwv269".
        cells: A pitch, `HOLD` or `REST` for each voice and eighth note, the soprano
            first.
        beats: The number of eighth notes since the bar began.
        fermatas: Whether the soprano's note has a fermata, which marks the end of a
            phrase.
    """

    name: str
    cells: Int[Tensor, "voice step"]
    beats: Int[Tensor, " step"]
    fermatas: Bool[Tensor, " step"]

    @property
    def melody(self) -> tuple[int, ...]:
        """The soprano's first intervals in semitones, independent of the key."""
        soprano = self.cells[0]
        notes = soprano[soprano < HOLD].tolist()[:MELODY_NOTES]
        return tuple(after - before for before, after in pairwise(notes))


def load_chorales() -> tuple[Chorale, ...]:
    """Load the 331 different chorales in four parts.

    music21's list counts 20 chorales twice; each is loaded once.

    Raises:
        ImportError: If music21 is not installed.

    >>> chorale = load_chorales()[0]
    >>> chorale.name, chorale.cells[:, :4].tolist()[0]  # G, held, G, held
    ('bwv269', [67, 128, 67, 128])
    """
    version = require("music21", extra="music").__version__
    arrays = cached("chorales", _build, version=version)
    lengths = arrays["lengths"].tolist()
    cells = torch.from_numpy(arrays["cells"]).long().split(lengths, dim=1)
    beats = torch.from_numpy(arrays["beats"]).long().split(lengths)
    fermatas = torch.from_numpy(arrays["fermatas"]).split(lengths)
    return tuple(map(Chorale, arrays["names"].tolist(), cells, beats, fermatas))


def load_chorale_split() -> tuple[tuple[Chorale, ...], tuple[Chorale, ...]]:
    """Return the training chorales and the held-out ones (about a tenth), without a
    melody in common: Bach set many melodies several times.
    """
    melodies: dict[tuple[int, ...], list[Chorale]] = {}
    for chorale in load_chorales():
        melodies.setdefault(chorale.melody, []).append(chorale)
    keys = sorted(melodies)
    order = torch.randperm(len(keys), generator=torch.Generator().manual_seed(18))
    train, held_out = [], []
    for index in order.tolist():
        part = held_out if len(held_out) < HELD_OUT else train
        part += melodies[keys[index]]
    return tuple(train), tuple(held_out)


def read_musicxml(root: ElementTree.Element, name: str) -> Chorale | None:
    """Read a score of four monophonic parts; None if it has another number of them."""
    parts = root.findall("part")
    if len(parts) != len(VOICES):
        return None
    read = [_Part(part) for part in parts]
    length = max(part.end for part in read) // 2 * 2
    notes = np.full((len(VOICES), length), _NOTHING)
    fermatas = np.zeros(length, dtype=bool)
    for voice, part in enumerate(read):
        for index, note in enumerate(part.notes):
            notes[voice, note.start : note.end] = index
            if voice == 0 and note.fermata:
                fermatas[note.start : note.end] = True
    notes = notes[:, ::2]  # the note that sounds at each eighth
    begins = np.diff(notes, axis=1, prepend=_NOTHING) != 0
    cells = np.full(notes.shape, REST)
    for voice, part in enumerate(read):
        pitches = np.array([note.pitch for note in part.notes])
        sounds = notes[voice] != _NOTHING
        cells[voice, sounds] = pitches[notes[voice, sounds]]
    cells[(notes != _NOTHING) & ~begins] = HOLD
    beats = read[0].beats(length)[::2] // 2
    return Chorale(
        name,
        torch.from_numpy(cells),
        torch.from_numpy(beats),
        torch.from_numpy(fermatas[::2]),
    )


@dataclass
class _Note:
    start: int  # in sixteenths from the beginning
    end: int
    pitch: int
    fermata: bool


class _Part:
    """One part of a score: its notes and the beginnings of its bars."""

    def __init__(self, part: ElementTree.Element):
        self.notes: list[_Note] = []
        self.bars: list[tuple[int, int]] = []  # start and number of its first beat
        now, divisions, full, position = Fraction(0), 1, 16, 0
        for measure in part.findall("measure"):
            start = now
            for element in measure:
                match element.tag:
                    case "attributes":
                        divisions = int(element.findtext("divisions") or divisions)
                        beats = element.findtext("time/beats")
                        if beats is not None:
                            kind = int(element.findtext("time/beat-type"))
                            full = int(beats) * 16 // kind
                    case "note" | "forward":
                        length = Fraction(element.findtext("duration") or "0")
                        length = length * _PER_QUARTER / divisions
                        if element.find("pitch") is not None and length:
                            self._add(element, now, now + length)
                        now += length
            length = round(now - start)
            if not self.bars:  # an upbeat ends with its bar
                position = max(full - length, 0)
            elif position + length > full:
                position = 0
            self.bars.append((round(start), position))
            position = (position + length) % full
        self.end = round(now)
        if not 0 < self.end <= _LONGEST:
            raise ValueError(f"A part must be 1 to {_LONGEST} sixteenths long.")

    def _add(self, element: ElementTree.Element, start: Fraction, end: Fraction):
        pitch = element.find("pitch")
        height = (
            12 * (int(pitch.findtext("octave")) + 1) + _STEPS[pitch.findtext("step")]
        )
        height += round(float(pitch.findtext("alter") or 0))
        fermata = element.find("notations/fermata") is not None
        goes_on = any(tie.get("type") == "stop" for tie in element.findall("tie"))
        last = self.notes[-1] if self.notes else None
        if goes_on and last and (last.pitch, last.end) == (height, round(start)):
            last.end = round(end)
            last.fermata |= fermata
        else:
            self.notes.append(_Note(round(start), round(end), height, fermata))

    def beats(self, length: int) -> np.ndarray:
        """Return the number of sixteenths since the bar began, for each sixteenth."""
        beats = np.zeros(length, dtype=int)
        for start, position in self.bars:
            beats[start:] = position + np.arange(max(length - start, 0))
        return beats % (2 * LONGEST_BAR)


def _build() -> dict[str, np.ndarray]:
    folder = package_folder("music21", extra="music") / "corpus"
    iterator = require("music21.corpus.chorales", extra="music").Iterator
    names = dict.fromkeys(iterator(returnType="filename"))
    paths = [folder / f"{name}{end}" for name in names for end in (".xml", ".mxl")]
    read = {path.stem: read_score(path) for path in paths if path.is_file()}
    chorales = [chorale for chorale in read.values() if chorale is not None]
    return {
        "names": np.array([chorale.name for chorale in chorales]),
        "lengths": np.array([chorale.cells.shape[1] for chorale in chorales]),
        "cells": torch.cat([chorale.cells for chorale in chorales], 1).short().numpy(),
        "beats": torch.cat([chorale.beats for chorale in chorales]).short().numpy(),
        "fermatas": torch.cat([chorale.fermatas for chorale in chorales]).numpy(),
    }


def read_score(path: Path) -> Chorale | None:
    """Read a MusicXML file, packed or not; None if it hasn't four parts."""
    try:
        if path.suffix == ".xml":
            root = ElementTree.parse(path).getroot()
        else:
            root = ElementTree.fromstring(_unpacked(path))
        return read_musicxml(root, path.stem)
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(
            f"{path} is damaged or no MusicXML ({error}): install music21 again."
        ) from error


def _unpacked(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        (inside,) = (
            member
            for member in archive.infolist()
            if member.filename.endswith("xml")
            and not member.filename.startswith("META-INF")
        )
        if inside.file_size > _LARGEST:
            raise ValueError(f"it unpacks to {inside.file_size} bytes")
        return archive.read(inside)
