"""Training of byte-pair encoding: repeatedly merge the most frequent pair."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from .bpe import BPETokenizer
from .vocabulary import (
    GPT4_PATTERN,
    PreTokenizer,
    byte_to_unicode,
    check_special_tokens,
    check_text,
)

_LARGEST_VOCABULARY = 0x110000
"""During training each token is one character of a Python string, and there are no more
characters than these.
"""


def train_bpe(
    texts: str | Iterable[str],
    vocab_size: int,
    pattern: PreTokenizer = GPT4_PATTERN,
    special_tokens: Sequence[str] = (),
) -> BPETokenizer:
    """Train a byte-level byte-pair encoding on texts.

    The vocabulary consists of the special tokens, the 256 bytes in the order of
    `byte_to_unicode`, and one token for each merge. Of equally frequent pairs, the one
    whose left token has the lowest number is merged first, and then the one whose right
    token does, as in Hugging Face's `BpeTrainer`. If a short text runs out of pairs,
    the vocabulary is smaller than requested.

    Args:
        texts: One text or several; words do not extend from one text into the next.
        vocab_size: The number of tokens, including bytes and special tokens.
        pattern: The pre-tokenizer, which splits a text into words.
        special_tokens: Tokens that ordinary text never produces, for example
            `<|endoftext|>`. In `texts` they are ordinary text.

    Raises:
        ValueError: If `vocab_size` is too small for the bytes and special tokens, or a
            text has a lone surrogate.

    Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with
    subword units" (2016), section 3.2; on bytes as in GPT-2.

    >>> tokenizer = train_bpe("low low low lower lowest", 259)
    >>> tokenizer.merges
    [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low')]
    """
    check_special_tokens(special_tokens)
    smallest = 256 + len(special_tokens)
    if not smallest <= vocab_size <= _LARGEST_VOCABULARY:
        raise ValueError(
            f"vocab_size must be from {smallest} (256 bytes and {len(special_tokens)} "
            f"special tokens) to {_LARGEST_VOCABULARY}, got {vocab_size}."
        )
    tokens = [token.encode() for token in special_tokens]
    tokens += [bytes([byte]) for byte in byte_to_unicode()]
    trainer = BPETrainer(_count_words(texts, pattern), tokens, len(special_tokens))
    merges = trainer.run(vocab_size)
    return BPETokenizer(
        tokens, merges, {token: i for i, token in enumerate(special_tokens)}, pattern
    )


def _count_words(texts: str | Iterable[str], pattern: PreTokenizer) -> Counter[str]:
    counts = Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        check_text(text)
        counts.update(pattern.split(text))
    return counts


class BPETrainer:
    """Keeps the count of each pair of neighbours and the words that contain it.

    Each distinct word is stored once, with its count, as a string with one character
    per token, so that Python's `find` and `replace` do the searching. A merge changes
    only the counts of the pairs beside it; nothing is counted again.
    """

    def __init__(self, word_counts: Counter[str], tokens: list[bytes], first_byte: int):
        self.tokens = tokens
        self.special = set(tokens[:first_byte])
        bytes_in_order = enumerate(byte_to_unicode(), start=first_byte)
        as_token = {byte: chr(number) for number, byte in bytes_in_order}
        self.words = [
            word.encode().decode("latin-1").translate(as_token) for word in word_counts
        ]
        self.counts = list(word_counts.values())
        self.pair_counts: dict[str, int] = defaultdict(int)
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self.words):
            for pair in map(str.__add__, word, word[1:]):
                self.pair_counts[pair] += self.counts[place]
                self.places[pair].append(place)

    def run(self, vocab_size: int) -> list[tuple[bytes, bytes]]:
        """Append the new tokens to `tokens` and return the merges in order."""
        merges = []
        # The most frequent pair comes first; comparing the strings breaks ties in
        # favour of the lowest numbers.
        queue = [(-count, pair) for pair, count in self.pair_counts.items()]
        heapq.heapify(queue)
        while queue and len(self.tokens) < vocab_size:
            count, pair = heapq.heappop(queue)
            # other merges have used up some occurrences: back with the current count
            if -count != self.pair_counts[pair]:
                if self.pair_counts[pair] > 0:
                    heapq.heappush(queue, (-self.pair_counts[pair], pair))
                continue
            left, right = (self.tokens[ord(token)] for token in pair)
            # ordinary text must never become a special token
            if left + right in self.special:
                continue
            # This token is new: the same bytes within a word have always been merged
            # in the same way.
            merges.append((left, right))
            self.tokens.append(left + right)
            for new in self._merge(pair, chr(len(self.tokens) - 1)):
                heapq.heappush(queue, (-self.pair_counts[new], new))
        return merges

    def _merge(self, pair: str, merged: str) -> list[str]:
        """Replace the pair by the new token in every word, and return the pairs that
        this creates.
        """
        # how often each token precedes or follows the new one
        before, after = defaultdict(int), defaultdict(int)
        made = defaultdict(list)
        # each word once, even if it contains the pair twice
        for place in dict.fromkeys(self.places.pop(pair)):
            word, count = self.words[place], self.counts[place]
            end, start = -1, word.find(pair)
            while start >= 0:
                if start > 0:
                    neighbour = merged if start == end else word[start - 1]
                    before[neighbour] += count
                    made[neighbour + merged].append(place)
                end = start + 2
                if end < len(word):
                    neighbour = word[end]
                    after[neighbour] += count
                    made[merged + neighbour].append(place)
                start = word.find(pair, end)
            self.words[place] = word.replace(pair, merged)
        for neighbour, count in before.items():
            self.pair_counts[neighbour + pair[0]] -= count
            self.pair_counts[neighbour + merged] += count
        for neighbour, count in after.items():
            self.pair_counts[pair[1] + neighbour] -= count
            self.pair_counts[merged + neighbour] += count
        self.places.update(made)
        return [new for new in made if self.pair_counts[new] > 0]
