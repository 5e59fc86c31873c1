import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.cli.server.worker import TextStream
from genai_tutorial.tokenization import StreamDecoder


def streamed(data, stops=(), trim=False):
    """Return the pieces of a text whose tokens are these chunks of bytes, up to the
    token after which nothing more would be drawn.
    """
    text = TextStream(StreamDecoder(data), stops, trim)
    pieces = []
    for token in range(len(data)):
        pieces.append(text.push(token))
        if text.is_stopped:
            break
    return [*pieces, text.finish()]


def cut(text, stops):
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places, default=len(text))]


@settings(max_examples=200)
@given(
    st.text("abé🙂", max_size=12),
    st.lists(st.text("abé🙂", min_size=1, max_size=3), max_size=3),
    st.lists(st.integers(0, 40), max_size=8),
)
def test_text_stream_gives_the_text_before_the_first_stop(text, stops, cuts):
    """However characters and stops are split into tokens."""
    data = text.encode()
    ends = sorted({min(end, len(data)) for end in cuts} | {len(data)})
    tokens = [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    pieces = streamed(tokens, stops)
    # a stop that is complete ends the text, also if another begins before it
    ends = [text.find(s) + len(s) for s in stops if s in text] or [len(text)]
    assert "".join(pieces) in {cut(text[:end], stops) for end in [*ends, len(text)]}
    assert not any(stop in "".join(pieces) for stop in stops)
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)
    if not any(stop in text for stop in stops):
        assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("tokens", "stops", "pieces"),
    [
        ([b"ab", b"c"], [], ["ab", "c", ""]),
        ([b"ab", b"cd"], ["bc"], ["a", "", ""]),  # across two tokens
        ([b"ab", b"ad"], ["bc"], ["a", "bad", ""]),  # held back, then released
        ([b"ab"], ["bc"], ["a", "b"]),  # released at the end
        ([b"a\xc3", b"\xa9b"], [], ["a", "éb", ""]),
        ([b"a\xc3", b"\xa9b"], ["é"], ["a", "", ""]),
        ([b"\xf0\x9f", b"\x99", b"\x82!"], [], ["", "", "🙂!", ""]),
        ([b"a\xc3"], [], ["a", "�"]),  # a character that is never completed
        ([b"aab"], ["ab", "aa"], ["", ""]),
    ],
)
def test_text_stream_holds_back_what_is_not_certain(tokens, stops, pieces):
    assert streamed(tokens, stops) == pieces


def test_text_stream_trims_spaces_at_the_beginning_only():
    assert streamed([b" ", b" a", b" b"], trim=True) == ["", "a", " b", ""]
    assert streamed([b" a"], trim=False) == [" a", ""]
