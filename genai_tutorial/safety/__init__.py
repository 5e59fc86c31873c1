"""Safety: associations taken over from text, refusals and attacks on them, memorized
secrets, and the origin of images.
"""

from .association import (
    AssociationTest,
    association_test,
    associations,
    counterfactual_sentence,
    known_vectors,
    pronoun_log_odds,
)
from .attacks import (
    AdversarialSuffix,
    datamark,
    greedy_coordinate_gradient,
    prefilled_answers,
    windowed_surprise,
)
from .canaries import (
    Canary,
    Exposure,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    loss_attack,
    min_k_attack,
    token_losses,
    zlib_attack,
)
from .constitution import (
    Principle,
    critic_scores,
    critique_and_revise,
    unlabelled_verdicts,
)
from .directions import (
    direction_ablated,
    last_token_states,
    mean_difference,
    orthogonalized,
    project_out,
)
from .provenance import (
    HMACSigner,
    Manifest,
    Status,
    Verification,
    count_log_ratios,
    sentences_near,
    sign_image,
    strip_manifest,
    verify_image,
)
