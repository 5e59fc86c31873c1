"""Safety: what a model has memorized and how to find out, unlearning, and the origin of
images.
"""

from genai_tutorial.safety.canaries import (
    Canary,
    Exposure,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    secret_log_probs,
)
from genai_tutorial.safety.membership import (
    loss_attack,
    min_k_attack,
    reference_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.safety.provenance import (
    Manifest,
    Verification,
    read_manifest,
    sign_image,
    strip_manifest,
    verify_image,
)
from genai_tutorial.safety.signatures import (
    Ed25519Signer,
    Ed25519Verifier,
    HMACSigner,
    SignatureVerifier,
    Signer,
)
from genai_tutorial.safety.unlearning import (
    gradient_ascent_loss,
    gradient_difference_loss,
    npo_loss,
    relearn,
    unlearn,
)

__all__ = [
    "Canary",
    "Ed25519Signer",
    "Ed25519Verifier",
    "Exposure",
    "HMACSigner",
    "Manifest",
    "SignatureVerifier",
    "Signer",
    "Verification",
    "draw_canaries",
    "exposure",
    "extracted",
    "gradient_ascent_loss",
    "gradient_difference_loss",
    "insert_canaries",
    "loss_attack",
    "min_k_attack",
    "npo_loss",
    "read_manifest",
    "reference_attack",
    "relearn",
    "secret_log_probs",
    "sign_image",
    "strip_manifest",
    "token_losses",
    "unlearn",
    "verify_image",
    "zlib_attack",
]
