"""Densities in closed form: small models that give the exact probability of data.

Read `gaussian`, then `mixture` and `ppca`, which build on it; `classifiers` and
`naive_bayes` put one density on each class; `logistic_regression` is the discriminative
counterpart, which does not model the data itself. `ngram` holds the count models that a
neural language model has to beat.
"""

from genai_tutorial.density.classifiers import (
    BayesClassifier,
    fit_bayes_classifier,
    fit_linear_discriminant,
)
from genai_tutorial.density.density import Density, FitDensity
from genai_tutorial.density.gaussian import (
    DiagonalGaussian,
    Gaussian,
    fit_diagonal_gaussian,
    fit_gaussian,
)
from genai_tutorial.density.logistic_regression import (
    LogisticRegression,
    fit_logistic_regression,
)
from genai_tutorial.density.mixture import (
    Mixture,
    MixtureFit,
    fit_mixture,
    maximization_step,
    start_responsibilities,
)
from genai_tutorial.density.naive_bayes import (
    IndependentBernoulli,
    fit_bernoulli,
    fit_bernoulli_naive_bayes,
    fit_gaussian_naive_bayes,
    fit_shared_gaussian_naive_bayes,
)
from genai_tutorial.density.ngram import NGramModel
from genai_tutorial.density.ppca import PPCA, fit_ppca

__all__ = [
    "PPCA",
    "BayesClassifier",
    "Density",
    "DiagonalGaussian",
    "FitDensity",
    "Gaussian",
    "IndependentBernoulli",
    "LogisticRegression",
    "Mixture",
    "MixtureFit",
    "NGramModel",
    "fit_bayes_classifier",
    "fit_bernoulli",
    "fit_bernoulli_naive_bayes",
    "fit_diagonal_gaussian",
    "fit_gaussian",
    "fit_gaussian_naive_bayes",
    "fit_linear_discriminant",
    "fit_logistic_regression",
    "fit_mixture",
    "fit_ppca",
    "fit_shared_gaussian_naive_bayes",
    "maximization_step",
    "start_responsibilities",
]
