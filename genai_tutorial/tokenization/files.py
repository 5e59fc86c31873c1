"""Tokenizer files: the book's JSON format, and `tokenizer.json`, the format of Hugging
Face's libraries `tokenizers` and `transformers`.

Files are untrusted data: everything is checked before use, and nothing is executed, not
even a regular expression, which could take exponential time.
"""

import json
from pathlib import Path
from typing import Any

from genai_tutorial.runtime import write_atomically

from .vocabulary import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    PATTERNS,
    SMOLLM2_PATTERN,
    PreTokenizer,
    TokenParts,
    invisible,
    visible,
)

_FORMAT = "genai_tutorial byte-level BPE 1"


def to_document(parts: TokenParts) -> dict[str, Any]:
    """Return a tokenizer as a document in the book's format."""
    _check_known(parts.pattern)
    return {
        "format": _FORMAT,
        "pattern": parts.pattern.name,
        # left out when false, so that older files stay the same
        **({"ignore_merges": True} if parts.ignore_merges else {}),
        "unknown_id": parts.unknown_id,
        "special_tokens": parts.special_tokens,
        "tokens": [visible(token) for token in parts.token_bytes],
        "merges": [[visible(left), visible(right)] for left, right in parts.merges],
    }


def from_document(document: dict[str, Any], path: Path | str) -> TokenParts:
    """Read a document in the book's format."""
    _must_be(document, dict, "one object", path)
    if document.get("format") != _FORMAT:
        raise ValueError(
            f"{path} is not a tokenizer of this book: its format is not {_FORMAT!r}."
        )
    name = _take(document, "pattern", str, path)
    patterns = {pattern.name: pattern for pattern in PATTERNS}
    if name not in patterns:
        raise ValueError(
            f"{path} uses the pattern {name!r}; only {', '.join(patterns)} exist."
        )
    special_tokens = _take(document, "special_tokens", dict, path)
    for token, number in special_tokens.items():
        _must_be(number, int, f"the number of {token!r}", path)
    unknown_id = document.get("unknown_id")
    if unknown_id is not None:
        _must_be(unknown_id, int, "unknown_id", path)
    ignore_merges = _take_flag(document, "ignore_merges", path)
    tokens = [
        invisible(_must_be(token, str, "each token", path))
        for token in _take(document, "tokens", list, path)
    ]
    return TokenParts(
        tokens,
        _take_merges(document, path),
        special_tokens,
        patterns[name],
        unknown_id,
        ignore_merges,
    )


def _check_known(pattern: PreTokenizer) -> None:
    """Raise a ValueError if a pattern has no name in files."""
    if pattern not in PATTERNS:
        known = ", ".join(pattern.name for pattern in PATTERNS)
        raise ValueError(
            f"Only tokenizers with the patterns {known} can be written to a file, not "
            f"{pattern.name!r}."
        )


def _take_merges(
    document: dict[str, Any], path: Path | str
) -> list[tuple[bytes, bytes]]:
    """Return the merges of a document."""
    merges = []
    for pair in _take(document, "merges", list, path):
        match pair.split(" ") if isinstance(pair, str) else pair:
            case [str(left), str(right)]:
                merges.append((invisible(left), invisible(right)))
            case _:
                raise ValueError(
                    f"{path} must write each merge as two texts, got "
                    f"{str(pair)[:60]!r}."
                )
    return merges


def _take(document: dict[str, Any], key: str, kind: type, path: Path | str) -> Any:
    """Return an entry of a document, or raise a ValueError if it is missing or has the
    wrong type.
    """
    if key not in document:
        raise ValueError(f"{path} has no entry {key!r}.")
    return _must_be(document[key], kind, repr(key), path)


def _take_flag(document: dict[str, Any], key: str, path: Path | str) -> bool:
    value = document.get(key)
    if not isinstance(value, bool | None):
        raise ValueError(
            f"{path} must have {key} as true or false, got {str(value)[:60]!r}."
        )
    return bool(value)


def _must_be(value: Any, kind: type, what: str, path: Path | str) -> Any:
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
    return _must_be(document, dict, "one object", path)


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


_MODEL = {
    "type": "BPE",
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
}
"""The settings of their BPE model that this book's tokenizer supports."""


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


_PRE_TOKENIZERS: dict[PreTokenizer, dict[str, Any]] = {
    GPT2_PATTERN: _byte_level(use_regex=True),
    GPT4_PATTERN: {
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": {"Regex": GPT4_PATTERN.expression},
                "behavior": "Isolated",
                "invert": False,
            },
            _byte_level(use_regex=False),
        ],
    },
    SMOLLM2_PATTERN: {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            _byte_level(use_regex=True),
        ],
    },
}
"""The entry in the file for each pattern."""


def write_hugging_face(path: Path | str, parts: TokenParts) -> None:
    """Write a `tokenizer.json`."""
    _check_known(parts.pattern)
    special = {number: token for token, number in parts.special_tokens.items()}
    spelled = [
        special.get(number) or visible(token)
        for number, token in enumerate(parts.token_bytes)
    ]
    vocabulary = {token: number for number, token in enumerate(spelled)}
    if len(vocabulary) < len(spelled):
        numbered = enumerate(spelled)
        twice = next(token for number, token in numbered if vocabulary[token] != number)
        raise ValueError(
            f"tokenizer.json cannot distinguish the special token {twice!r} from the "
            "ordinary token with the same spelling."
        )
    unknown = None if parts.unknown_id is None else spelled[parts.unknown_id]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    flags["special"] = True
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, **flags}
            for number, token in sorted(special.items())
        ],
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[parts.pattern],
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {
            **_MODEL,
            "ignore_merges": parts.ignore_merges,
            "unk_token": unknown,
            "vocab": vocabulary,
            "merges": [[visible(left), visible(right)] for left, right in parts.merges],
        },
    }
    write_json(path, document)


