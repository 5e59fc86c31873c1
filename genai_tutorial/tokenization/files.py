"""Tokenizers as files: the book's own JSON, and Hugging Face's `tokenizer.json`.

A file is data from outside: nothing in it is trusted before it is checked, and nothing in it is run, not even a regular
expression, which could keep a computer busy for years.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genai_tutorial.tokenization.byte_alphabet import invisible, visible
from genai_tutorial.tokenization.patterns import GPT2_PATTERN, GPT4_PATTERN, PATTERNS, SMOLLM2_PATTERN, PreTokenizer

FORMAT = "genai_tutorial byte-level BPE 1"

Parts = tuple[list[bytes], list[tuple[bytes, bytes]], dict[str, int], PreTokenizer, int | None]
"""Tokens, merges, special tokens, pattern and unknown_id: what a `BPETokenizer` is made of."""


def write_book(
    path: Path | str,
    token_bytes: Sequence[bytes],
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: Mapping[str, int],
    pattern: PreTokenizer,
    unknown_id: int | None,
) -> None:
    """Writes the book's own format."""
    _check_known(pattern)
    document = {
        "format": FORMAT,
        "pattern": pattern.name,
        "unknown_id": unknown_id,
        "special_tokens": dict(special_tokens),
        "tokens": [visible(token) for token in token_bytes],
        "merges": [[visible(left), visible(right)] for left, right in merges],
    }
    _write(path, document)


def read_book(path: Path | str) -> Parts:
    """Reads the book's own format."""
    document = _read(path)
    if document.get("format") != FORMAT:
        raise ValueError(f"{path} is not a tokenizer of this book: its format is not {FORMAT!r}.")
    names = {pattern.name: pattern for pattern in PATTERNS}
    name = _take(document, "pattern", str, path)
    if name not in names:
        raise ValueError(f"{path} wants the pattern {name!r}; there are only {', '.join(names)}.")
    tokens = [invisible(_is(token, str, "each token", path)) for token in _take(document, "tokens", list, path)]
    special = {
        token: _is(i, int, f"the number of {token!r}", path)
        for token, i in _take(document, "special_tokens", dict, path).items()
    }
    unknown = document.get("unknown_id")
    if unknown is not None:
        _is(unknown, int, "unknown_id", path)
    return tokens, _merges(_take(document, "merges", list, path), path), special, names[name], unknown


def write_hugging_face(
    path: Path | str,
    token_bytes: Sequence[bytes],
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: Mapping[str, int],
    pattern: PreTokenizer,
    unknown_id: int | None,
) -> None:
    """Writes a `tokenizer.json`."""
    _check_known(pattern)
    special = {i: token for token, i in special_tokens.items()}
    vocabulary = {special.get(i) or visible(token): i for i, token in enumerate(token_bytes)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    unknown = None if unknown_id is None else special.get(unknown_id) or visible(token_bytes[unknown_id])
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **flags} for i, token in sorted(special.items())],
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[pattern],
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            **_MODEL,
            "unk_token": unknown,
            "vocab": vocabulary,
            "merges": [[visible(left), visible(right)] for left, right in merges],
        },
    }
    _write(path, document)


