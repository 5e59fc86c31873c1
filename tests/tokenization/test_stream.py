import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import StreamDecoder, train_bpe

TOKENIZER = train_bpe(
    "the 文字 is 文字, the 😀 is 😀 and é", 320, special_tokens=["<|end|>"]
)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_stream_pieces_joined_equal_decode(ids):
    stream = TOKENIZER.stream()
    pieces = [stream.push(index) for index in ids]
    assert "".join(pieces) + stream.finish() == TOKENIZER.decode(ids)


@given(st.text())
def test_stream_returns_whole_characters_without_delay(text):
    stream = TOKENIZER.stream()
    ids = TOKENIZER.encode(text, special_as_text=True)
    shown = ""
    for place, index in enumerate(ids, start=1):
        shown += stream.push(index)
        so_far = TOKENIZER.decode_bytes(ids[:place])
        assert text.startswith(shown)
        # at most the beginning of one character is held back
        assert len(so_far) - len(shown.encode()) < 4
        assert shown.encode() == so_far or so_far.decode(errors="ignore") == shown
    assert stream.finish() == ""


def test_stream_returns_an_emoji_with_its_last_byte():
    stream = StreamDecoder([b"\xf0", b"\x9f", b"\x98", b"\x80", b"!"])
    assert [stream.push(index) for index in (0, 1, 2, 3, 4)] == ["", "", "", "😀", "!"]


def test_stream_finish_reports_an_incomplete_character():
    stream = StreamDecoder([b"\xf0\x9f", b"a"])
    assert stream.push(0) == ""
    assert stream.finish() == "�"
    assert stream.push(1) == "a"  # and a new text can begin


def test_stream_continues_after_invalid_bytes():
    stream = StreamDecoder([b"\xf0\x9f", b"a"])
    assert [stream.push(index) for index in (0, 1)] == ["", "�a"]


def test_stream_strict_raises():
    tokens = [b"\xf0\x9f", b"a"]
    stream = StreamDecoder(tokens, errors="strict")
    stream.push(0)
    with pytest.raises(ValueError, match="utf-8"):
        stream.push(1)
    stream = StreamDecoder(tokens, errors="strict")
    stream.push(0)
    with pytest.raises(ValueError, match="utf-8"):
        stream.finish()
    with pytest.raises(
        (ValueError, TypeError), match=r"'replace' or 'strict', got 'ignore'|Type-check"
    ):
        StreamDecoder(tokens, errors="ignore")
