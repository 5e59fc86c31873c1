"""Training of byte-pair encoding: merge the pair that stands side by side most often, and again, and again."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tqdm.auto import tqdm

from genai_tutorial.tokenization.bpe import BPETokenizer
from genai_tutorial.tokenization.byte_alphabet import byte_to_unicode
from genai_tutorial.tokenization.patterns import GPT4_PATTERN, PreTokenizer
from genai_tutorial.tokenization.vocabulary import check_special_tokens, check_text

LARGEST_VOCABULARY = 0x110000
"""While it trains, each token is one character of a Python string, and there are no more characters than these."""


def train_bpe(
    texts: str | Iterable[str],
    vocab_size: int,
    pattern: PreTokenizer = GPT4_PATTERN,
    special_tokens: Sequence[str] = (),
    progress: bool = False,
) -> BPETokenizer:
    """Learns a byte-level byte-pair encoding from texts.

    The vocabulary is the special tokens, then the 256 bytes in the order of `byte_to_unicode`, then one token for each
    merge. Of several pairs that are equally frequent, the one with the lowest token numbers is merged first. The result
    is that of Hugging Face's `BpeTrainer`, merge for merge. A short text can run out of pairs; the vocabulary is then
    smaller than asked for.

    Args:
        texts: One text, or several that have no words in common.
        vocab_size: How many tokens to have in the end, special tokens and bytes included.
        pattern: How a text is cut into words.
        special_tokens: Tokens that no text can spell, for example "<|endoftext|>". In `texts` they are ordinary text.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If `vocab_size` cannot hold the bytes and special tokens, or a text has half a character.

    Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units" (2016), section
    3.2; on bytes as in GPT-2.

    >>> tokenizer = train_bpe("low low low lower lowest", 259)
    >>> tokenizer.merges
    [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low')]
    """
    check_special_tokens(special_tokens)
    smallest = 256 + len(special_tokens)
    if not smallest <= vocab_size <= LARGEST_VOCABULARY:
        raise ValueError(
            f"vocab_size must be from {smallest} (256 bytes and {len(special_tokens)} special tokens) to "
            f"{LARGEST_VOCABULARY}, got {vocab_size}."
        )
    tokens = [token.encode() for token in special_tokens]
    tokens += [bytes([byte]) for byte in byte_to_unicode()]
    merges = _learn_merges(_count_words(texts, pattern), tokens, vocab_size, len(special_tokens), progress)
    return BPETokenizer(tokens, merges, {token: i for i, token in enumerate(special_tokens)}, pattern)


def _count_words(texts: str | Iterable[str], pattern: PreTokenizer) -> Counter[str]:
    counts = Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        check_text(text)
        counts.update(pattern.split(text))
    return counts


def _learn_merges(
    word_counts: Counter[str], tokens: list[bytes], vocab_size: int, first_byte: int, progress: bool
) -> list[tuple[bytes, bytes]]:
    """Appends the new tokens to `tokens` and returns the merges in their order.

    A word is a string with one character a token, so that Python's fast `find` and `replace` do the work. A merge
    changes only the counts of the pairs beside it: nothing is ever counted twice.
    """
    number = {token: i for i, token in enumerate(tokens)}
    special = set(tokens[:first_byte])
    as_token = {byte: chr(first_byte + place) for place, byte in enumerate(byte_to_unicode())}
    words = [word.encode().decode("latin-1").translate(as_token) for word in word_counts]
    counts = list(word_counts.values())

    pair_counts: dict[str, int] = defaultdict(int)
    places: dict[str, list[int]] = defaultdict(list)
    for place, (word, count) in enumerate(zip(words, counts, strict=True)):
        for pair in map(str.__add__, word, word[1:]):
            pair_counts[pair] += count
            places[pair].append(place)
    # The most frequent pair first, then the one with the lowest numbers; the serial number settles what is left.
    queue = [(-pair_counts[pair], pair, serial, where) for serial, (pair, where) in enumerate(places.items())]
    heapq.heapify(queue)
    serial = len(queue)

    merges: dict[tuple[bytes, bytes], None] = {}
    bar = tqdm(total=vocab_size - len(tokens), desc="merges", disable=not progress)
    while queue and len(tokens) < vocab_size:
        count, pair, _, where = heapq.heappop(queue)
        if -count != pair_counts[pair]:  # other merges have taken some of its places since
            if pair_counts[pair] > 0:
                heapq.heappush(queue, (-pair_counts[pair], pair, serial, where))
                serial += 1
            continue
        left, right = pair
        parts = tokens[ord(left)], tokens[ord(right)]
        token = parts[0] + parts[1]
        if token in special:  # ordinary text must never become a special token
            continue
        merges.pop(parts, None)  # a pair that returns counts where it returned
        merges[parts] = None
        if token not in number:
            number[token] = len(tokens)
            tokens.append(token)
            bar.update()
        merged = chr(number[token])

        before, after = defaultdict(int), defaultdict(int)
        places = defaultdict(list)
        for place in where:
            word, count = words[place], counts[place]
            end, start = 0, word.find(pair)
            if start < 0:
                continue
            while start >= 0:
                if start:
                    neighbour = merged if start == end else word[start - 1]
                    before[neighbour] += count
                    places[neighbour + merged].append(place)
                end = start + 2
                if end < len(word):
                    neighbour = word[end]
                    after[neighbour] += count
                    places[merged + neighbour].append(place)
                start = word.find(pair, end)
            words[place] = word.replace(pair, merged)
        for neighbour, count in before.items():
            pair_counts[neighbour + left] -= count
            pair_counts[neighbour + merged] += count
        for neighbour, count in after.items():
            pair_counts[right + neighbour] -= count
            pair_counts[merged + neighbour] += count
        for new, where in places.items():
            if pair_counts[new] > 0:
                heapq.heappush(queue, (-pair_counts[new], new, serial, where))
                serial += 1
    bar.close()
    return list(merges)
