"""Densities in closed form: small models that give the exact probability of data.

Read `gaussian`, then `mixture` and `ppca`, which build on it; `classifiers` puts one
density on each class, and has logistic regression, which does not model the data
itself. `ngram` holds the count models that a neural language model has to beat.
"""

from .classifiers import (
    BayesClassifier,
    IndependentBernoulli,
    LogisticRegression,
    fit_bayes_classifier,
    fit_bernoulli,
    fit_bernoulli_naive_bayes,
    fit_logistic_regression,
    fit_shared_gaussian_naive_bayes,
)
from .gaussian import (
    Density,
    DiagonalGaussian,
    FitDensity,
    Gaussian,
    fit_diagonal_gaussian,
    fit_gaussian,
)
from .mixture import (
    Mixture,
    MixtureFit,
    fit_mixture,
    maximization_step,
    start_responsibilities,
)
from .ngram import CountTable, NGramModel
from .ppca import PPCA, fit_ppca
