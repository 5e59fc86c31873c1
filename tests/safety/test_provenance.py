"""A manifest proves what was signed, and whatever is changed is found."""

import hashlib
import hmac
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from genai_tutorial.safety import (
    HMACSigner,
    sign_image,
    strip_manifest,
    verify_image,
)
from genai_tutorial.safety.provenance import read_manifest

SIGNER = HMACSigner(b"sixteen secret b")
ASSERTIONS = {"c2pa.actions": [{"action": "c2pa.created"}], "model": "mnist-diffusion"}


@pytest.fixture
def png():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def with_manifest(signed, change):
    """Return the file with a changed manifest, its checksum made right again."""
    start = signed.index(b"caBX")
    length = int.from_bytes(signed[start - 4 : start], "big")
    manifest = json.loads(signed[start + 4 : start + 4 + length])
    change(manifest)
    data = b"caBX" + json.dumps(manifest).encode()
    chunk = len(data[4:]).to_bytes(4, "big") + data
    chunk += zlib.crc32(data).to_bytes(4, "big")
    return signed[: start - 4] + chunk + signed[start + 8 + length :]


def test_signed_image_is_valid_and_shows_the_same_pixels(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)
    verification = verify_image(signed, SIGNER)
    assert verification.status == "valid"
    assert verification.valid
    assert verification.manifest.assertions == ASSERTIONS
    with Image.open(io.BytesIO(signed)) as image:  # Pillow checks every checksum
        image.verify()
    before, after = (np.array(Image.open(io.BytesIO(b))) for b in (png, signed))
    assert (before == after).all()


def test_strip_leaves_no_trace(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)
    assert strip_manifest(signed) == png
    assert verify_image(png, SIGNER).status == "no manifest"
    assert read_manifest(png) is None


def test_reencoding_loses_the_manifest(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)
    file = io.BytesIO()
    Image.open(io.BytesIO(signed)).save(file, "PNG")
    assert verify_image(file.getvalue(), SIGNER).status == "no manifest"


def test_changed_image_is_found(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)
    place = signed.index(b"IDAT") + 8
    changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
    assert verify_image(changed, SIGNER).status == "image changed"


def test_manifest_moved_to_another_image_is_found(png):
    pixels = np.zeros((8, 8), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    signed = sign_image(png, ASSERTIONS, SIGNER)
    start = signed.index(b"caBX") - 4
    chunk = signed[start : start + len(signed) - len(png)]
    moved = file.getvalue()[:33] + chunk + file.getvalue()[33:]
    assert verify_image(moved, SIGNER).status == "image changed"


def test_changed_assertion_and_claim_are_found(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)

    def lie(manifest):
        manifest["assertions"]["model"] = "a camera"

    def lie_consistently(manifest):
        lie(manifest)
        digest = hashlib.sha256(b'"a camera"').hexdigest()
        manifest["claim"]["assertions"]["model"] = digest

    assert verify_image(with_manifest(signed, lie), SIGNER).status == (
        "assertion changed"
    )
    changed = with_manifest(signed, lie_consistently)
    assert verify_image(changed, SIGNER).status == "wrong signature"
    untouched = with_manifest(signed, lambda manifest: None)
    assert verify_image(untouched, SIGNER).valid


def test_somebody_elses_signature_is_not_accepted(png):
    signed = sign_image(png, ASSERTIONS, HMACSigner(b"another key of 24 bytes."))
    assert verify_image(signed, SIGNER).status == "wrong signature"


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"signature": 3}', b'{"a": NaN}', b"[" * 100_000]
)
def test_unreadable_manifest_is_malformed(png, data):
    chunk = b"caBX" + data
    whole = len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    assert verify_image(png[:33] + whole + png[33:], SIGNER).status == "malformed"


def test_a_file_with_two_manifests_is_malformed(png):
    signed = sign_image(png, ASSERTIONS, SIGNER)
    other = sign_image(png, {"model": "a camera"}, HMACSigner(b"another key, 24 bytes"))
    chunk = other[33 : 33 + len(other) - len(png)]
    place = signed.index(b"IDAT") - 4
    two = signed[:place] + chunk + signed[place:]
    assert verify_image(two, SIGNER).status == "malformed"


def test_a_signature_has_one_spelling(png):
    def shout(manifest):
        manifest["signature"]["value"] = manifest["signature"]["value"].upper()

    signed = sign_image(png, ASSERTIONS, SIGNER)
    assert verify_image(with_manifest(signed, shout), SIGNER).status == "malformed"


def test_signing_twice_keeps_one_manifest(png):
    once = sign_image(png, ASSERTIONS, SIGNER)
    twice = sign_image(once, {"model": "other"}, SIGNER)
    assert twice.count(b"caBX") == 1
    assert verify_image(twice, SIGNER).manifest.assertions == {"model": "other"}


def test_hmac_is_the_standard_one():
    expected = hmac.new(SIGNER.key, b"text", hashlib.sha256).digest()
    assert SIGNER.sign(b"text") == expected


def test_provenance_rejects_wrong_arguments(png):
    with pytest.raises(ValueError, match="use at least 16 random ones"):
        HMACSigner(b"short")
    with pytest.raises(ValueError, match="not a PNG file"):
        sign_image(b"GIF89a", ASSERTIONS, SIGNER)
    with pytest.raises(ValueError, match="cut off"):
        verify_image(png[:-3], SIGNER)
    with pytest.raises(ValueError, match="holds only what JSON can"):
        sign_image(png, {"model": object()}, SIGNER)
