import pytest

from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    byte_to_unicode,
    train_bpe,
)


def test_vocabulary_order_is_special_tokens_bytes_merges():
    tokenizer = train_bpe("low low lower", 261, special_tokens=["<|a|>", "<|b|>"])
    assert tokenizer.special_tokens == {"<|a|>": 0, "<|b|>": 1}
    assert tokenizer.token_bytes[:2] == [b"<|a|>", b"<|b|>"]
    assert tokenizer.token_bytes[2:258] == [bytes([byte]) for byte in byte_to_unicode()]
    assert tokenizer.token_bytes[258:] == [b"lo", b"low", b" low"]
    assert tokenizer.merges == [(b"l", b"o"), (b"lo", b"w"), (b" ", b"low")]
    assert tokenizer.pattern == GPT4_PATTERN


def test_pairs_do_not_cross_texts():
    together = train_bpe("abab", 257, GPT2_PATTERN)
    assert together.merges == [(b"a", b"b")]
    assert train_bpe(["a", "b", "a", "b"], 257, GPT2_PATTERN).merges == []
    assert train_bpe(iter(["abab"]), 257, GPT2_PATTERN) == together


def test_merges_do_not_cross_words():
    merges = train_bpe("a b a b a b 12 12 12 12", 1000, GPT4_PATTERN).merges
    assert {left + right for left, right in merges} == {b" a", b" b", b"12"}


def test_vocabulary_is_smaller_when_pairs_run_out():
    assert train_bpe("ab", 10_000).vocab_size == 257
    assert train_bpe("", 10_000).vocab_size == train_bpe([], 10_000).vocab_size == 256


def test_merges_never_produce_a_special_token():
    tokenizer = train_bpe(
        "hello hello hello hello", 400, special_tokens=["hello", "ell"]
    )
    assert b"hello" not in {left + right for left, right in tokenizer.merges}
    ids = tokenizer.encode("hello hello", special_as_text=True)
    assert not {0, 1} & set(ids)
    assert tokenizer.decode(ids) == "hello hello"


def test_train_bpe_time_does_not_grow_quadratically_with_word_length():
    word = "ab" * 100_000
    tokenizer = train_bpe(word, 256 + 30)
    assert tokenizer.token_bytes[256:259] == [b"ab", b"abab", b"abababab"]


@pytest.mark.parametrize(
    ("size", "special"),
    [(255, []), (0, []), (-1, []), (257, ["<|a|>", "<|b|>"]), (1 << 21, [])],
)
def test_vocab_size_out_of_range_is_refused(size, special):
    smallest = rf"from {256 + len(special)} \(256 bytes and {len(special)} "
    with pytest.raises(ValueError, match=f"{smallest}.*got {size}"):
        train_bpe("text", size, special_tokens=special)


@pytest.mark.parametrize(
    ("special", "message"),
    [
        ([""], "at least two bytes, got ''"),
        (["a"], "at least two bytes, got 'a'"),
        (["<|a|>", "<|a|>"], r"got '<\|a\|>' twice"),
        ("<|a|>", "must be a list of strings, got the string"),
        ([3], "must be a string, got int|Type-check"),
        (["\ud800<"], "lone surrogate"),
    ],
)
def test_special_tokens_are_checked(special, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train_bpe("text", 1000, special_tokens=special)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("ab\udc80", "position 2"),
        (["a", "\ud83d"], "position 0"),
        ([b"a"], "bytes|Type-check"),
    ],
)
def test_train_bpe_refuses_invalid_texts(texts, message):
    # with the type checker on, it raises first
    with pytest.raises((ValueError, TypeError), match=message):
        train_bpe(texts, 300)
