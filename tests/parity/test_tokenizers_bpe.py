"""Byte-level BPE against Hugging Face's `tokenizers`: equal words, merges, ids and
files.
"""

import functools
import json
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.data import load_shakespeare, load_wikipedia
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    train_bpe,
    visible,
)

tokenizers = pytest.importorskip("tokenizers")
pre_tokenizers = pytest.importorskip("tokenizers.pre_tokenizers")

PATTERNS = (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
each_pattern = pytest.mark.parametrize(
    "pattern", PATTERNS, ids=lambda pattern: pattern.name
)
END = "<|endoftext|>"

# Characters that both libraries classify alike: those in Python's Unicode tables, and
# unassigned code points. Characters added to Unicode later can be a letter for one
# library and unassigned for the other; see patterns.py.
SHARED = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.category(chr(code)) not in ("Cn", "Cs") or 0x40000 <= code < 0xE0000
]


def their_pre_tokenizer(pattern):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern is GPT2_PATTERN:
        return byte_level
    if pattern is SMOLLM2_PATTERN:
        return pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), byte_level]
        )
    split = pre_tokenizers.Split(tokenizers.Regex(GPT4_PATTERN.expression), "isolated")
    return pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def their_training(text, vocab_size, pattern, special_tokens=()):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = their_pre_tokenizer(pattern)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def their_ids(tokenizer, text):
    return tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids


def merges_and_vocabulary(ours):
    special = {index: token for token, index in ours.special_tokens.items()}
    vocabulary = {
        special.get(i) or visible(token): i for i, token in enumerate(ours.token_bytes)
    }
    return [[visible(left), visible(right)] for left, right in ours.merges], vocabulary


def assert_same(ours, theirs):
    model = json.loads(theirs.to_str())["model"]
    merges, vocabulary = merges_and_vocabulary(ours)
    assert merges == model["merges"]
    assert vocabulary == model["vocab"]


@pytest.fixture(scope="module")
def texts():
    plays = load_shakespeare()
    return {
        "shakespeare": plays.train + plays.validation,
        "wikipedia": load_wikipedia().text,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "merges", "pattern"),
    [
        ("shakespeare", 4096, GPT2_PATTERN),
        ("wikipedia", 8_000, GPT4_PATTERN),
        ("shakespeare", 4096, SMOLLM2_PATTERN),
    ],
    ids=["gpt2", "gpt4", "smollm2"],
)
def test_merges_and_ids_agree_on_a_whole_corpus(texts, name, merges, pattern):
    ours = train_bpe(texts[name], 257 + merges, pattern, [END])
    theirs = their_training(texts[name], 257 + merges, pattern, [END])
    assert len(ours.merges) == merges
    assert_same(ours, theirs)
    ids = ours.encode(texts[name])
    assert ids == their_ids(theirs, texts[name])
    assert ours.decode(ids) == texts[name]


@pytest.mark.slow
@each_pattern
def test_merges_agree_until_no_pair_is_left(texts, pattern):
    text = texts["wikipedia"][:50_000]
    ours, theirs = train_bpe(text, 10**6, pattern), their_training(text, 10**6, pattern)
    assert 3_000 < ours.vocab_size < 10**6
    assert_same(ours, theirs)


@pytest.mark.slow
@each_pattern
@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(["a", "b", "aa", "ab", "ba", " ", "-", "é"]), max_size=80),
    st.integers(0, 60),
)
def test_merges_agree_on_ties_and_runs(pattern, pieces, merges):
    text = "".join(pieces)
    ours = train_bpe(text, 256 + merges, pattern)
    theirs = their_training(text, 256 + merges, pattern)
    assert_same(ours, theirs)
    backwards = text[::-1]
    assert ours.encode(backwards) == their_ids(theirs, backwards)


@functools.cache
def sample_of(seed):
    """Every shared character of the first plane once in three samples, and some of each
    other plane.
    """
    planes = [
        [character for character in SHARED if ord(character) >> 16 == plane]
        for plane in range(17)
    ]
    others = [
        character
        for plane in planes[1:]
        for character in random.Random(seed).sample(plane, min(200, len(plane)))
    ]
    return planes[0][seed::3] + others


@pytest.mark.slow
@each_pattern
@pytest.mark.parametrize("seed", range(3))
def test_splits_agree_on_characters_of_any_plane(pattern, seed):
    characters = sample_of(seed)
    assert len({ord(character) >> 16 for character in characters}) == 17
    text = "".join(f"a{one}1 {one}'{one} s{one}\n" for one in characters)
    theirs = [word for word, _ in their_pre_tokenizer(pattern).pre_tokenize_str(text)]
    assert [visible(word.encode()) for word in pattern.split(text)] == theirs


