"""Logistic regression, a discriminative classifier: it learns p(class | x), but no
model of x.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from genai_tutorial.density.density import check_data, check_labels


@dataclass(frozen=True)
class LogisticRegression:
    """A score for each class that is linear in x.

    Attributes:
        weights: Weight of each coordinate in the score of each class.
        bias: The score of each class at x = 0.
    """

    weights: Float[Tensor, "dim classes"]
    bias: Float[Tensor, "classes"]

    def scores(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return the scores, also called logits."""
        return check_data(x, dim=len(self.weights)) @ self.weights + self.bias

    def probabilities(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return p(class | x), the softmax of the scores.

        Source: Bishop (2006), equation 4.104.
        """
        return self.scores(x).softmax(dim=1)

    def predict(self, x: Float[Tensor, "n dim"]) -> Int[Tensor, "n"]:
        """Return the most probable class of each row."""
        return self.scores(x).argmax(dim=1)

    def parameter_count(self) -> int:
        """Return the number of weights and biases. Adding the same to every class
        changes nothing, so one class is not counted.
        """
        dim, classes = self.weights.shape
        return (dim + 1) * (classes - 1)


def fit_logistic_regression(
    x: Float[Tensor, "n dim"],
    labels: Int[Tensor, "n"],
    *,
    penalty: float = 1.0,
    tolerance: float = 1e-6,
) -> LogisticRegression:
    """Find the weights that make the given labels most probable, by L-BFGS.

    Args:
        x: One example per row.
        labels: The class of each row, counted from 0.
        penalty: Half of this, times the sum of the squared weights, is added to the
            negative log-likelihood. It is 1 / C in scikit-learn. Without it the weights
            grow without limit if the classes can be separated.
        tolerance: Stop when no entry of the gradient per example is larger than this.

    Raises:
        ValueError: If the labels do not fit the rows, a class has no example, or
            penalty is not above zero.
        RuntimeError: If the optimizer did not converge within 2,000 steps.

    Source: Bishop (2006), equation 4.108, with the penalty of section 3.1.4.

    >>> x = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
    >>> model = fit_logistic_regression(x, torch.tensor([0, 0, 1, 1]))
    >>> model.predict(torch.tensor([[0.5], [5.5]])).tolist()
    [0, 1]
    """
    if not (math.isfinite(penalty) and penalty > 0):
        raise ValueError(
            f"penalty must be above zero, got {penalty}; 1 is the usual choice, 0.001 "
            "is nearly none"
        )
    x = check_data(x)
    n, dim = x.shape
    labels, classes = check_labels(labels, n)
    weights = x.new_zeros(dim, classes, requires_grad=True)  # 64 bits, like x
    bias = x.new_zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights, bias],
        max_iter=2000,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = (
            cross_entropy(x @ weights + bias, labels)
            + 0.5 * penalty / n * weights.square().sum()
        )
        value.backward()
        return value

    optimizer.step(loss)
    # L-BFGS reports no failure, so check the gradient once more.
    loss()
    steepest = max(weights.grad.abs().max().item(), bias.grad.abs().max().item())
    if steepest > 10 * tolerance:
        raise RuntimeError(
            f"the optimizer stopped with a gradient of {steepest:.1e}, "
            f"above tolerance {tolerance:.1e}; "
            "bring the columns of x to a similar scale, or use a larger penalty"
        )
    return LogisticRegression(weights.detach(), bias.detach())
