"""Safety: associations taken over from text, refusals and attacks on them, memorized
secrets, unlearning, and the origin of images.
"""

from .association import AssociationTest, association_test, associations, known_vectors
from .attacks import (
    AdversarialSuffix,
    greedy_coordinate_gradient,
    injected_passages,
    prefilled_answers,
)
from .canaries import (
    Canary,
    Exposure,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
)
from .constitution import (
    Principle,
    ai_comparisons,
    critic_scores,
    critique_and_revise,
    unlabelled_verdicts,
)
from .counterfactual import counterfactual_sentence
from .debiasing import cluster_recovery, hard_debias, pair_direction
from .defences import datamark, only_quoted_spans, windowed_surprise
from .membership import (
    loss_attack,
    min_k_attack,
    reference_attack,
    token_losses,
    zlib_attack,
)
from .pronouns import pronoun_log_odds, sentence_pair_log_odds
from .provenance import (
    Manifest,
    Status,
    Verification,
    sign_image,
    strip_manifest,
    verify_image,
)
from .refusal_direction import (
    direction_ablated,
    direction_added,
    last_token_states,
    mean_difference,
    orthogonalized,
)
from .signatures import HMACSigner, SignatureVerifier, Signer
from .sources import count_log_ratios, sentences_near
from .unlearning import (
    Batch,
    UnlearningLoss,
    gradient_ascent_loss,
    gradient_difference_loss,
    npo_loss,
    relearn,
    unlearn,
)
