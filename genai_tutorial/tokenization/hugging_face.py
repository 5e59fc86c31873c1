"""Reading and writing Hugging Face's `tokenizer.json`, the format of their libraries
`tokenizers` and `transformers`.
"""

from pathlib import Path
from typing import Any

from .byte_alphabet import invisible, visible
from .files import check_known, must_be, read_json, take, take_merges, write_json
from .patterns import GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN, PreTokenizer
from .vocabulary import Parts

MODEL = {
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


PRE_TOKENIZERS: dict[PreTokenizer, dict[str, Any]] = {
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


def write_hugging_face(path: Path | str, parts: Parts) -> None:
    """Write a `tokenizer.json`."""
    check_known(parts.pattern)
    special = {number: token for token, number in parts.special_tokens.items()}
    spelled = [
        special.get(number) or visible(token)
        for number, token in enumerate(parts.token_bytes)
    ]
    vocabulary = {token: number for number, token in enumerate(spelled)}
    if len(vocabulary) < len(spelled):
        twice = next(
            token for number, token in enumerate(spelled) if vocabulary[token] != number
        )
        raise ValueError(
            f"tokenizer.json cannot distinguish the special token {twice!r} from the "
            "ordinary token with the same spelling."
        )
    flags = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, **flags}
            for number, token in sorted(special.items())
        ],
        "normalizer": None,
        "pre_tokenizer": PRE_TOKENIZERS[parts.pattern],
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {
            **MODEL,
            "ignore_merges": parts.ignore_merges,
            "unk_token": None
            if parts.unknown_id is None
            else spelled[parts.unknown_id],
            "vocab": vocabulary,
            "merges": [[visible(left), visible(right)] for left, right in parts.merges],
        },
    }
    write_json(path, document)


def read_hugging_face(path: Path | str) -> Parts:
    """Read a `tokenizer.json` with byte-level BPE.

    Raises:
        ValueError: If the file is damaged, or requires something that this book's
            tokenizer does not support.
    """
    document = read_json(path)
    model = take(document, "model", dict, path)
    _check_settings(document, model, path)
    special_tokens = _special_tokens(document, path)
    tokens = {
        number: token.encode("utf-8", "replace")
        for token, number in special_tokens.items()
    }
    vocabulary = take(model, "vocab", dict, path)
    for token, number in vocabulary.items():
        must_be(number, int, f"the number of {token!r}", path)
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
        must_be(unknown, str, "unk_token", path)
        if unknown not in special_tokens and unknown not in vocabulary:
            raise ValueError(
                f"{path} has no token {unknown!r}, which it names as its unk_token."
            )
    return Parts(
        token_bytes=[tokens[number] for number in range(len(tokens))],
        merges=take_merges(model, path),
        special_tokens=special_tokens,
        pattern=_pattern(document, path),
        unknown_id=None
        if unknown is None
        else special_tokens.get(unknown, vocabulary.get(unknown)),
        ignore_merges=bool(model.get("ignore_merges")),
    )


def _check_settings(
    document: dict[str, Any], model: dict[str, Any], path: Path | str
) -> None:
    """Raise a ValueError if a file has settings that this book's tokenizer does not
    support, because it would encode differently.
    """
    for key, ours in MODEL.items():
        asked = model.get(key, ours)
        if asked != ours and not (ours is None and asked in ("", 0)):
            raise ValueError(
                f"{path} sets its model's {key} to {asked!r}; this tokenizer supports "
                f"only {ours!r}."
            )
    if model.get("ignore_merges") not in (None, False, True):
        raise ValueError(
            f"{path} must have its model's ignore_merges as true or false, got "
            f"{str(model['ignore_merges'])[:60]!r}."
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
    for added in take(document, "added_tokens", list, path):
        must_be(added, dict, "each added token", path)
        token = take(added, "content", str, path)
        if any(added.get(flag) for flag in ("lstrip", "rstrip", "single_word")):
            raise ValueError(
                f"{path} gives {token!r} the flag lstrip, rstrip or single_word, which "
                "this tokenizer does not support."
            )
        if token in special_tokens:
            raise ValueError(f"{path} has the added token {token!r} twice.")
        special_tokens[token] = take(added, "id", int, path)
    if len(set(special_tokens.values())) < len(special_tokens):
        raise ValueError(f"{path} gives the same number to two added tokens.")
    return special_tokens


def _pattern(document: dict[str, Any], path: Path | str) -> PreTokenizer:
    """Return the pattern that corresponds to a file's pre-tokenizer."""
    asked = _without_offsets(document.get("pre_tokenizer"))
    for pattern, written in PRE_TOKENIZERS.items():
        if asked == _without_offsets(written):
            return pattern
    raise ValueError(
        f"{path} has a pre-tokenizer that is not supported; supported are those of "
        f"{', '.join(pattern.name for pattern in PRE_TOKENIZERS)}."
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