def read_hugging_face(path: Path | str) -> Parts:
    """Reads a `tokenizer.json` with byte-level BPE."""
    document = _read(path)
    model = _take(document, "model", dict, path)
    if model.get("type") != "BPE":
        raise ValueError(f"{path} has a model of type {model.get('type')!r}; only 'BPE' can be read.")
    for key, value in _MODEL.items():
        if model.get(key) not in (value, None, "", False):
            raise ValueError(f"{path} sets the model's {key} to {model[key]!r}, which this tokenizer does not do.")
    if document.get("normalizer") is not None:
        raise ValueError(
            f"{path} changes a text before it encodes it (a normalizer), which this tokenizer does not do."
        )
    special = {}
    for added in _take(document, "added_tokens", list, path):
        _is(added, dict, "each added token", path)
        content, number = _take(added, "content", str, path), _take(added, "id", int, path)
        if added.get("lstrip") or added.get("rstrip") or added.get("single_word"):
            raise ValueError(
                f"{path} has the added token {content!r} with lstrip, rstrip or single_word, which "
                "this tokenizer does not do."
            )
        if content in special:
            raise ValueError(f"{path} has the added token {content!r} twice.")
        special[content] = number
    numbers: dict[int, bytes] = {number: content.encode("utf-8", "replace") for content, number in special.items()}
    for token, number in _take(model, "vocab", dict, path).items():
        _is(number, int, f"the number of {token!r}", path)
        if special.get(token) == number:
            continue
        if number in numbers:
            raise ValueError(f"{path} gives the number {number} to two tokens.")
        numbers[number] = invisible(token)
    if sorted(numbers) != list(range(len(numbers))):
        raise ValueError(f"{path} must number its {len(numbers)} tokens from 0 to {len(numbers) - 1} without a gap.")
    tokens = [numbers[i] for i in range(len(numbers))]
    unknown = model.get("unk_token")
    if unknown is not None:
        _is(unknown, str, "unk_token", path)
        unknown = special.get(unknown, model["vocab"].get(unknown))
    return tokens, _merges(_take(model, "merges", list, path), path), special, _pattern(document, path), unknown


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


_MODEL = {
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}

_PRE_TOKENIZERS: dict[PreTokenizer, dict[str, Any]] = {
    GPT2_PATTERN: _byte_level(use_regex=True),
    GPT4_PATTERN: {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": GPT4_PATTERN.expression}, "behavior": "Isolated", "invert": False},
            _byte_level(use_regex=False),
        ],
    },
    SMOLLM2_PATTERN: {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, _byte_level(use_regex=True)],
    },
}


def _pattern(document: dict[str, Any], path: Path | str) -> PreTokenizer:
    """Finds which of the three patterns a file's pre-tokenizer is."""

    def plain(part: Any) -> Any:  # trim_offsets changes no token
        if isinstance(part, dict):
            return {key: plain(value) for key, value in part.items() if key != "trim_offsets"}
        return [plain(one) for one in part] if isinstance(part, list) else part

    for pattern, written in _PRE_TOKENIZERS.items():
        if plain(document.get("pre_tokenizer")) == plain(written):
            return pattern
    raise ValueError(
        f"{path} cuts a text into words in a way that this tokenizer does not know: it knows those of "
        f"{', '.join(pattern.name for pattern in PATTERNS)}."
    )


def _check_known(pattern: PreTokenizer) -> None:
    if pattern not in PATTERNS:
        raise ValueError(
            f"Only the patterns {', '.join(p.name for p in PATTERNS)} go into a file, not {pattern.name!r}."
        )


def _merges(written: list, path: Path | str) -> list[tuple[bytes, bytes]]:
    merges = []
    for pair in written:
        parts = pair.split(" ") if isinstance(pair, str) else pair
        if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            raise ValueError(f"{path} must write each merge as two texts, got {str(pair)[:60]!r}.")
        merges.append((invisible(parts[0]), invisible(parts[1])))
    return merges


def _is(value: Any, kind: type, what: str, path: Path | str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{path} must have {what} as {kind.__name__}, got {str(value)[:60]!r}.")
    return value


def _take(document: dict[str, Any], key: str, kind: type, path: Path | str) -> Any:
    if key not in document:
        raise ValueError(f"{path} has no entry {key!r}.")
    return _is(document[key], kind, repr(key), path)


def _read(path: Path | str) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_bytes(), parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
    except RecursionError:
        raise ValueError(f"{path} is not a tokenizer: its JSON is nested too deeply.") from None
    except ValueError as error:  # not JSON, not UTF-8, or one of the two below
        raise ValueError(f"{path} is not a tokenizer, or is damaged or cut off: {error}.") from None
    return _is(document, dict, "one object", path)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} comes twice")
    return document


def _write(path: Path | str, document: dict[str, Any]) -> None:
    """Writes beside the file and renames, so that nobody ever finds half a file."""
    path = Path(path)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            json.dump(document, file, ensure_ascii=False, indent=0)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
