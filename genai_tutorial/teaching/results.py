"""What grading finds: a result for each exercise, a report for each student."""

from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.sandbox.sandbox import Protection


@dataclass(frozen=True)
class Result:
    """How one exercise went.

    Attributes:
        exercise: Its number, such as `4.1`.
        title: Its title.
        points: What the tests gave; `None` where a person gives the points.
        max_points: The most there is.
        comment: What the student is told, in sentences.
        attention: What a person should look at before trusting the points.
        answer: The student's own text.
        output: What the student's cell printed (the beginning).
        failed: Whether it was the grader that went wrong, so that it should try again.
    """

    exercise: str
    title: str
    points: float | None
    max_points: float
    comment: str
    attention: tuple[str, ...] = ()
    answer: str = ""
    output: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Report:
    """A student's results, and what the sandbox enforced while they were made."""

    student: str
    path: Path
    chapter: str
    results: tuple[Result, ...]
    protections: tuple[Protection, ...]

    @property
    def points(self) -> float:
        """What the tests gave so far."""
        return sum((result.points or 0.0 for result in self.results), 0.0)

    @property
    def max_points(self) -> float:
        """The most there is, with what a person gives."""
        return sum((result.max_points for result in self.results), 0.0)

    @property
    def waiting(self) -> float:
        """The most points that a person still has to decide on."""
        return sum(
            (result.max_points for result in self.results if result.points is None), 0.0
        )

    @property
    def failed(self) -> bool:
        """Whether the grader could not do some exercise."""
        return any(result.failed for result in self.results)

    @property
    def unprotected(self) -> tuple[str, ...]:
        """What this system did not keep students' code from; empty where everything was
        enforced.
        """
        return tuple(
            protection.name
            for protection in self.protections
            if not protection.enforced
        )
