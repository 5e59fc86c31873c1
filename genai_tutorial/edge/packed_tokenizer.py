"""A tokenizer as a small JSON object, which a page can carry.

A merged token is the concatenation of two earlier ones, so its text need not be stored:
the numbers of the 256 bytes and a list of pairs of numbers describe the vocabulary.
"""

import base64
from typing import Any

import numpy as np

from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    CharacterTokenizer,
)

PATTERNS = {
    pattern.name: pattern for pattern in (GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)
}


def pack_tokenizer(tokenizer: BPETokenizer | CharacterTokenizer) -> dict[str, Any]:
    """Return a tokenizer as a dictionary for JSON: an alphabet as it is; of a
    byte-level BPE, the numbers of the bytes and each merge as two 16-bit numbers.

    Raises:
        ValueError: If the vocabulary has over 65,536 tokens, a byte has no token, or
            the tokens are not numbered in the order of their merges.

    >>> pack_tokenizer(CharacterTokenizer("abc"))
    {'characters': 'abc'}
    """
    if isinstance(tokenizer, CharacterTokenizer):
        return tokenizer.to_dict()
    special = set(tokenizer.special_tokens.values())
    numbers = {
        token: number
        for number, token in enumerate(tokenizer.token_bytes)
        if number not in special
    }
    byte_ids = [numbers.get(bytes([byte])) for byte in range(256)]
    if None in byte_ids or tokenizer.vocab_size > 2**16:
        raise ValueError(
            "A packed vocabulary has a token for each byte and at most 65,536 tokens; "
            f"got {tokenizer.vocab_size:,} tokens, and {byte_ids.count(None)} bytes "
            "without one."
        )
    first = tokenizer.vocab_size - len(tokenizer.merges)
    merged = [numbers[left + right] for left, right in tokenizer.merges]
    if merged != list(range(first, tokenizer.vocab_size)) or tokenizer.ignore_merges:
        raise ValueError(
            "In a packed vocabulary the last tokens are those of the merges, in their "
            "order, and merges are never ignored. Train the tokenizer with train_bpe."
        )
    pairs = np.array(
        [[numbers[left], numbers[right]] for left, right in tokenizer.merges], "<u2"
    )
    return {
        "pattern": tokenizer.pattern.name,
        "special_tokens": dict(tokenizer.special_tokens),
        "byte_ids": byte_ids,
        "first_merge": first,
        "merges": base64.b64encode(pairs.tobytes()).decode("ascii"),
    }


def unpack_tokenizer(packed: dict[str, Any]) -> BPETokenizer | CharacterTokenizer:
    """Return the tokenizer of a dictionary that `pack_tokenizer` made."""
    if set(packed) == {"characters"}:
        return CharacterTokenizer.from_dict(packed)
    try:
        pairs = np.frombuffer(base64.b64decode(packed["merges"]), "<u2").reshape(-1, 2)
        tokens = [b""] * int(packed["first_merge"])
        for byte, number in enumerate(packed["byte_ids"]):
            tokens[number] = bytes([byte])
        for text, number in packed["special_tokens"].items():
            tokens[number] = text.encode("utf-8")
        merges = []
        for left, right in pairs.tolist():
            merges.append((tokens[left], tokens[right]))
            tokens.append(tokens[left] + tokens[right])
        pattern = PATTERNS[packed["pattern"]]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"This is not a packed tokenizer, or it is damaged: {error!r}."
        ) from None
    return BPETokenizer.from_parts(tokens, merges, packed["special_tokens"], pattern)
