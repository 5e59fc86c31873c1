"""The chorales: the grid, the split, and that our reader agrees with music21."""

import io
import zipfile
from functools import partial
from xml.etree import ElementTree

import pytest
import torch

from genai_tutorial.data import HOLD, REST, load_chorale_split, load_chorales
from genai_tutorial.data.chorales import read_musicxml, read_score
from tests.mutants import mutants, refusals


def score(*parts: str) -> ElementTree.Element:
    """Return a score whose parts are lists of elements, in quarters of 3/4."""
    head = (
        "<attributes><divisions>2</divisions>"
        "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )
    written = ""
    for part in parts:
        bars = part.strip("|").replace("|", f"</measure><measure>{head}")
        written += f"<part><measure>{head}{bars}</measure></part>"
    return ElementTree.fromstring(f"<score-partwise>{written}</score-partwise>")


def note(step: str, octave: int, duration: int, more: str = "", alter: int = 0) -> str:
    return (
        f"<note><pitch><step>{step}</step><alter>{alter}</alter>"
        f"<octave>{octave}</octave></pitch><duration>{duration}</duration>{more}</note>"
    )


def test_musicxml_reader_keeps_repeated_notes_and_joins_tied_ones():
    upbeat = note("G", 4, 2)
    repeated = upbeat + "|" + note("G", 4, 2) + note("A", 4, 2) + note("A", 4, 2)
    tied = (
        note("C", 4, 2, '<tie type="start"/>')
        + "|"
        + note("C", 4, 4, '<tie type="stop"/>')
        + note("F", 3, 2, alter=1)
    )
    rest = "<note><rest/><duration>2</duration></note>|" + note("C", 3, 6)
    fermata = "<notations><fermata/></notations>"
    ends = note("C", 5, 2) + "|" + note("D", 5, 4) + note("C", 5, 2, fermata)
    chorale = read_musicxml(score(ends, repeated, tied, rest), "test")
    assert chorale.cells.tolist() == [
        [72, HOLD, 74, HOLD, HOLD, HOLD, 72, HOLD],
        [67, HOLD, 67, HOLD, 69, HOLD, 69, HOLD],
        [60, HOLD, HOLD, HOLD, HOLD, HOLD, 54, HOLD],
        [REST, REST, 48, HOLD, HOLD, HOLD, HOLD, HOLD],
    ]
    assert chorale.beats.tolist() == [4, 5, 0, 1, 2, 3, 4, 5]  # an upbeat of a quarter
    assert chorale.fermatas.tolist() == [False] * 6 + [True] * 2


@pytest.fixture(scope="module")
def chorales():
    pytest.importorskip("music21")
    return load_chorales()


def test_chorales_are_different_and_in_four_parts(chorales):
    assert len(chorales) == 331
    assert len({chorale.name for chorale in chorales}) == 331
    assert len({tuple(c.cells.flatten().tolist()) for c in chorales}) >= 326
    for chorale in chorales:
        assert chorale.cells.shape == (4, len(chorale.beats))
        assert (chorale.cells[:, 0] != HOLD).all()
        pitches = chorale.cells[chorale.cells < HOLD]
        assert pitches.min() >= 36
        assert pitches.max() <= 81


def test_chorale_split_keeps_melodies_together(chorales):
    train, held_out = load_chorale_split()
    assert len(train) + len(held_out) == len(chorales)
    assert 33 <= len(held_out) <= 45
    assert not {c.melody for c in train} & {c.melody for c in held_out}
    assert len({c.melody for c in chorales}) < len(chorales)  # so a split by name leaks


def test_chorale_melody_is_the_same_in_every_key(chorales):
    chorale = chorales[0]
    moved = torch.where(chorale.cells < HOLD, chorale.cells + 3, chorale.cells)
    assert type(chorale)("x", moved, chorale.beats, chorale.fermatas).melody == (
        chorale.melody
    )


@pytest.mark.slow
def test_musicxml_reader_agrees_with_music21(chorales):
    """Pitches at each eighth, onsets, and beats, on every 25th chorale."""
    corpus = pytest.importorskip("music21.corpus")
    for chorale in chorales[::25]:
        parsed = corpus.parse(f"bach/{chorale.name}.mxl")
        for voice, part in enumerate(parsed.parts):
            expected = torch.full((chorale.cells.shape[1],), REST)
            for each in part.stripTies().flatten().notes:
                # of a note on an odd sixteenth, the grid has the part from the next
                # eighth on
                start = -(-int(4 * each.offset) // 2)
                end = -(-int(4 * (each.offset + each.quarterLength)) // 2)
                expected[start:end] = HOLD
                if start < end:
                    expected[start] = each.pitch.midi
            assert torch.equal(chorale.cells[voice], expected), (chorale.name, voice)
        first = parsed.parts[0]
        for each in first.flatten().notes:
            place = 2 * each.offset
            if place == int(place):
                beat = int(chorale.beats[int(place)])
                assert beat == int(2 * (each.beat - 1)), (chorale.name, each.offset)


def packed(text: bytes, name: str = "score.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return file.getvalue()


def test_a_score_is_read_packed_or_not(tmp_path):
    text = ElementTree.tostring(score(*[note("C", 4, 6)] * 4))
    (tmp_path / "one.xml").write_bytes(text)
    (tmp_path / "two.mxl").write_bytes(packed(text))
    one, two = (read_score(tmp_path / name) for name in ("one.xml", "two.mxl"))
    assert torch.equal(one.cells, two.cells)
    (tmp_path / "one.xml").write_bytes(ElementTree.tostring(score(note("C", 4, 6))))
    assert read_score(tmp_path / "one.xml") is None


@pytest.mark.parametrize(
    "bar",
    [note("H", 4, 6), note("C", 4, 10**9), note("C", 4, "?"), note("C", 4, "1/0"), ""],
)
def test_a_score_with_wrong_notes_is_named(tmp_path, bar):
    path = tmp_path / "wrong.xml"
    path.write_bytes(ElementTree.tostring(score(*[bar] * 4)))
    with pytest.raises(ValueError, match=r"wrong\.xml is damaged or no MusicXML"):
        read_score(path)


def test_a_damaged_score_is_named_or_read(tmp_path):
    whole = ElementTree.tostring(score(*[note("C", 4, 6)] * 4))
    for name, content in (("a.xml", whole), ("a.mxl", packed(whole))):
        path = tmp_path / name
        said = refusals(path, mutants(content, 40), partial(read_score, path))
        assert len(said) > 10
        assert all(str(path) in message for message in said)
    path.write_bytes(packed(b" " * 10_000_001))
    with pytest.raises(ValueError, match="unpacks to 10000001 bytes"):
        read_score(path)
