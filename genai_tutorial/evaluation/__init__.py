"""How good a model is: likelihood on unseen data, intervals over seeds, and whether its
samples are new.

And what is inside it: how far its vectors separate two groups, and what its heads of
attention look for.
"""

from genai_tutorial.evaluation.attention_heads import (
    induction_scores,
    previous_token_scores,
    repeated_random_tokens,
)
from genai_tutorial.evaluation.caption_accuracy import (
    CaptionAccuracy,
    CaptionScore,
    caption_accuracy,
    caption_score,
    verifier_accuracy,
)
from genai_tutorial.evaluation.conduct import Conduct, conduct, wins
from genai_tutorial.evaluation.digit_classifier import (
    DigitClassifier,
    DigitClassifierConfig,
    DigitReading,
    expected_calibration_error,
    read_digits,
)
from genai_tutorial.evaluation.facts import (
    chat_answers,
    complete_facts,
    likeliest_texts,
)
from genai_tutorial.evaluation.frechet import (
    FeatureGaussian,
    frechet_distance,
    gaussian_frechet_distance,
)
from genai_tutorial.evaluation.intervals import Interval, bootstrap_interval
from genai_tutorial.evaluation.likelihood import (
    TextScore,
    bits_per_dimension,
    evaluate_language_model,
    nats_per_character,
    nats_to_bits,
    perplexity,
)
from genai_tutorial.evaluation.neighbours import (
    CopyCheck,
    Neighbours,
    check_copies,
    nearest_neighbours,
)
from genai_tutorial.evaluation.precision_recall import PrecisionRecall, precision_recall
from genai_tutorial.evaluation.psnr import psnr
from genai_tutorial.evaluation.scene_verifier import Reading, read_scenes
from genai_tutorial.evaluation.separation import (
    centred_cosines,
    leave_one_out_centroid_hits,
    within_between_auc,
    within_between_auc_interval,
)

__all__ = [
    "CaptionAccuracy",
    "CaptionScore",
    "Conduct",
    "CopyCheck",
    "DigitClassifier",
    "DigitClassifierConfig",
    "DigitReading",
    "FeatureGaussian",
    "Interval",
    "Neighbours",
    "PrecisionRecall",
    "Reading",
    "TextScore",
    "bits_per_dimension",
    "bootstrap_interval",
    "caption_accuracy",
    "caption_score",
    "centred_cosines",
    "chat_answers",
    "check_copies",
    "complete_facts",
    "conduct",
    "evaluate_language_model",
    "expected_calibration_error",
    "frechet_distance",
    "gaussian_frechet_distance",
    "induction_scores",
    "leave_one_out_centroid_hits",
    "likeliest_texts",
    "nats_per_character",
    "nats_to_bits",
    "nearest_neighbours",
    "perplexity",
    "precision_recall",
    "previous_token_scores",
    "psnr",
    "read_digits",
    "read_scenes",
    "repeated_random_tokens",
    "verifier_accuracy",
    "wins",
    "within_between_auc",
    "within_between_auc_interval",
]
