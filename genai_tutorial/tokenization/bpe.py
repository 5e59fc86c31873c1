"""Byte-level byte-pair encoding: encoding and decoding with a trained vocabulary."""

import codecs
import functools
import heapq
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal, SupportsIndex

import regex

from .files import (
    from_document,
    read_hugging_face,
    read_json,
    to_document,
    write_hugging_face,
    write_json,
)
from .vocabulary import PreTokenizer, TokenParts, check_parts, check_text


@dataclass(frozen=True)
class BPETokenizer:
    """A byte-level BPE tokenizer; `train_bpe` makes one from a text.

    Attributes:
        token_bytes: The bytes of each token; a token's index is its number.
        merges: The pairs of tokens to merge, in the order of training.
        special_tokens: Tokens that ordinary text never produces, by their text.
        pattern: The pre-tokenizer, which splits a text into words.
        unknown_id: The token for bytes without a token; None if all 256 have one.
        ignore_merges: If true, a word that is a token becomes that token, even if the
            merges give something else, as in Llama 3.

    Raises:
        ValueError: If the parts are inconsistent: a duplicate token, a merge of
            unknown tokens, a byte without a token.

    Source: Radford et al., "Language models are unsupervised multitask learners"
    (2019), section 2.2.

    >>> from genai_tutorial.tokenization import train_bpe
    >>> tokenizer = train_bpe(
    ...     "low low low lower lowest", 260, special_tokens=["<|end|>"]
    ... )
    >>> ids = tokenizer.encode("lower<|end|>", allowed_special="all")
    >>> [tokenizer.token_bytes[index] for index in ids], tokenizer.decode(ids)
    ([b'low', b'e', b'r', b'<|end|>'], 'lower<|end|>')
    """

    token_bytes: list[bytes]
    merges: list[tuple[bytes, bytes]]
    special_tokens: dict[str, int]
    pattern: PreTokenizer
    unknown_id: int | None = None
    ignore_merges: bool = False

    def __post_init__(self):
        check_parts(self._parts)

    @classmethod
    def from_parts(
        cls,
        token_bytes: Sequence[bytes],
        merges: Iterable[tuple[bytes, bytes]],
        special_tokens: Mapping[str, int],
        pattern: PreTokenizer,
        unknown_id: int | None = None,
        ignore_merges: bool = False,
    ) -> "BPETokenizer":
        """Make a tokenizer from an existing vocabulary, such as a GGUF file's."""
        return cls(
            list(token_bytes),
            [tuple(pair) for pair in merges],
            dict(special_tokens),
            pattern,
            unknown_id,
            ignore_merges,
        )

    @property
    def vocab_size(self) -> int:
        """The number of tokens, including special ones."""
        return len(self.token_bytes)

    def encode(
        self,
        text: str,
        allowed_special: Collection[str] | Literal["all"] = (),
        special_as_text: bool = False,
    ) -> list[int]:
        """Return the tokens of a text.

        Args:
            text: Any text. Text from outside must not contain special tokens, because
                they are instructions to a model.
            allowed_special: The special tokens to recognize in the text; "all" only
                for trusted text.
            special_as_text: Encode all other special tokens as ordinary text instead of
                refusing them.

        Raises:
            ValueError: If the text contains a special token that is not allowed, or a
                lone surrogate.
        """
        check_text(text)
        allowed = self._allowed(allowed_special)
        present = [token for token in self.special_tokens if token in text]
        refused = [token for token in present if token not in allowed]
        if refused and not special_as_text:
            token = min(refused, key=text.index)
            raise ValueError(
                f"The text has the special token {token!r}, at position "
                f"{text.index(token)}. If the text is your own, allow it: "
                f"allowed_special=[{token!r}]. If it comes from outside, remove "
                "it, or encode it as plain text: special_as_text=True."
            )
        present = [token for token in present if token in allowed]
        if not present:
            return self._encode_plain(text)
        # If two special tokens begin at the same position, take the longer one.
        longest_first = sorted(present, key=len, reverse=True)
        pieces = regex.split(f"({'|'.join(map(regex.escape, longest_first))})", text)
        ids = []
        for plain, special in zip(pieces[::2], [*pieces[1::2], None], strict=True):
            ids += self._encode_plain(plain)
            if special is not None:
                ids.append(self.special_tokens[special])
        return ids

    def decode_bytes(self, ids: Iterable[SupportsIndex]) -> bytes:
        """Return the bytes of a list of tokens.

        Raises:
            ValueError: If there is no such token.
        """
        try:
            ids = [operator.index(index) for index in ids]
        except TypeError:
            raise ValueError(
                f"ids must be a list of whole numbers, got {str(ids)[:60]}."
            ) from None
        if ids and not (min(ids) >= 0 and max(ids) < self.vocab_size):
            wrong = next(index for index in ids if not 0 <= index < self.vocab_size)
            raise ValueError(
                f"ids must be from 0 to {self.vocab_size - 1}, got {wrong}."
            )
        return b"".join([self.token_bytes[index] for index in ids])

    def decode(
        self,
        ids: Iterable[SupportsIndex],
        errors: Literal["replace", "strict"] = "replace",
    ) -> str:
        """Return the text of a list of tokens.

        Args:
            ids: The tokens. Not every list of tokens is valid text: its bytes may end
                inside a character.
            errors: "replace" decodes invalid bytes as `�`, "strict" raises.

        Raises:
            ValueError: If there is no such token, or with errors="strict" if the bytes
                are not valid UTF-8.
        """
        if errors not in ("replace", "strict"):
            raise ValueError(f"errors must be 'replace' or 'strict', got {errors!r}.")
        return self.decode_bytes(ids).decode("utf-8", errors)

    def stream(self) -> "StreamDecoder":
        """Return a decoder for tokens that arrive one at a time."""
        return StreamDecoder(self.token_bytes)

    def save(self, path: Path | str) -> None:
        """Write the tokenizer to a JSON file in the book's format."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path | str) -> "BPETokenizer":
        """Read a tokenizer that `save` wrote.

        Raises:
            ValueError: If the file is damaged or has another format.
        """
        return cls(*from_document(read_json(path), path))

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `save` writes, to be stored in another one, such as
        a model's card.
        """
        return to_document(self._parts)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "BPETokenizer":
        """Restore a tokenizer from the result of `to_dict`.

        Raises:
            ValueError: If the dictionary is incomplete or has another format.
        """
        return cls(*from_document(saved, "the given dictionary"))

    def to_hugging_face(self, path: Path | str) -> None:
        """Write the tokenizer as a `tokenizer.json`, which Hugging Face's `tokenizers`
        and `transformers` load.
        """
        write_hugging_face(path, self._parts)

    @classmethod
    def from_hugging_face(cls, path: Path | str) -> "BPETokenizer":
        """Read a `tokenizer.json` with byte-level BPE.

        Raises:
            ValueError: If the file is damaged, or requires something that this
                tokenizer does not support.
        """
        return cls(*read_hugging_face(path))

    @property
    def _parts(self) -> TokenParts:
        return TokenParts(*(getattr(self, name) for name in TokenParts._fields))

    def _allowed(
        self, allowed_special: Collection[str] | Literal["all"]
    ) -> Collection[str]:
        if allowed_special == "all":
            return self.special_tokens
        if isinstance(allowed_special, str):
            raise ValueError(
                'allowed_special must be "all" or a list of special tokens, got '
                f"{allowed_special!r}."
            )
        unknown = [one for one in allowed_special if one not in self.special_tokens]
        if unknown:
            raise ValueError(
                f"allowed_special has {unknown}, which this tokenizer does not have."
            )
        return allowed_special

    def _encode_plain(self, text: str) -> list[int]:
        words = self.pattern.split(text)
        return list(chain.from_iterable(map(self._encode_word_once, words)))

    @functools.cached_property
    def _encode_word_once(self) -> Callable[[str], list[int]]:
        # The same words occur again and again.
        return functools.lru_cache(maxsize=500_000)(self._encode_word)

    @functools.cached_property
    def _ids(self) -> dict[bytes, int]:
        special = set(self.special_tokens.values())
        tokens = enumerate(self.token_bytes)
        return {token: i for i, token in tokens if i not in special}

    @functools.cached_property
    def _bytes_to_ids(self) -> list[int]:
        return [self._ids.get(bytes([byte]), self.unknown_id) for byte in range(256)]

    @functools.cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        return {
            (self._ids[left], self._ids[right]): rank
            for rank, (left, right) in enumerate(self.merges)
        }

    @functools.cached_property
    def _merged(self) -> list[int]:
        return [self._ids[left + right] for left, right in self.merges]

    def _encode_word(self, word: str) -> list[int]:
        if self.ignore_merges and (whole := self._ids.get(word.encode())) is not None:
            return [whole]
        ids = [self._bytes_to_ids[byte] for byte in word.encode()]
        return merge_pairs(ids, self._ranks, self._merged)


