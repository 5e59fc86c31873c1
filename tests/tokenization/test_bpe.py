import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.data import load_shakespeare
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    StreamDecoder,
    byte_to_unicode,
    invisible,
    train_bpe,
    visible,
)

TEXT = load_shakespeare().validation[:50_000] + "naïve café, 文字と😀😀 Привет" * 20
SPECIAL = ["<|end|>", "<|start|>", "<|end|><|start|>"]
TOKENIZERS = {
    pattern.name: train_bpe(TEXT, 700, pattern, SPECIAL)
    for pattern in (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
}
each_tokenizer = pytest.mark.parametrize(
    "tokenizer", TOKENIZERS.values(), ids=TOKENIZERS
)
one = TOKENIZERS["gpt4"]


@pytest.mark.slow
@each_tokenizer
@given(text=st.text())
def test_encode_and_decode_are_inverse_for_any_text(tokenizer, text):
    ids = tokenizer.encode(text, special_as_text=True)
    assert tokenizer.decode(ids, errors="strict") == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert len(ids) <= len(text.encode())


@pytest.mark.slow
@each_tokenizer
@given(
    text=st.lists(st.sampled_from([*SPECIAL, "the ", "<|end", "|>", "😀", "\n"])).map(
        "".join
    )
)
def test_encode_and_decode_are_inverse_with_special_tokens(tokenizer, text):
    ids = tokenizer.encode(text, allowed_special="all")
    assert tokenizer.decode(ids) == text
    plain = tokenizer.encode(text, special_as_text=True)
    assert tokenizer.decode(plain) == text
    assert not set(plain) & set(tokenizer.special_tokens.values())


@given(st.lists(st.integers(0, one.vocab_size - 1)))
def test_decode_replaces_bytes_that_are_not_text(ids):
    content = one.decode_bytes(ids)
    assert content == b"".join(one.token_bytes[index] for index in ids)
    assert one.decode(ids) == content.decode(errors="replace")


def slow_encode_word(tokenizer, word):
    """Searches all pairs for the lowest rank, leftmost first, after each merge."""
    rank = {pair: i for i, pair in enumerate(tokenizer.merges)}
    tokens = [bytes([byte]) for byte in word.encode()]
    while pairs := [
        (rank[pair], i) for i, pair in enumerate(pairwise(tokens)) if pair in rank
    ]:
        _, i = min(pairs)
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return [tokenizer.token_bytes.index(token) for token in tokens]


@given(st.text(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(0, 4))
def test_encode_merges_by_rank_and_from_the_left(word, seed):
    """With merges in an arbitrary order that no training would produce."""
    generator = random.Random(seed)
    tokens, merges = [b"a", b"b", b"c"], []
    for _ in range(25):
        pair = (generator.choice(tokens), generator.choice(tokens))
        if pair not in merges:
            merges.append(pair)
            tokens.append(pair[0] + pair[1])
    new = [token for token in dict.fromkeys(tokens) if len(token) > 1]
    generator.shuffle(merges)
    tokenizer = BPETokenizer.from_parts(
        [bytes([byte]) for byte in range(256)] + new, merges, {}, GPT2_PATTERN
    )
    assert tokenizer.encode(word) == slow_encode_word(tokenizer, word)


@pytest.mark.slow
def test_encode_time_does_not_grow_quadratically_with_word_length():
    generator = random.Random(0)
    letters = "".join(generator.choices("ethaoin", k=300_000))
    # about a second; quadratic time would take hours and hit pytest's time-out
    ids = one.encode(letters)
    assert one.decode(ids) == letters
    assert ids[:20] == slow_encode_word(one, letters[:200])[:20]


def test_word_cache_is_bounded_and_serves_repeated_words():
    tokenizer = train_bpe("a b c", 260)
    tokenizer.encode("a b a b")
    info = tokenizer._encode_word_once.cache_info()
    assert info.maxsize == 500_000
    assert (info.hits, info.misses) == (1, 3)  # "a", " b", " a", and " b" again


def test_encode_returns_a_fresh_list_each_time():
    first = one.encode("the")
    first.append(-1)
    assert one.encode("the") == first[:-1]


def test_encode_refuses_special_tokens_unless_allowed():
    text = "Hi<|end|>you"
    with pytest.raises(ValueError, match=r"special token '<\|end\|>', at position 2"):
        one.encode(text)
    with pytest.raises(ValueError, match=r"special token '<\|end\|>'"):
        one.encode(text, allowed_special=["<|start|>"])
    assert 0 in one.encode(text, allowed_special=["<|end|>"])
    assert 0 in one.encode(text, allowed_special={"<|end|>"}, special_as_text=True)
    assert 0 not in one.encode(text, ["<|start|>"], special_as_text=True)


def test_encode_prefers_the_longest_special_token():
    assert one.encode("<|end|><|start|><|end|>", allowed_special="all") == [2, 0]


@pytest.mark.parametrize(
    ("allowed", "message"),
    [(["<|e|>"], r"has \['<\|e\|>'\]"), ("<|end|>", '"all" or a list')],
)
def test_allowed_special_is_checked(allowed, message):
    with pytest.raises(ValueError, match=message):
        one.encode("Hi", allowed_special=allowed)


@pytest.mark.parametrize("text", ["a\ud83d", "\udc00", "ok " * 100 + "\udfff"])
def test_encode_refuses_lone_surrogates(text):
    with pytest.raises(ValueError, match=f"lone surrogate, .* {len(text) - 1}: half"):
        one.encode(text)


def test_encode_refuses_bytes():
    # with the type checker on, it raises first
    with pytest.raises(
        (ValueError, TypeError), match=r"must be a string, got bytes|Type-check"
    ):
        one.encode(b"Hi")


@pytest.mark.parametrize("wrong", [-1, 700, 10**30])
def test_decode_names_unknown_ids(wrong):
    with pytest.raises(ValueError, match=f"from 0 to 699, got {wrong}"):
        one.decode([0, wrong])
    with pytest.raises(ValueError, match=f"from 0 to 699, got {wrong}"):
        one.stream().push(wrong)


@pytest.mark.parametrize(
    "wrong", [[1.0], ["a"], [None], [[1]], torch.zeros(2, 2, dtype=torch.long)]
)
def test_decode_needs_whole_numbers(wrong):
    # with the type checker on, it raises first
    with pytest.raises(
        (ValueError, TypeError), match=r"list of whole numbers|Type-check"
    ):
        one.decode(wrong)


def test_decode_accepts_ids_from_torch_and_numpy():
    ids = one.encode("the cat")
    for each in (torch.tensor(ids), np.array(ids), iter(ids)):
        assert one.decode(each) == "the cat"


def test_decode_errors_replace_or_raise():
    half = one.encode("😀")[:-1] or one.encode("é")[:1]
    broken = [one.token_bytes.index(b"\xe9"), *one.encode("a")]
    assert one.decode(broken) == "�a"
    with pytest.raises(ValueError, match="utf-8"):
        one.decode(broken, errors="strict")
    with pytest.raises(
        (ValueError, TypeError), match=r"'replace' or 'strict', got 'ignore'|Type-check"
    ):
        one.decode(half, errors="ignore")


def parts(**changes):
    values = {
        "token_bytes": [bytes([byte]) for byte in range(256)] + [b"ab", b"<|end|>"],
        "merges": [(b"a", b"b")],
        "special_tokens": {"<|end|>": 257},
        "pattern": GPT2_PATTERN,
    }
    return values | changes


def test_from_parts_makes_a_tokenizer():
    tokenizer = BPETokenizer.from_parts(
        **parts(merges=iter([[b"a", b"b"]]), token_bytes=tuple(parts()["token_bytes"]))
    )
    assert tokenizer.encode("abc<|end|>", allowed_special="all") == [256, 99, 257]
    assert tokenizer == BPETokenizer.from_parts(**parts())


ALL = parts()["token_bytes"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_bytes": ALL[:-1]}, "'<|end|>' must be among the tokens .*, 257"),
        ({"special_tokens": {"<|end|>": 256}}, "among the tokens at its number, 256"),
        ({"token_bytes": [*ALL, b"ab"]}, "b'ab' as numbers 256 and 258"),
        ({"token_bytes": [*ALL, b""]}, "one byte or more, got b'' as number 258"),
        ({"token_bytes": [*ALL, "é"]}, "one byte or more, got 'é'"),
        ({"merges": [(b"a", b"b"), (b"a", b"b")]}, "b'a' and b'b' twice"),
        ({"merges": [(b"a", b"c")]}, "b'a' and b'c' needs the token b'ac'"),
        ({"merges": [(b"xy", b"z")]}, "needs the token b'xy'"),
        (
            {"merges": [(b"<", b"|end|>")], "token_bytes": [*ALL, b"|end|>"]},
            "needs the token b'<|end|>'",
        ),
        (
            {"token_bytes": ALL[:100], "merges": [], "special_tokens": {}},
            "100 tokens but none for 156 of the 256 bytes",
        ),
        (
            {"token_bytes": ALL[1:], "special_tokens": {"<|end|>": 256}},
            "none for 1 of the 256 bytes",
        ),
        ({"unknown_id": 258}, "unknown_id must be from 0 to 257, got 258"),
        ({"unknown_id": -1}, "unknown_id must be from 0 to 257, got -1"),
        ({"special_tokens": {"": 257}}, "at least two bytes"),
        ({"special_tokens": {"a": 97}}, "at least two bytes"),
    ],
)
def test_from_parts_refuses_inconsistent_parts(changes, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        BPETokenizer.from_parts(**parts(**changes))


def test_unknown_id_replaces_bytes_without_a_token():
    tokens = [token for token in ALL if token not in (b"\x04", b"\xc3")]
    tokenizer = BPETokenizer.from_parts(
        tokens, [(b"a", b"b")], {"<|end|>": 255}, GPT2_PATTERN, unknown_id=255
    )
    assert tokenizer.encode("ab\x04é") == [254, 255, 255, tokens.index(b"\xa9")]
    assert tokenizer.decode(tokenizer.encode("ab\x04")) == "ab<|end|>"


def test_byte_to_unicode_is_printable_and_unique():
    alphabet = byte_to_unicode()
    assert sorted(alphabet) == list(range(256))
    assert list(alphabet.values()) == sorted(set(alphabet.values()))
    assert all(c.isprintable() and not c.isspace() for c in alphabet.values())


@given(st.binary())
def test_visible_and_invisible_are_inverse(content):
    assert invisible(visible(content)) == content
    assert " " not in visible(content)


def test_invisible_names_characters_that_represent_no_byte():
    with pytest.raises(ValueError, match="'文', which represents no byte"):
        invisible("a文")


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


def test_stream_finish_reports_an_incomplete_character():
    stream = StreamDecoder([b"\xf0\x9f", b"a"])
    assert stream.push(0) == ""
    assert stream.finish() == "�"
    assert stream.push(1) == "a"  # and a new text can begin
