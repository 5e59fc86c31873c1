"""Bayes classifiers and logistic regression."""

import math

import pytest
import torch

from genai_tutorial.density import (
    Density,
    fit_bayes_classifier,
    fit_bernoulli,
    fit_bernoulli_naive_bayes,
    fit_diagonal_gaussian,
    fit_gaussian,
    fit_logistic_regression,
    fit_ppca,
    fit_shared_gaussian_naive_bayes,
)


def three_classes(n=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(3).repeat_interleave(torch.tensor([n, n, 2 * n]))
    centres = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    return torch.randn(4 * n, 2, generator=generator) + centres[labels], labels


@pytest.mark.parametrize(
    "fit",
    [
        lambda x, labels: fit_bayes_classifier(x, labels, fit_gaussian),
        lambda x, labels: fit_bayes_classifier(
            x, labels, lambda rows, weights: fit_ppca(rows, weights, latent=1)
        ),
        fit_shared_gaussian_naive_bayes,
    ],
    ids=["qda", "ppca", "naive, shared variance"],
)
def test_bayes_classifier_predicts_and_samples_its_classes(fit):
    """New points get the right class, and samples of a class lie around its mean."""
    x, labels = three_classes()
    classifier = fit(x, labels)
    fresh, ground_truth = three_classes(seed=1)
    assert (classifier.predict(fresh) == ground_truth).double().mean() > 0.9
    assert classifier.prior.tolist() == [0.25, 0.25, 0.5]
    torch.testing.assert_close(
        classifier.probabilities(fresh).sum(dim=1), torch.ones(len(fresh)).double()
    )
    drawn = classifier.sample(1, 500, torch.Generator().manual_seed(0))
    assert drawn.mean(dim=0).tolist() == pytest.approx([3, 0], abs=0.3)


def test_bayes_classifier_log_prob_sums_over_classes():
    """A generative classifier is a density too."""
    x, labels = three_classes()
    classifier = fit_bayes_classifier(x, labels, fit_gaussian)
    by_hand = sum(
        prior * density.log_prob(x).exp()
        for prior, density in zip(classifier.prior, classifier.densities, strict=True)
    )
    torch.testing.assert_close(classifier.log_prob(x), by_hand.log())


def test_shared_variances_have_flat_decision_boundaries():
    """With the same variances for all classes, the log odds are linear."""
    # Along a straight line, the difference between two classes' scores must be straight
    # too: no second difference.
    x, labels = three_classes()
    line = torch.linspace(-5, 5, 11).double()[:, None] * torch.tensor([1.0, 0.7])
    scores = fit_shared_gaussian_naive_bayes(x, labels).log_joint(line)
    assert (scores[:, 0] - scores[:, 1]).diff(n=2).abs().max() < 1e-9
    curved = fit_bayes_classifier(x, labels, fit_gaussian).log_joint(line)
    assert (curved[:, 0] - curved[:, 1]).diff(n=2).abs().max() > 1e-3


def test_bernoulli_probabilities_sum_to_one():
    model = fit_bernoulli(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    every_row = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    assert model.log_prob(every_row).exp().sum().item() == pytest.approx(1)
    drawn = model.sample(4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(dim=0), model.probability, rtol=0, atol=0.03)


def test_density_protocol_holds_for_every_density():
    x, _ = three_classes()
    binary = (x > 1).float()
    gaussians = fit_gaussian(x), fit_diagonal_gaussian(x), fit_ppca(x, latent=1)
    for density in (*gaussians, fit_bernoulli(binary)):
        assert isinstance(density, Density)


def test_bayes_classifier_parameter_count_counts_shared_parameters_once():
    x, labels = three_classes()
    own = fit_bayes_classifier(x, labels, fit_gaussian)
    assert own.parameter_count() == 2 + 3 * (2 + 3)
    # The shared spread is one set of numbers, however many classes use it.
    assert fit_shared_gaussian_naive_bayes(x, labels).parameter_count() == 2 + 3 * 2 + 2
    ink = fit_bernoulli_naive_bayes((x > 1).float(), labels)
    assert ink.parameter_count() == 2 + 3 * 2


def test_fit_bayes_classifier_accepts_any_integer_labels():
    x, labels = three_classes()
    fit = fit_shared_gaussian_naive_bayes
    expected = fit(x, labels).log_joint(x)
    torch.testing.assert_close(fit(x, labels.int()).log_joint(x), expected)


def test_bayes_classifier_invalid_input_raises():
    x, labels = three_classes()
    with pytest.raises(ValueError, match=r"at least 0 and 1, got \[0, 2\]"):
        fit_bayes_classifier(x[labels != 1], labels[labels != 1], fit_gaussian)
    with pytest.raises(ValueError, match=r"at least 0 and 1, got \[0\]"):
        fit_shared_gaussian_naive_bayes(x, torch.zeros_like(labels))
    with pytest.raises(ValueError, match="only 0 and 1, got other numbers"):
        fit_bernoulli_naive_bayes(x, labels)
    with pytest.raises(ValueError, match="smoothing must be above zero, got 0"):
        fit_bernoulli((x > 1).float(), smoothing=0.0)
    with pytest.raises(ValueError, match="a class from 0 to 2, got 3"):
        fit_shared_gaussian_naive_bayes(x, labels).sample(3, 1, torch.Generator())


def two_classes(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(2).repeat(n // 2)
    return torch.randn(n, 3, generator=generator) + 1.5 * labels[:, None], labels


def test_logistic_regression_probabilities_agree_with_predictions():
    x, labels = two_classes()
    model = fit_logistic_regression(x, labels)
    probabilities = model.probabilities(x)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(x)).double())
    assert torch.equal(probabilities.argmax(dim=1), model.predict(x))
    assert (model.predict(x) == labels).double().mean() > 0.85


def test_penalty_shrinks_the_weights():
    x, labels = two_classes()
    sizes = [
        fit_logistic_regression(x, labels, penalty=penalty).weights.norm().item()
        for penalty in (0.1, 10.0, 1000.0)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_logistic_regression_parameter_count():
    x, labels = two_classes()
    assert fit_logistic_regression(x, labels).parameter_count() == 4


def test_logistic_regression_invalid_input_raises():
    x, labels = two_classes()
    for penalty in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="penalty must be above zero"):
            fit_logistic_regression(x, labels, penalty=penalty)
    with pytest.raises(ValueError, match=r"at least 0 and 1, got \[1\]"):
        fit_logistic_regression(x[labels == 1], labels[labels == 1])
    with pytest.raises(ValueError, match="rows of 3 numbers, got rows of 2"):
        fit_logistic_regression(x, labels).predict(x[:, :2])


def test_logistic_regression_without_convergence_raises():
    x, labels = two_classes()
    with pytest.raises(RuntimeError, match="similar scale"):
        fit_logistic_regression(
            x * torch.tensor([1e-9, 1e9, 1.0]), labels, penalty=1e-9, tolerance=1e-14
        )