def merge_pairs(
    ids: Sequence[int], ranks: Mapping[tuple[int, int], int], merged: Sequence[int]
) -> list[int]:
    """Merge the tokens of a word: the pair with the lowest rank first, then the
    leftmost.

    The pairs wait in a heap, and a linked list holds the tokens' neighbours, so a word
    of n bytes takes O(n log n) steps.

    Args:
        ids: The tokens of the word's bytes.
        ranks: The rank of each pair that may be merged.
        merged: The token that a pair becomes, by rank.

    >>> merge_pairs([0, 1, 0, 1, 1], {(0, 1): 0, (2, 1): 1}, [2, 3])
    [2, 3]
    """
    ids = [*ids, -1]  # the neighbour at both ends, which merges with nothing
    previous = list(range(-1, len(ids) - 1))
    following = list(range(1, len(ids) + 1))
    queue = [
        (rank, i)
        for i, pair in enumerate(pairwise(ids))
        if (rank := ranks.get(pair)) is not None
    ]
    heapq.heapify(queue)
    while queue:
        rank, i = heapq.heappop(queue)
        # one of the two has been merged in the meantime
        if ids[i] < 0 or ranks.get((ids[i], ids[following[i]])) != rank:
            continue
        gone = following[i]
        beyond = following[gone]
        ids[i], ids[gone] = merged[rank], -1
        following[i], previous[beyond] = beyond, i
        for start, pair in (
            (i, (ids[i], ids[beyond])),
            (previous[i], (ids[previous[i]], ids[i])),
        ):
            if (rank := ranks.get(pair)) is not None:
                heapq.heappush(queue, (rank, start))
    return [index for index in ids if index >= 0]


class StreamDecoder:
    """Decodes tokens one at a time and never returns part of a character.

    All pieces joined equal the result of `BPETokenizer.decode` for all tokens: invalid
    bytes become `�`.

    >>> stream = StreamDecoder([b"ca", b"f", b"\\xc3", b"\\xa9"])
    >>> [stream.push(index) for index in (0, 1, 2, 3)]
    ['ca', 'f', '', 'é']
    >>> stream.finish()
    ''
    """

    def __init__(self, token_bytes: Sequence[bytes]):
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, index: int) -> str:
        """Take the next token and return the characters that it completes.

        Raises:
            ValueError: If there is no such token.
        """
        if not 0 <= index < len(self._token_bytes):
            raise ValueError(
                f"A token must be from 0 to {len(self._token_bytes) - 1}, got {index}."
            )
        return self._decoder.decode(self._token_bytes[index])

    def finish(self) -> str:
        """Return the rest after the last token: nothing, or `�` for an incomplete
        character.
        """
        return self._decoder.decode(b"", final=True)
