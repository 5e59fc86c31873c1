import math

import pytest
import torch

from genai_tutorial.density import fit_logistic_regression


def two_classes(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(2).repeat(n // 2)
    return torch.randn(n, 3, generator=generator) + 1.5 * labels[:, None], labels


def penalized_loss(weights, bias, x, labels, penalty):
    scores = x.double() @ weights + bias
    return (
        torch.nn.functional.cross_entropy(scores, labels, reduction="sum")
        + 0.5 * penalty * weights.square().sum()
    )


def test_logistic_regression_one_feature_by_hand():
    # Ink in 3 of 4 images of class 1 and in 1 of 4 of class 0: with hardly a penalty,
    # those are the probabilities.
    x = torch.tensor([[1.0], [1.0], [1.0], [0.0], [1.0], [0.0], [0.0], [0.0]])
    model = fit_logistic_regression(
        x, torch.tensor([1, 1, 1, 1, 0, 0, 0, 0]), penalty=1e-9, tolerance=1e-9
    )
    probabilities = model.probabilities(torch.tensor([[0.0], [1.0]]))[:, 1]
    assert probabilities.tolist() == pytest.approx([0.25, 0.75], abs=1e-6)
    # log-odds from -log 3 to log 3
    assert (model.weights[0, 1] - model.weights[0, 0]).item() == pytest.approx(
        2 * math.log(3), abs=1e-5
    )


def test_logistic_regression_minimizes_the_penalized_loss():
    """No point near the optimum is better."""
    x, labels = two_classes()
    model = fit_logistic_regression(x, labels, penalty=2.0, tolerance=1e-10)
    best = penalized_loss(model.weights, model.bias, x, labels, 2.0)
    generator = torch.Generator().manual_seed(1)
    for scale in (1e-3, 1e-2, 1e-1):
        for _ in range(10):
            nudge = scale * torch.randn(3, 2, generator=generator, dtype=torch.float64)
            assert (
                penalized_loss(model.weights + nudge, model.bias, x, labels, 2.0) > best
            )
            assert (
                penalized_loss(model.weights, model.bias + nudge[0], x, labels, 2.0)
                > best - 1e-12
            )


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
