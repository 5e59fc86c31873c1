"""Provenance: a signed statement about how an image was made, inside its PNG file.

The structure is that of C2PA, in JSON instead of CBOR: *assertions* say what was done;
a *claim* lists their hashes and that of the image; a *signature* covers the claim. It
proves who signed what. An image without a manifest proves nothing: the chunk can be
removed without a trace, and services that re-encode images often remove it.

Source: Coalition for Content Provenance and Authenticity, Technical Specification,
https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .signatures import SignatureVerifier, Signer

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
        """Whether all checks passed."""
        return self.status == "valid"


def sign_image(
    png: bytes,
    assertions: Mapping[str, object],
    signer: Signer,
    generator: str = "genai_tutorial",
) -> bytes:
    """Return a PNG file with a manifest; one that it had is replaced.

    Args:
        assertions: Statements by label, such as `{"c2pa.actions": [{"action":
            "c2pa.created"}]}`; anything that JSON can hold.
        signer: Signs the claim.
        generator: The program that makes the claim.

    Raises:
        ValueError: If it is not a PNG file, or an assertion doesn't fit into JSON.
    """
    plain = strip_manifest(png)
    claim = {
        "claim_generator": generator,
        "assertions": {name: _hash(_canonical(v)) for name, v in assertions.items()},
        "image": hashlib.sha256(plain).hexdigest(),
    }
    manifest = {
        "assertions": dict(assertions),
        "claim": claim,
        "signature": {
            "algorithm": signer.algorithm,
            "value": signer.sign(_canonical(claim)).hex(),
        },
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
    try:
        stored = json.loads(found[0])
        _canonical(stored)
        signature = stored["signature"]
        return Manifest(
            dict(stored["assertions"]),
            dict(stored["claim"]),
            str(signature["algorithm"]),
            bytes.fromhex(signature["value"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"The manifest can't be read: {error!r}.") from error


def verify_image(png: bytes, verifier: SignatureVerifier) -> Verification:
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
    hashes = {name: _hash(_canonical(v)) for name, v in manifest.assertions.items()}
    if hashes != manifest.claim.get("assertions"):
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


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
