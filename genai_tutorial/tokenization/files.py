"""Tokenizer files: the book's JSON format, and helpers for reading JSON safely.

Files are untrusted data: everything is checked before use, and nothing is executed, not
even a regular expression, which could take exponential time.
"""

import json
from pathlib import Path
from typing import Any

from genai_tutorial.runtime import write_atomically

from .byte_alphabet import invisible, visible
from .patterns import PATTERNS, PreTokenizer
from .vocabulary import Parts

FORMAT = "genai_tutorial byte-level BPE 1"


def to_document(parts: Parts) -> dict[str, Any]:
    """Return a tokenizer as a document in the book's format."""
    check_known(parts.pattern)
    return {
        "format": FORMAT,
        "pattern": parts.pattern.name,
        # left out when false, so that older files stay the same
        **({"ignore_merges": True} if parts.ignore_merges else {}),
        "unknown_id": parts.unknown_id,
        "special_tokens": parts.special_tokens,
        "tokens": [visible(token) for token in parts.token_bytes],
        "merges": [[visible(left), visible(right)] for left, right in parts.merges],
    }


def from_document(document: dict[str, Any], path: Path | str) -> Parts:
    """Read a document in the book's format."""
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not a tokenizer of this book: its format is not {FORMAT!r}."
        )
    name = take(document, "pattern", str, path)
    patterns = {pattern.name: pattern for pattern in PATTERNS}
    if name not in patterns:
        raise ValueError(
            f"{path} uses the pattern {name!r}; only {', '.join(patterns)} exist."
        )
    special_tokens = take(document, "special_tokens", dict, path)
    for token, number in special_tokens.items():
        must_be(number, int, f"the number of {token!r}", path)
    unknown_id = document.get("unknown_id")
    if unknown_id is not None:
        must_be(unknown_id, int, "unknown_id", path)
    ignore_merges = document.get("ignore_merges", False)
    if not isinstance(ignore_merges, bool):
        raise ValueError(
            f"{path} must have ignore_merges as true or false, got "
            f"{str(ignore_merges)[:60]!r}."
        )
    tokens = [
        invisible(must_be(token, str, "each token", path))
        for token in take(document, "tokens", list, path)
    ]
    return Parts(
        tokens,
        take_merges(document, path),
        special_tokens,
        patterns[name],
        unknown_id,
        ignore_merges,
    )


def check_known(pattern: PreTokenizer) -> None:
    """Raise a ValueError if a pattern has no name in files."""
    if pattern not in PATTERNS:
        known = ", ".join(pattern.name for pattern in PATTERNS)
        raise ValueError(
            f"Only tokenizers with the patterns {known} can be written to a file, not "
            f"{pattern.name!r}."
        )


def take_merges(
    document: dict[str, Any], path: Path | str
) -> list[tuple[bytes, bytes]]:
    """Return the merges of a document."""
    merges = []
    for pair in take(document, "merges", list, path):
        texts = pair.split(" ") if isinstance(pair, str) else pair
        if not (
            isinstance(texts, list)
            and len(texts) == 2
            and all(isinstance(text, str) for text in texts)
        ):
            raise ValueError(
                f"{path} must write each merge as two texts, got {str(pair)[:60]!r}."
            )
        merges.append((invisible(texts[0]), invisible(texts[1])))
    return merges


def take(document: dict[str, Any], key: str, kind: type, path: Path | str) -> Any:
    """Return an entry of a document, or raise a ValueError if it is missing or has the
    wrong type.
    """
    if key not in document:
        raise ValueError(f"{path} has no entry {key!r}.")
    return must_be(document[key], kind, repr(key), path)


def must_be(value: Any, kind: type, what: str, path: Path | str) -> Any:
    """Return a value, or raise a ValueError if it has the wrong type."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(
            f"{path} must have {what} as {kind.__name__}, got {str(value)[:60]!r}."
        )
    return value


def read_json(path: Path | str) -> dict[str, Any]:
    """Return the JSON object in a file, or raise a ValueError if it is invalid or
    ambiguous.
    """
    content = Path(path).read_bytes()
    try:
        document = json.loads(
            content,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_without_repeats,
        )
    except RecursionError:
        raise ValueError(
            f"{path} is not a tokenizer: its JSON is nested too deeply."
        ) from None
    except ValueError as error:  # not UTF-8, not JSON, or one of the two below
        raise ValueError(
            f"{path} is not a tokenizer, or is damaged or cut off: {error}."
        ) from None
    return must_be(document, dict, "one object", path)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = {}
    for key, value in pairs:
        if key in document:
            raise ValueError(f"the key {key!r} comes twice")
        document[key] = value
    return document


def write_json(path: Path | str, document: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    with write_atomically(path, "w") as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=0) + "\n")
