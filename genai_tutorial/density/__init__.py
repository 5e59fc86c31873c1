"""Densities in closed form: small models that give the exact probability of data. Read
`gaussian`, then `mixture`, `ppca` and `classifiers`, which build on it; `flow`, whose
exact density is trained by gradients; and `energy`, where its constant is unknown.
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
from .energy import langevin, noise_contrastive_loss
from .flow import AffineCoupling, Gaussianize, RealNVP
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
