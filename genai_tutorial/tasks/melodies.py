"""Captioned melodies: melodies with the four attributes that their captions name, and a
verifier that reads these from the wave, without a network.

A melody is a sequence of notes, each with a timbre, a pitch and a length: three
parallel streams of tokens. It begins and ends on its tonic and contains the third,
which distinguishes major from minor. The verifier reads a wave in three steps:

1. The loudness dips between notes, so it rises at the onsets.
2. A note is periodic, so the autocorrelation of its middle has a peak at one period,
   which gives the pitch.
3. The harmonics of that pitch give the timbre, the pitches give register and mode, and
   the onsets give the tempo.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import SAWTOOTH, SINE, SQUARE, PlayedNote, synthesize
from genai_tutorial.tasks import pick

_TIMBRES = ("sine", "square", "sawtooth")
_TEMPI = ("slow", "medium", "fast")
_REGISTERS = ("low", "middle", "high")
_MODES = ("major", "minor")

NOTES = 12
"""The number of notes in a melody."""

_UNIT = 1 / 32  # of note lengths, in seconds
_LENGTHS = (3, 4, 6, 8, 12, 16)  # in units, two for each tempo, the fast one first
_LOWEST = 38  # the lowest pitch with a token, as a MIDI number

_STEPS = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_TONICS = {"low": range(45, 50), "middle": range(57, 62), "high": range(69, 74)}
_LOWEST_DEGREE, _HIGHEST_DEGREE = -2, 4  # in steps of the scale from the tonic


@dataclass(frozen=True)
class MelodyCaption:
    """The four attributes of a melody.

    >>> str(MelodyCaption("square", "fast", "high", "minor"))
    'a fast high square-wave melody in minor'
    """

    timbre: str
    tempo: str
    register: str
    mode: str

    def __str__(self) -> str:
        return (
            f"a {self.tempo} {self.register} {self.timbre}-wave melody in {self.mode}"
        )


CAPTIONS = tuple(
    MelodyCaption(*words) for words in product(_TIMBRES, _TEMPI, _REGISTERS, _MODES)
)
"""All 54 captions."""


def draw_melodies(
    captions: Sequence[MelodyCaption], generator: torch.Generator
) -> Int[Tensor, "n stream note"]:
    """Draw a melody for each caption, as tokens of timbres, pitches and lengths."""
    return torch.stack([_melody(caption, generator) for caption in captions])


def _melody(
    caption: MelodyCaption, generator: torch.Generator
) -> Int[Tensor, "stream note"]:
    tonic = pick(_TONICS[caption.register], generator)
    scale = _STEPS[caption.mode]
    degrees = _walk(generator)
    pitches = [tonic + 12 * (d // 7) + scale[d % 7] - _LOWEST for d in degrees]
    first = 2 * (len(_TEMPI) - 1 - _TEMPI.index(caption.tempo))
    lengths = [pick((first, first + 1), generator) for _ in degrees]
    timbre = _TIMBRES.index(caption.timbre)
    return torch.tensor([[timbre] * NOTES, pitches, lengths])


def _walk(generator: torch.Generator) -> list[int]:
    """Return a random walk on the scale that begins and ends on the tonic, 0, and
    visits the third, where major and minor differ.
    """
    while True:
        degrees = [0]
        while len(degrees) < NOTES - 1:
            step = pick((-2, -1, 1, 2), generator)
            if _LOWEST_DEGREE <= degrees[-1] + step <= _HIGHEST_DEGREE:
                degrees.append(degrees[-1] + step)
        if 2 in degrees and abs(degrees[-1]) <= 2:
            return [*degrees, 0]


RATE = 16_000
"""Samples per second of the melodies."""

_SPECTRA = (SINE, SQUARE, SAWTOOTH)  # in the order of the tokens
_HOP = 64  # samples between two values of the loudness
_QUIET = 0.35  # of the mean loudness: the dip between two notes
_LOWEST_HERTZ, _HIGHEST_HERTZ = 70.0, 1100.0
_PEAK = 0.9  # the first peak with this share of the highest one is the period
_SLOWEST_FAST, _SLOWEST_MEDIUM = 6.5, 3.2  # onsets per second
_HIGHEST_LOW, _HIGHEST_MIDDLE = 55.5, 67.5  # MIDI
_BRIGHT, _EVEN = 0.15, 0.1  # amplitudes of harmonics, relative to the first


@dataclass(frozen=True)
class Heard:
    """The verifier's reading of a melody.

    Attributes:
        pitches: The pitch of each note as a MIDI number.
    """

    caption: MelodyCaption
    pitches: tuple[int, ...]


def play_melody(tokens: Sequence[Sequence[int]]) -> Float[Tensor, " sample"]:
    """Render a melody from its tokens; each note has its own timbre.

    Args:
        tokens: The three streams: timbres, pitches and lengths. Tokens above their
            range are clipped, because a model may sample any.
    """
    notes: dict[int, list[PlayedNote]] = {}
    now = 0.0
    for timbre, pitch, length in zip(*tokens, strict=True):
        seconds = _LENGTHS[min(int(length), len(_LENGTHS) - 1)] * _UNIT
        kind = min(int(timbre), len(_SPECTRA) - 1)
        note = PlayedNote(now, seconds, int(pitch) + _LOWEST)
        notes.setdefault(kind, []).append(note)
        now += seconds
    wave = torch.zeros(round(now * RATE) + 1)
    for kind, played in notes.items():
        part = synthesize(played, _SPECTRA[kind], RATE)
        wave[: len(part)] += part
    return wave[:-1]


def listen(wave: Float[Tensor, " sample"]) -> Heard:
    """Read the attributes of a melody from its samples, `RATE` per second.

    Raises:
        ValueError: If the wave is silent.
    """
    spans = _notes(wave)
    middles = [wave[start + (end - start) // 4 : end] for start, end in spans]
    tones = [_frequency(middle) for middle in middles]
    pitches = [round(float(69 + 12 * torch.tensor(hz / 440).log2())) for hz in tones]
    middle = float(torch.tensor(pitches).float().median())
    per_second = len(spans) * RATE / len(wave)
    return Heard(
        MelodyCaption(
            _timbre(middles, tones),
            _TEMPI[(per_second > _SLOWEST_MEDIUM) + (per_second > _SLOWEST_FAST)],
            _REGISTERS[(middle > _HIGHEST_LOW) + (middle > _HIGHEST_MIDDLE)],
            _mode(pitches),
        ),
        tuple(pitches),
    )


def attributes_right(
    wanted: Sequence[MelodyCaption], heard: Sequence[MelodyCaption]
) -> dict[str, list[bool]]:
    """Return for each attribute, and for all four together, which melodies match their
    captions.
    """
    pairs = list(zip(wanted, heard, strict=True))
    right = {
        name: [getattr(a, name) == getattr(b, name) for a, b in pairs]
        for name in ("timbre", "tempo", "register", "mode")
    }
    return right | {"all": [a == b for a, b in pairs]}


def _notes(wave: Float[Tensor, " sample"]) -> list[tuple[int, int]]:
    """Return the first and last sample of each note."""
    size = len(wave) // _HOP * _HOP
    loudness = wave[:size].view(-1, _HOP).square().mean(dim=1).sqrt()
    sounds = loudness > _QUIET * loudness.mean()
    if not sounds.any():
        raise ValueError("There is no sound to listen to: all samples are zero.")
    edges = torch.cat((torch.zeros(1), sounds.float(), torch.zeros(1))).diff()
    starts = (edges == 1).nonzero().flatten().tolist()
    ends = (edges == -1).nonzero().flatten().tolist()
    return [
        (start * _HOP, end * _HOP)
        for start, end in zip(starts, ends, strict=True)
        if (end - start) * _HOP > 0.02 * RATE
    ]


def _frequency(tone: Float[Tensor, " sample"]) -> float:
    """Return the frequency of a tone in hertz, by its autocorrelation."""
    size = len(tone)
    spectrum = torch.fft.rfft(tone, 2 * size)
    shortest, longest = int(RATE / _HIGHEST_HERTZ), int(RATE / _LOWEST_HERTZ)
    similarity = torch.fft.irfft(spectrum.abs().square())[: longest + 2]
    overlap = size - torch.arange(len(similarity))
    similarity = similarity / overlap.clamp(min=1)
    inner = similarity[1:-1]
    peaks = (inner >= similarity[:-2]) & (inner > similarity[2:])
    peaks[: shortest - 1] = False
    lags = peaks.nonzero().flatten() + 1
    if not len(lags):
        return _LOWEST_HERTZ
    high = similarity[lags] >= _PEAK * similarity[lags].max()
    lag = int(lags[high][0])
    before, here, after = similarity[lag - 1 : lag + 2].tolist()
    # The peak of the parabola through the three values lies between two samples.
    shift = 0.5 * (before - after) / min(before - 2 * here + after, -1e-12)
    return RATE / (lag + shift)


def _timbre(middles: Sequence[Tensor], tones: Sequence[float]) -> str:
    """Determine the timbre from the second and third harmonic relative to the first."""
    second = third = 0.0
    for tone, base in zip(middles, tones, strict=True):
        seconds = torch.arange(len(tone)) / RATE
        window = torch.hann_window(len(tone), periodic=False)
        turns = [torch.exp(-2j * torch.pi * n * base * seconds) for n in (1, 2, 3)]
        strengths = [float((tone * window * turn).sum().abs()) for turn in turns]
        second += strengths[1] / max(strengths[0], 1e-9) / len(tones)
        third += strengths[2] / max(strengths[0], 1e-9) / len(tones)
    if third < _BRIGHT:
        return "sine"
    return "sawtooth" if second > _EVEN else "square"


def _mode(pitches: Sequence[int]) -> str:
    """Determine the mode from the pitch classes above the last note, the tonic."""
    above = [(pitch - pitches[-1]) % 12 for pitch in pitches]
    major = sum(above.count(interval) for interval in (4, 9, 11))
    minor = sum(above.count(interval) for interval in (3, 8, 10))
    return "major" if major >= minor else "minor"