@pytest.fixture(scope="module")
def trained(texts, tmp_path_factory):
    """Our tokenizer and theirs for each pattern, theirs read from the file that ours
    wrote.
    """
    text = texts["wikipedia"][:200_000] + "".join(
        random.Random(0).choices(SHARED, k=10_000)
    )
    both = {}
    for pattern in PATTERNS:
        ours = train_bpe(text, 3_000, pattern, [END, "<|im_start|>", "<|im_end|>"])
        path = tmp_path_factory.mktemp("tokenizers") / "tokenizer.json"
        ours.to_hugging_face(path)
        both[pattern] = ours, tokenizers.Tokenizer.from_file(str(path))
    return both


@each_pattern
@pytest.mark.parametrize("seed", range(3))
def test_ids_agree_on_random_unicode_of_every_plane(trained, pattern, seed):
    ours, theirs = trained[pattern]
    generator = random.Random(seed)
    latin = [chr(code) for code in range(0x250)]
    for alphabet in (SHARED, latin, SHARED + latin * 1_000):
        text = "".join(generator.choices(alphabet, k=6_000))
        ids = ours.encode(text)
        assert ids == their_ids(theirs, text)
        assert ours.decode(ids) == text
        assert theirs.decode(ids) == text


@pytest.mark.slow
@each_pattern
@settings(max_examples=150)
@given(
    text=st.text(
        st.sampled_from(SHARED)
        | st.sampled_from("ab 's \t\n\r\x1c\x85\u2028019'")
        | st.characters(max_codepoint=127)
    )
)
def test_ids_agree_on_any_text(trained, pattern, text):
    ours, theirs = trained[pattern]
    assert ours.encode(text) == their_ids(theirs, text)


@each_pattern
def test_special_tokens_agree(trained, pattern):
    ours, theirs = trained[pattern]
    text = f"<|im_start|>user\nHi  {END}{END} 12<|im_end|>\n<|im_start|>"
    ids = ours.encode(text, allowed_special="all")
    assert ids == their_ids(theirs, text)
    assert ids.count(0) == 2
    assert ids[0] == ids[-1] == 1


def test_longest_special_token_agrees(tmp_path):
    ours = train_bpe(
        "some text", 260, GPT2_PATTERN, ["<|end|>", "<|end|><|end|>", "end"]
    )
    ours.to_hugging_face(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in ("<|end|><|end|><|end|>", "end <|end|>end", "the <|end|><|ends"):
        assert ours.encode(text, allowed_special="all") == their_ids(theirs, text)


@each_pattern
def test_tokenizer_json_is_read_by_both_sides(trained, pattern, tmp_path):
    ours, theirs = trained[pattern]
    assert_same(ours, theirs)
    theirs.save(str(tmp_path / "theirs.json"))
    assert BPETokenizer.from_hugging_face(tmp_path / "theirs.json") == ours


def test_ids_agree_on_unknown_bytes(tmp_path):
    full = train_bpe("low lower lowest", 262, SMOLLM2_PATTERN, [END])
    kept = [token for token in full.token_bytes if token not in (b"\x04", b"\xc3")]
    ours = BPETokenizer.from_parts(
        kept, full.merges, {END: 0}, SMOLLM2_PATTERN, unknown_id=0
    )
    ours.to_hugging_face(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in ("low\x04\x04er", "é low", "\x04"):
        assert ours.encode(text) == their_ids(theirs, text)
    assert ours.encode("\x04é\x04")[:2] == [0, 0]


@pytest.mark.slow
@each_pattern
def test_ids_agree_with_ignore_merges(trained, pattern, texts, tmp_path):
    """A vocabulary with words that no merge makes, as Llama 3 has them: with
    `ignore_merges` they become one token, without it they do not.
    """
    made, _ = trained[pattern]
    words = [" encyclopaedia", "Wikipedia", "naïve", " 東京", "zzz", "!?!"]
    tokens = made.token_bytes + [word.encode() for word in words]
    assert len(set(tokens)) == len(tokens)
    text = " ".join(words) + texts["wikipedia"][:100_000] + END + "".join(words)
    for ignore_merges in (True, False):
        ours = BPETokenizer.from_parts(
            tokens, made.merges, made.special_tokens, pattern,
            ignore_merges=ignore_merges,
        )  # fmt: skip
        path = tmp_path / "ours.json"
        ours.to_hugging_face(path)
        document = json.loads(path.read_text(encoding="utf-8"))
        document["normalizer"] = {"type": "Sequence", "normalizers": []}
        path.write_text(json.dumps(document), encoding="utf-8")
        theirs = tokenizers.Tokenizer.from_file(str(path))
        theirs.save(str(tmp_path / "theirs.json"))
        assert '"normalizers": []' in (tmp_path / "theirs.json").read_text()
        read = BPETokenizer.from_hugging_face(tmp_path / "theirs.json")
        assert read == ours
        ids = read.encode(text, allowed_special="all")
        assert ids == their_ids(theirs, text)
        assert read.decode(ids) == text
        assert (len(made.token_bytes) in ids) == ignore_merges  # the first word
