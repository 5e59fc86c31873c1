"""Safety: associations taken over from text, refusals and attacks on them, memorized
secrets, unlearning, and the origin of images.
"""

from genai_tutorial.safety.association import (
    AssociationTest,
    association_test,
    associations,
    known_vectors,
)
from genai_tutorial.safety.attacks import (
    AdversarialSuffix,
    greedy_coordinate_gradient,
    injected_passages,
    prefilled_answers,
)
from genai_tutorial.safety.canaries import (
    Canary,
    Exposure,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    secret_log_probs,
)
from genai_tutorial.safety.constitution import (
    Principle,
    ai_comparisons,
    critic_scores,
    critique_and_revise,
    unlabelled_verdicts,
)
from genai_tutorial.safety.counterfactual import (
    SWAPS,
    counterfactual_sentence,
    counterfactual_sentences,
)
from genai_tutorial.safety.debiasing import (
    cluster_recovery,
    hard_debias,
    pair_direction,
    project_out,
    unit_direction,
)
from genai_tutorial.safety.defences import (
    datamark,
    only_quoted_spans,
    windowed_surprise,
)
from genai_tutorial.safety.membership import (
    loss_attack,
    min_k_attack,
    reference_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.safety.pronouns import (
    PRONOUN_TEMPLATES,
    pronoun_log_odds,
    sentence_pair_log_odds,
)
from genai_tutorial.safety.provenance import (
    Manifest,
    Verification,
    read_manifest,
    sign_image,
    strip_manifest,
    verify_image,
)
from genai_tutorial.safety.refusal_direction import (
    direction_ablated,
    direction_added,
    last_token_states,
    mean_difference,
    orthogonalized,
)
from genai_tutorial.safety.signatures import (
    Ed25519Signer,
    Ed25519Verifier,
    HMACSigner,
    SignatureVerifier,
    Signer,
)
from genai_tutorial.safety.sources import count_log_ratios, counts_near, sentences_near
from genai_tutorial.safety.unlearning import (
    gradient_ascent_loss,
    gradient_difference_loss,
    npo_loss,
    relearn,
    unlearn,
)

__all__ = [
    "PRONOUN_TEMPLATES",
    "SWAPS",
    "AdversarialSuffix",
    "AssociationTest",
    "Canary",
    "Ed25519Signer",
    "Ed25519Verifier",
    "Exposure",
    "HMACSigner",
    "Manifest",
    "Principle",
    "SignatureVerifier",
    "Signer",
    "Verification",
    "ai_comparisons",
    "association_test",
    "associations",
    "cluster_recovery",
    "count_log_ratios",
    "counterfactual_sentence",
    "counterfactual_sentences",
    "counts_near",
    "critic_scores",
    "critique_and_revise",
    "datamark",
    "direction_ablated",
    "direction_added",
    "draw_canaries",
    "exposure",
    "extracted",
    "gradient_ascent_loss",
    "gradient_difference_loss",
    "greedy_coordinate_gradient",
    "hard_debias",
    "injected_passages",
    "insert_canaries",
    "known_vectors",
    "last_token_states",
    "loss_attack",
    "mean_difference",
    "min_k_attack",
    "npo_loss",
    "only_quoted_spans",
    "orthogonalized",
    "pair_direction",
    "prefilled_answers",
    "project_out",
    "pronoun_log_odds",
    "read_manifest",
    "reference_attack",
    "relearn",
    "secret_log_probs",
    "sentence_pair_log_odds",
    "sentences_near",
    "sign_image",
    "strip_manifest",
    "token_losses",
    "unit_direction",
    "unlabelled_verdicts",
    "unlearn",
    "verify_image",
    "windowed_surprise",
    "zlib_attack",
]
