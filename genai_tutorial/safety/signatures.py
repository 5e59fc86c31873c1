"""Signatures: with a private key by Ed25519, or with a shared secret by HMAC."""

import hmac
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from genai_tutorial.runtime import require

_KEYS = "cryptography.hazmat.primitives"


@runtime_checkable
class SignatureVerifier(Protocol):
    """The `SignatureVerifier` protocol: checks signatures of one signer."""

    algorithm: str

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signer has signed the message."""
        ...


@runtime_checkable
class Signer(SignatureVerifier, Protocol):
    """The `Signer` protocol: a verifier that can sign."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        ...


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
    algorithm: str = "HMAC-SHA256"

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


@dataclass(frozen=True)
class Ed25519Verifier:
    """Checks signatures with a public key, which everybody may have.

    Source: RFC 8032, https://www.rfc-editor.org/rfc/rfc8032
    """

    public_key: bytes
    algorithm: str = "Ed25519"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether the owner of the private key has signed the message."""
        ed25519 = require(f"{_KEYS}.asymmetric.ed25519", "safety")
        invalid = require("cryptography.exceptions", "safety").InvalidSignature
        key = ed25519.Ed25519PublicKey.from_public_bytes(self.public_key)
        try:
            key.verify(signature, message)
        except invalid:
            return False
        return True


@dataclass(frozen=True)
class Ed25519Signer:
    """Signs with a private key; its `verifier` has only the public one.

    Source: RFC 8032, https://www.rfc-editor.org/rfc/rfc8032
    """

    private_key: bytes
    algorithm: str = "Ed25519"

    def __post_init__(self):
        if len(self.private_key) != 32:
            raise ValueError(
                f"A private key has 32 bytes, got {len(self.private_key)}."
            )
        self._key()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self._key().sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is this signer's."""
        return self.verifier.verify(message, signature)

    @property
    def verifier(self) -> Ed25519Verifier:
        """The verifier, which may be published."""
        return Ed25519Verifier(self._key().public_key().public_bytes_raw())

    def _key(self):
        ed25519 = require(f"{_KEYS}.asymmetric.ed25519", "safety")
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.private_key)
