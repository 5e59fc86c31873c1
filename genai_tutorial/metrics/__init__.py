"""Measure models and samples: likelihood, intervals, Fréchet distance, precision and
recall, pass@k, rankings, ratings by votes, agreement, ROC curves, abstention, goodness
of fit, copies of training images and text.
"""

from .answers import (
    WinnersCurse,
    batch_calibration,
    contextual_calibration,
    entropy_of_answers,
    pass_at_k,
    pass_at_k_table,
    semantic_entropy,
    winners_curse,
)
from .copying import CopiedRun, CopyTest, SuffixArray, copy_test
from .digit_features import (
    DigitClassifier,
    DigitClassifierConfig,
    DigitReading,
    expected_calibration_error,
    read_digits,
)
from .hypothesis_tests import (
    ChiSquareTest,
    PairedTest,
    chi_square_test,
    mcnemar_test,
    paired_difference,
)
from .image_quality import (
    FeatureGaussian,
    Neighbours,
    PrecisionRecall,
    ball_radii,
    frechet_distance,
    gaussian_frechet_distance,
    in_balls,
    nearest_neighbours,
    precision_recall,
    psnr,
)
from .intervals import (
    Interval,
    bootstrap_interval,
    cluster_bootstrap_interval,
    t_interval,
    wilson_interval,
)
from .likelihood import (
    TextScore,
    bits_per_dimension,
    evaluate_language_model,
    perplexity,
)
from .ranking import (
    RiskCoverage,
    ROCCurve,
    auroc,
    risk_coverage,
    roc_curve,
    threshold_at_risk,
    true_positive_rate_at,
)
from .ratings import BradleyTerry, cohen_kappa, elo_ratings, fit_bradley_terry
from .texts import WordErrors, repeated_share, word_error_rate, word_errors
