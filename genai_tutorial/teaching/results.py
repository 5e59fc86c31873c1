"""The results of grading: one result per exercise, one report per student."""

from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.sandbox.sandbox import Protection


@dataclass(frozen=True)
class Result:
    """The result of one exercise.

    Attributes:
        exercise: Number, such as `4.1`.
        title: Title of the exercise.
        points: Points from the tests; `None` if a person gives them.
        max_points: Maximum number of points.
        comment: Feedback for the student.
        attention: Remarks that the teacher should read before trusting the points.
        answer: The student's own text.
        output: Beginning of the output of the student's cell.
        failed: Whether the grader itself failed, so that it should try again.
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
    """A student's results, and the protections that the sandbox enforced meanwhile."""

    student: str
    path: Path
    chapter: str
    results: tuple[Result, ...]
    protections: tuple[Protection, ...]

    @property
    def points(self) -> float:
        """The points from tests so far."""
        return sum((result.points or 0.0 for result in self.results), 0.0)

    @property
    def max_points(self) -> float:
        """The maximum number of points, including those that a person gives."""
        return sum((result.max_points for result in self.results), 0.0)

    @property
    def waiting(self) -> float:
        """The maximum number of points that a person still has to decide on."""
        return sum(
            (result.max_points for result in self.results if result.points is None), 0.0
        )

    @property
    def failed(self) -> bool:
        """Whether the grader failed on some exercise."""
        return any(result.failed for result in self.results)

    @property
    def unprotected(self) -> tuple[str, ...]:
        """The protections that this system could not enforce."""
        return tuple(
            protection.name
            for protection in self.protections
            if not protection.enforced
        )
