"""The record of a training run: losses, evaluations and time."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Evaluation:
    """One evaluation during a run.

    Attributes:
        step: Number of training steps before it.
        value: The result, usually the validation loss in nats per token.
        seconds: Training time until then, without the evaluations.
    """

    step: int
    value: float
    seconds: float


@dataclass
class History:
    """The losses of a run, its evaluations, and the time it took.

    Attributes:
        losses: The training loss of each step.
        evaluations: The results of `evaluate`, in order.
        seconds: Total training time, without the evaluations.

    >>> history = History(
    ...     losses=[2.0, 1.0], evaluations=[Evaluation(2, 1.5, 0.1)], seconds=0.1
    ... )
    >>> history.best
    Evaluation(step=2, value=1.5, seconds=0.1)
    """

    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best(self) -> Evaluation:
        """The evaluation with the lowest value.

        Raises:
            ValueError: If there was none.
        """
        if not self.evaluations:
            raise ValueError(
                "This run has no evaluations: give `fit` a function to evaluate with."
            )
        return min(self.evaluations, key=lambda evaluation: evaluation.value)

    def smoothed(self, window: int = 20) -> list[float]:
        """Return the mean of the last `window` losses at each step, because single
        batches are noisy.

        >>> History(losses=[3.0, 1.0, 2.0]).smoothed(window=2)
        [3.0, 2.0, 1.5]
        """
        means = []
        for end in range(1, len(self.losses) + 1):
            latest = self.losses[max(0, end - window) : end]
            means.append(sum(latest) / len(latest))
        return means

    def to_dict(self) -> dict:
        """Return the history as a dictionary for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "History":
        """Build a history from the result of `to_dict`."""
        evaluations = [Evaluation(**evaluation) for evaluation in values["evaluations"]]
        return cls(list(values["losses"]), evaluations, values["seconds"])
