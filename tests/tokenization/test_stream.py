import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tokenization import StreamDecoder, train_bpe

TOKENIZER = train_bpe(
    "the 文字 is 文字, the 😀 is 😀 and é", 320, special_tokens=["<|end|>"]
)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_the_pieces_are_the_whole(ids):
    stream = TOKENIZER.stream()
    pieces = [stream.push(index) for index in ids]
    assert "".join(pieces) + stream.finish() == TOKENIZER.decode(ids)


@given(st.text())
def test_a_text_comes_without_half_characters_and_without_delay(text):
    stream = TOKENIZER.stream()
    ids = TOKENIZER.encode(text, special_as_text=True)
    shown = ""
    for place, index in enumerate(ids, start=1):
        shown += stream.push(index)
        so_far = TOKENIZER.decode_bytes(ids[:place])
        assert text.startswith(shown)
        # only the beginning of one character waits
        assert len(so_far) - len(shown.encode()) < 4
        assert shown.encode() == so_far or so_far.decode(errors="ignore") == shown
    assert stream.finish() == ""


def test_an_emoji_comes_when_its_last_byte_is_there():
    stream = StreamDecoder([b"\xf0", b"\x9f", b"\x98", b"\x80", b"!"])
    assert [stream.push(index) for index in (0, 1, 2, 3, 4)] == ["", "", "", "😀", "!"]


def test_what_was_cut_off_is_said_at_the_end():
    stream = StreamDecoder([b"\xf0\x9f", b"a"])
    assert stream.push(0) == ""
    assert stream.finish() == "�"
    assert stream.push(1) == "a"  # and a new text can begin


def test_broken_bytes_do_not_stop_the_stream():
    stream = StreamDecoder([b"\xf0\x9f", b"a"])
    assert [stream.push(index) for index in (0, 1)] == ["", "�a"]


def test_strict_raises():
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
