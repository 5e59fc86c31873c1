"""Where something comes from: the sentences behind an association of words, and an
image's signed manifest.
"""

import hashlib
import hmac
import json
import math
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from genai_tutorial.interpretability import split_into_words
from genai_tutorial.retrieval import split_sentences

_WINDOW = 5
"""Words with at most this many steps between them are near each other."""


def counts_near(texts: Iterable[str], group: Collection[str]) -> Counter[str]:
    """Count for each word how often it occurs near a word of a group."""
    members, near = frozenset(group), Counter()
    for text in texts:
        words = split_into_words(text)
        for place, word in enumerate(words):
            if word in members:
                near.update(words[max(0, place - _WINDOW) : place])
                near.update(words[place + 1 : place + 1 + _WINDOW])
    return near


def count_log_ratios(
    texts: Collection[str],
    first: Collection[str],
    second: Collection[str],
    *,
    min_count: int = 30,
) -> dict[str, float]:
    """Return for each word the log of how many times more often it occurs near the
    first group than near the second, at most five words away, with one added to both
    counts.

    Args:
        first: The first group, in lower case.
        min_count: Words that occur near the two groups less often in all, and the words
            of the groups, are left out.

    >>> texts = ["he runs", "he runs", "she sings", "she runs"]
    >>> ratios = count_log_ratios(texts, {"he"}, {"she"}, min_count=1)
    >>> {word: round(ratio, 2) for word, ratio in ratios.items()}
    {'runs': 0.41, 'sings': -0.69}
    """
    near_first, near_second = (counts_near(texts, group) for group in (first, second))
    groups = {*first, *second}
    return {
        word: math.log((near_first[word] + 1) / (near_second[word] + 1))
        for word in sorted(near_first.keys() | near_second.keys())
        if word not in groups and near_first[word] + near_second[word] >= min_count
    }


def sentences_near(
    texts: Iterable[str], word: str, group: Collection[str]
) -> list[str]:
    """Return the sentences in which a word occurs within five words of a word of a
    group.

    >>> sentences_near(["She sang. The poem is hers. It rained."], "poem", {"hers"})
    ['The poem is hers.']
    """
    found = (text[start:end] for text in texts for start, end in split_sentences(text))
    return [
        sentence
        for sentence in found
        if word in sentence.lower() and word in counts_near([sentence], group)
    ]


