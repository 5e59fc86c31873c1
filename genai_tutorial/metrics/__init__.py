"""Measure models and samples: likelihood, intervals, Fréchet distance, precision and
recall, pass@k, rankings, ROC curves, abstention, goodness of fit, copies of training
images and text.
"""

from .abstention import RiskCoverage, risk_coverage, threshold_at_risk
from .copying import CopyTest, copy_test
from .digit_features import (
    DigitClassifier,
    DigitClassifierConfig,
    DigitReading,
    expected_calibration_error,
    read_digits,
)
from .frechet import FeatureGaussian, frechet_distance, gaussian_frechet_distance
from .goodness_of_fit import ChiSquareTest, chi_square_test
from .intervals import (
    Interval,
    bootstrap_interval,
    cluster_bootstrap_interval,
    t_interval,
)
from .label_calibration import batch_calibration, contextual_calibration
from .likelihood import (
    TextScore,
    bits_per_dimension,
    evaluate_language_model,
    perplexity,
)
from .memorization import CopiedRun, SuffixArray
from .neighbours import Neighbours, nearest_neighbours
from .paired import PairedTest, mcnemar_test, paired_difference
from .pass_at_k import pass_at_k, pass_at_k_table
from .precision_recall import PrecisionRecall, ball_radii, in_balls, precision_recall
from .proportions import clopper_pearson_interval, wilson_interval
from .psnr import psnr
from .ranking import Rankings, recall_at_k, reciprocal_ranks
from .repetition import repeated_share
from .roc import ROCCurve, auroc, roc_curve, true_positive_rate_at
from .selection import WinnersCurse, winners_curse
from .semantic_entropy import entropy_of_answers, semantic_entropy
from .word_error_rate import WordErrors, word_error_rate, word_errors