def read_hugging_face(path: Path | str) -> TokenParts:
    """Read a `tokenizer.json` with byte-level BPE.

    Raises:
        ValueError: If the file is damaged, or requires something that this book's
            tokenizer does not support.
    """
    document = read_json(path)
    model = _take(document, "model", dict, path)
    _check_settings(document, model, path)
    special_tokens = _special_tokens(document, path)
    tokens = {
        number: token.encode("utf-8", "replace")
        for token, number in special_tokens.items()
    }
    vocabulary = _take(model, "vocab", dict, path)
    for token, number in vocabulary.items():
        _must_be(number, int, f"the number of {token!r}", path)
        if special_tokens.get(token) == number:
            continue
        if number in tokens:
            raise ValueError(f"{path} gives the number {number} to two tokens.")
        tokens[number] = invisible(token)
    if sorted(tokens) != list(range(len(tokens))):
        raise ValueError(
            f"{path} must number its {len(tokens)} tokens from 0 to {len(tokens) - 1}, "
            "each once."
        )
    unknown = model.get("unk_token")
    if unknown is not None:
        _must_be(unknown, str, "unk_token", path)
        if unknown not in special_tokens and unknown not in vocabulary:
            raise ValueError(
                f"{path} has no token {unknown!r}, which it names as its unk_token."
            )
    return TokenParts(
        token_bytes=[tokens[number] for number in range(len(tokens))],
        merges=_take_merges(model, path),
        special_tokens=special_tokens,
        pattern=_pattern(document, path),
        unknown_id=(vocabulary | special_tokens).get(unknown),
        ignore_merges=_take_flag(model, "ignore_merges", path),
    )


def _check_settings(
    document: dict[str, Any], model: dict[str, Any], path: Path | str
) -> None:
    """Raise a ValueError if a file has settings that this book's tokenizer does not
    support, because it would encode differently.
    """
    for key, ours in _MODEL.items():
        asked = model.get(key, ours)
        if asked != ours and not (ours is None and asked in ("", 0)):
            raise ValueError(
                f"{path} sets its model's {key} to {asked!r}; this tokenizer supports "
                f"only {ours!r}."
            )
    decoder = document.get("decoder")
    if not (isinstance(decoder, dict) and decoder.get("type") == "ByteLevel"):
        raise ValueError(
            f"{path} must have a ByteLevel decoder, got {str(decoder)[:60]}."
        )
    for key in ("normalizer", "truncation", "padding", "post_processor"):
        asked = document.get(key)
        if not _changes_nothing(key, asked):
            raise ValueError(
                f"{path} has a {key}, which this tokenizer does not support: "
                f"{str(asked)[:60]}."
            )


def _changes_nothing(key: str, part: Any) -> bool:
    """Return whether a part of a file leaves all tokens as they are: it is absent, a
    sequence of such parts, or the post-processor that only moves offsets.
    """
    if part is None or not isinstance(part, dict):
        return part is None
    if part.get("type") == "Sequence":
        members = {"normalizer": "normalizers", "post_processor": "processors"}
        inside = part.get(members.get(key))
        return isinstance(inside, list) and all(
            member is not None and _changes_nothing(key, member) for member in inside
        )
    return key == "post_processor" and part.get("type") == "ByteLevel"


def _special_tokens(document: dict[str, Any], path: Path | str) -> dict[str, int]:
    special_tokens = {}
    for added in _take(document, "added_tokens", list, path):
        _must_be(added, dict, "each added token", path)
        token = _take(added, "content", str, path)
        if any(added.get(flag) for flag in ("lstrip", "rstrip", "single_word")):
            raise ValueError(
                f"{path} gives {token!r} the flag lstrip, rstrip or single_word, which "
                "this tokenizer does not support."
            )
        if token in special_tokens:
            raise ValueError(f"{path} has the added token {token!r} twice.")
        special_tokens[token] = _take(added, "id", int, path)
    if len(set(special_tokens.values())) < len(special_tokens):
        raise ValueError(f"{path} gives the same number to two added tokens.")
    return special_tokens


def _pattern(document: dict[str, Any], path: Path | str) -> PreTokenizer:
    """Return the pattern that corresponds to a file's pre-tokenizer."""
    asked = _without_offsets(document.get("pre_tokenizer"))
    for pattern, written in _PRE_TOKENIZERS.items():
        if asked == _without_offsets(written):
            return pattern
    raise ValueError(
        f"{path} has a pre-tokenizer that is not supported; supported are those of "
        f"{', '.join(pattern.name for pattern in _PRE_TOKENIZERS)}."
    )


def _without_offsets(part: Any) -> Any:
    """Remove the one setting of a pre-tokenizer that does not affect tokens."""
    if isinstance(part, dict):
        return {
            key: _without_offsets(value)
            for key, value in part.items()
            if key != "trim_offsets"
        }
    return [_without_offsets(one) for one in part] if isinstance(part, list) else part