@dataclass(frozen=True)
class HMACSigner:
    """Signs with a secret that signer and verifier share, by HMAC with SHA-256.

    It shows how a manifest works, but it can't replace a signature: everybody who can
    verify can also sign, so it proves nothing to a third party.

    Attributes:
        key: The shared secret, of at least 16 bytes.

    Raises:
        ValueError: If the key is shorter.

    Source: RFC 2104, https://www.rfc-editor.org/rfc/rfc2104
    """

    key: bytes
    algorithm = "HMAC-SHA256"

    def __post_init__(self):
        if len(self.key) < 16:
            raise ValueError(
                f"The key has {len(self.key)} bytes: use at least 16 random ones."
            )

    def sign(self, message: bytes) -> bytes:
        """Return the code of a message."""
        return hmac.digest(self.key, message, "sha256")

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether somebody with the key has signed the message."""
        return hmac.compare_digest(self.sign(message), signature)


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = b"caBX"
"""The type of C2PA's chunk. The lower-case letters say that it is not needed to show
the image, and that a program that edits the image must not simply copy it.
"""

Status = Literal[
    "valid", "no manifest", "malformed", "wrong signature", "assertion changed",
    "image changed",
]  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """The signed statement of an image.

    Attributes:
        assertions: The statements, by label.
        claim: The hashes of the assertions and of the image, and who made the claim.
        signature: Covers the claim.
    """

    assertions: Mapping[str, object]
    claim: Mapping[str, object]
    algorithm: str
    signature: bytes


@dataclass(frozen=True)
class Verification:
    """The result of `verify_image`.

    Attributes:
        status: "valid", or the first check that failed.
        manifest: The file's manifest, whether or not it is true; None if there is no
            readable one.
    """

    status: Status
    manifest: Manifest | None = None

    @property
    def valid(self) -> bool:
        """True if all checks passed."""
        return self.status == "valid"


def sign_image(
    png: bytes, assertions: Mapping[str, object], signer: HMACSigner
) -> bytes:
    """Return a PNG file with a manifest; one that it had is replaced.

    Args:
        assertions: Statements by label, such as `{"c2pa.actions": [{"action":
            "c2pa.created"}]}`; anything that JSON can hold.

    Raises:
        ValueError: If it is not a PNG file, or an assertion doesn't fit into JSON.
    """
    plain = strip_manifest(png)
    claim = {
        "claim_generator": "genai_tutorial",
        "assertions": _hashes(assertions),
        "image": hashlib.sha256(plain).hexdigest(),
    }
    value = signer.sign(_canonical(claim)).hex()
    signature = {"algorithm": signer.algorithm, "value": value}
    manifest = {
        "assertions": dict(assertions),
        "claim": claim,
        "signature": signature,
    }
    header_end = len(_SIGNATURE) + 25  # the header chunk comes first, with 13 bytes
    return plain[:header_end] + _chunk(_canonical(manifest)) + plain[header_end:]


def read_manifest(png: bytes) -> Manifest | None:
    """Return what a file's manifest says, without checking it; None if there is
    none.
    """
    found = [data for kind, data, _ in _chunks(png) if kind == _CHUNK]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"A file may have one manifest, this one has {len(found)}.")
    try:
        stored = json.loads(found[0])
        _canonical(stored)
        signature = stored["signature"]
        value = bytes.fromhex(signature["value"])
        if signature["value"] != value.hex():
            raise ValueError("the signature must be in small hexadecimal digits")
        assertions, claim = dict(stored["assertions"]), dict(stored["claim"])
        return Manifest(assertions, claim, str(signature["algorithm"]), value)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"The manifest can't be read: {error!r}.") from error


def verify_image(png: bytes, verifier: HMACSigner) -> Verification:
    """Check a file's manifest: its signature, the hashes of its assertions, and the
    hash of the rest of the file.

    Args:
        verifier: The signer whom you trust. A valid signature by anybody else proves
            nothing, so the file does not bring its own key.

    Raises:
        ValueError: If it is not a PNG file.
    """
    plain = strip_manifest(png)
    try:
        manifest = read_manifest(png)
    except ValueError:
        return Verification("malformed")
    if manifest is None:
        return Verification("no manifest")
    if manifest.algorithm != verifier.algorithm or not verifier.verify(
        _canonical(manifest.claim), manifest.signature
    ):
        return Verification("wrong signature", manifest)
    if _hashes(manifest.assertions) != manifest.claim.get("assertions"):
        return Verification("assertion changed", manifest)
    if hashlib.sha256(plain).hexdigest() != manifest.claim.get("image"):
        return Verification("image changed", manifest)
    return Verification("valid", manifest)


def strip_manifest(png: bytes) -> bytes:
    """Return a PNG file without its manifest. Nothing in the result shows that there
    was one.

    Raises:
        ValueError: If it is not a PNG file.
    """
    kept = [whole for kind, _, whole in _chunks(png) if kind != _CHUNK]
    return _SIGNATURE + b"".join(kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the type, the data and all bytes of each chunk."""
    if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
        raise ValueError("This is not a PNG file: it does not begin like one.")
    place = len(_SIGNATURE)
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        end = place + 12 + length
        if end > len(png):
            raise ValueError("The PNG file is cut off: its last chunk is not complete.")
        yield png[place + 4 : place + 8], png[place + 8 : end - 4], png[place:end]
        place = end


def _chunk(data: bytes) -> bytes:
    checksum = zlib.crc32(_CHUNK + data)
    return struct.pack(">I", len(data)) + _CHUNK + data + struct.pack(">I", checksum)


def _canonical(value: object) -> bytes:
    """Return JSON in one fixed form, so that equal values have equal hashes."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A manifest holds only what JSON can: {error}.") from error
    return text.encode()


def _hashes(assertions: Mapping[str, object]) -> dict[str, str]:
    return {
        name: hashlib.sha256(_canonical(value)).hexdigest()
        for name, value in assertions.items()
    }
