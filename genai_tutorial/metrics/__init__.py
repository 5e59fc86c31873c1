"""Measure models and samples: likelihood, intervals, Fréchet distance, precision and
recall, pass@k, rankings, ROC curves, abstention, goodness of fit, copies of training
images and text.
"""

from genai_tutorial.metrics.abstention import (
    RiskCoverage,
    risk_coverage,
    threshold_at_risk,
)
from genai_tutorial.metrics.copying import CopyTest, copy_test
from genai_tutorial.metrics.digit_features import (
    DigitClassifier,
    DigitClassifierConfig,
    DigitReading,
    expected_calibration_error,
    read_digits,
)
from genai_tutorial.metrics.frechet import (
    FeatureGaussian,
    frechet_distance,
    gaussian_frechet_distance,
)
from genai_tutorial.metrics.goodness_of_fit import ChiSquareTest, chi_square_test
from genai_tutorial.metrics.intervals import (
    Interval,
    bootstrap_interval,
    cluster_bootstrap_interval,
    t_interval,
)
from genai_tutorial.metrics.label_calibration import (
    batch_calibration,
    contextual_calibration,
)
from genai_tutorial.metrics.likelihood import (
    TextScore,
    bits_per_dimension,
    evaluate_language_model,
    nats_per_character,
    nats_to_bits,
    perplexity,
)
from genai_tutorial.metrics.memorization import (
    CopiedRun,
    SuffixArray,
    longest_copied_run,
)
from genai_tutorial.metrics.neighbours import Neighbours, nearest_neighbours
from genai_tutorial.metrics.paired import PairedTest, mcnemar_test, paired_difference
from genai_tutorial.metrics.pass_at_k import pass_at_k, pass_at_k_table
from genai_tutorial.metrics.precision_recall import (
    PrecisionRecall,
    ball_radii,
    precision_recall,
)
from genai_tutorial.metrics.proportions import clopper_pearson_interval, wilson_interval
from genai_tutorial.metrics.psnr import psnr
from genai_tutorial.metrics.ranking import ndcg_at_k, recall_at_k, reciprocal_ranks
from genai_tutorial.metrics.repetition import repeated_share
from genai_tutorial.metrics.roc import ROCCurve, auroc, roc_curve, true_positive_rate_at
from genai_tutorial.metrics.selection import WinnersCurse, winners_curse
from genai_tutorial.metrics.semantic_entropy import (
    cluster_meanings,
    entropy_of_answers,
    semantic_entropy,
)
from genai_tutorial.metrics.word_error_rate import (
    WordErrors,
    word_error_rate,
    word_errors,
)

__all__ = [
    "ChiSquareTest",
    "CopiedRun",
    "CopyTest",
    "DigitClassifier",
    "DigitClassifierConfig",
    "DigitReading",
    "FeatureGaussian",
    "Interval",
    "Neighbours",
    "PairedTest",
    "PrecisionRecall",
    "ROCCurve",
    "RiskCoverage",
    "SuffixArray",
    "TextScore",
    "WinnersCurse",
    "WordErrors",
    "auroc",
    "ball_radii",
    "batch_calibration",
    "bits_per_dimension",
    "bootstrap_interval",
    "chi_square_test",
    "clopper_pearson_interval",
    "cluster_bootstrap_interval",
    "cluster_meanings",
    "contextual_calibration",
    "copy_test",
    "entropy_of_answers",
    "evaluate_language_model",
    "expected_calibration_error",
    "frechet_distance",
    "gaussian_frechet_distance",
    "longest_copied_run",
    "mcnemar_test",
    "nats_per_character",
    "nats_to_bits",
    "ndcg_at_k",
    "nearest_neighbours",
    "paired_difference",
    "pass_at_k",
    "pass_at_k_table",
    "perplexity",
    "precision_recall",
    "psnr",
    "read_digits",
    "recall_at_k",
    "reciprocal_ranks",
    "repeated_share",
    "risk_coverage",
    "roc_curve",
    "semantic_entropy",
    "t_interval",
    "threshold_at_risk",
    "true_positive_rate_at",
    "wilson_interval",
    "winners_curse",
    "word_error_rate",
    "word_errors",
]
