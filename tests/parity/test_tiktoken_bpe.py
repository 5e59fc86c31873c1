"""Byte-level BPE against OpenAI's `tiktoken` with the same vocabulary: equal ids."""

import random
import unicodedata

import pytest

from genai_tutorial.data import load_wikipedia
from genai_tutorial.tokenization import GPT2_PATTERN, GPT4_PATTERN, train_bpe

tiktoken = pytest.importorskip("tiktoken")

# The two patterns as tiktoken writes them: different expressions, the same splits.
THEIRS = {
    GPT2_PATTERN: (
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| "
        r"?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    ),
    GPT4_PATTERN: (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| "
        r"?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
}


@pytest.fixture(scope="module", params=THEIRS, ids=lambda pattern: pattern.name)
def both(request):
    pattern = request.param
    ours = train_bpe(load_wikipedia().text, 4_096, pattern, ["<|endoftext|>"])
    ranks = {token: i for i, token in enumerate(ours.token_bytes) if i > 0}
    theirs = tiktoken.Encoding(
        "book",
        pat_str=THEIRS[pattern],
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": 0},
    )
    return ours, theirs


@pytest.mark.slow
def test_ids_agree_on_a_whole_corpus(both):
    ours, theirs = both
    text = load_wikipedia().text
    assert ours.encode(text) == theirs.encode(text)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ids_agree_on_random_unicode(both, seed):
    ours, theirs = both
    old = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs")
    ]
    generator = random.Random(seed)
    for alphabet in (old, "ab 's'LL \t\n\r\x1c\x85\u202801239'é文"):
        text = "".join(generator.choices(alphabet, k=30_000))
        assert ours.encode(text) == theirs.encode(text)


def test_allowed_special_tokens_agree(both):
    ours, theirs = both
    text = "first<|endoftext|>second"
    assert ours.encode(text, allowed_special="all") == theirs.encode(
        text, allowed_special="all"
    )
    assert ours.encode(text, special_as_text=True) == theirs.encode(
        text, disallowed_special=()
    )
    for tokenizer in both:
        with pytest.raises(ValueError, match="endoftext"):
            tokenizer.encode(text)
