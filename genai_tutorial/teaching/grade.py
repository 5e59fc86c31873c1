"""Grading: runs the student's solutions and the instructor's tests in the sandbox, and
counts points like nbgrader.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from genai_tutorial.runtime import require
from genai_tutorial.sandbox.confined_process import FORGED, Limits, Stopped
from genai_tutorial.sandbox.errors import SandboxError
from genai_tutorial.sandbox.sandbox import Sandbox
from genai_tutorial.teaching.exercises import (
    Chapter,
    Exercise,
    TeachingError,
    read_chapter,
)
from genai_tutorial.teaching.gradebook import Gradebook
from genai_tutorial.teaching.legible import legible
from genai_tutorial.teaching.release import release
from genai_tutorial.teaching.results import Report, Result
from genai_tutorial.teaching.run import Run
from genai_tutorial.teaching.source import modules_needed
from genai_tutorial.teaching.submission import (
    Submission,
    find_submissions,
    read_submission,
)
from genai_tutorial.teaching.suspicions import worth_a_look


class Grader:
    """Grades submissions to one chapter. Use it as a context manager, because it owns
    the sandbox.

    Args:
        chapter: The instructor's chapter.
        secrets: Files that students' code must not read, in addition to the chapter.
        limits: Resource limits for the code of one exercise.
    """

    def __init__(
        self,
        chapter: Chapter,
        secrets: Sequence[Path] = (),
        limits: Limits | None = None,
    ) -> None:
        self.chapter = chapter
        handed_out = release(chapter.notebook)
        self._stubs = {
            cell.metadata.nbgrader.grade_id: cell
            for cell in handed_out.cells
            if "nbgrader" in cell.metadata
        }
        self.sandbox = Sandbox(
            modules_needed(chapter), [chapter.path, *secrets], limits or Limits()
        )

    def __enter__(self) -> "Grader":
        """Start the sandbox, and check that the chapter's own solutions pass in it.

        Raises:
            TeachingError: If they do not pass, because then the chapter or the
                installation is at fault, not the students.
        """
        try:
            self.sandbox.__enter__()
        except SandboxError as error:
            raise TeachingError(str(error)) from error
        try:
            self._check_reference()
        except BaseException:
            self.sandbox.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the sandbox."""
        self.sandbox.__exit__()

    def report(self, submission: Submission) -> Report:
        """Grade one student's notebook. A failure affects only its own exercise."""
        results = []
        for exercise in self.chapter.exercises:
            try:
                results.append(self._result(exercise, submission))
            except Exception as error:  # our bug; other submissions must not suffer
                results.append(_failure(exercise, error))
        return Report(
            submission.student,
            submission.path,
            self.chapter.title,
            tuple(results),
            self.sandbox.protections,
        )

    def _check_reference(self) -> None:
        solutions = [
            part
            for exercise in self.chapter.exercises
            for part in exercise.of_kind("solution")
        ]
        cells = {part.grade_id: [("code", part.cell.source)] for part in solutions}
        reference = Submission("the chapter itself", self.chapter.path, cells)
        for exercise in self.chapter.exercises:
            if (
                not exercise.is_open
                and (result := self._result(exercise, reference)).points
                != exercise.points
            ):
                missing = (
                    f" These could not be imported: {'; '.join(self.sandbox.missing)}."
                    if self.sandbox.missing
                    else ""
                )
                raise TeachingError(
                    f"The chapter's own solution of exercise {exercise.name} does not "
                    "pass its tests here, so nobody's "
                    f"can: {result.comment}{missing}"
                )

    def _result(self, exercise: Exercise, submission: Submission) -> Result:
        def result(points: float | None, comment: str, **more: object) -> Result:
            return Result(
                exercise.name, exercise.title, points, exercise.points, comment, **more
            )

        if submission.problem:
            return result(0.0, submission.problem)
        if exercise.is_open:
            return self._open_result(exercise, submission, result)
        answers, remarks = {}, []
        for part in exercise.of_kind("solution"):
            answer, remark = submission.answer(part.grade_id, "code")
            remarks += [remark] if remark else []
            if answer is not None:
                answers[part.grade_id] = answer
        if not answers:
            return result(0.0, " ".join(remarks))
        run = Run(exercise, answers)
        try:
            with self.sandbox.open_process() as process:
                run.through(process)
        except Stopped as stopped:
            run.stop(str(stopped))
        except (KeyError, TypeError):  # a forged answer that lacks some fields
            run.stop(FORGED)
        text = "\n\n".join(answers.values())
        if all(
            answers.get(part.grade_id) == self._stubs[part.grade_id].source
            for part in exercise.of_kind("solution")
        ):
            remarks.append("The cell is as it was handed out.")
            run.comments.clear()  # they would only say so in other words
        reference = "\n\n".join(
            part.cell.source for part in exercise.of_kind("solution")
        )
        # Only code that the sandbox has parsed within its limits is parsed here.
        attention = (*worth_a_look("\n\n".join(run.ran), reference), *run.attention)
        return result(
            run.points(),
            " ".join(remarks + run.comments),
            attention=attention,
            answer=text,
            output=run.output,
        )

    def _open_result(
        self, exercise: Exercise, submission: Submission, result
    ) -> Result:
        determine_grade = require("nbgrader.utils", "teach").determine_grade
        texts, points, remarks = [], 0.0, []
        for part in exercise.of_kind("open"):
            answer, remark = submission.answer(part.grade_id, part.cell.cell_type)
            remarks += [remark] if remark else []
            cell = copy.deepcopy(self._stubs[part.grade_id])
            # legible, because the checksum is one of UTF-8
            cell.source = cell.source if answer is None else legible(answer)
            # nbgrader gives 0 if the checksum still matches the release, and leaves
            # everything else to a person.
            points = None if determine_grade(cell)[0] is None else points
            texts.append(answer or "")
        if points is not None:
            return result(0.0, " ".join(remarks or ["There is no answer."]))
        comment = f"For a person to read: up to {exercise.points:g} points."
        return result(None, " ".join([*remarks, comment]), answer="\n\n".join(texts))


def _failure(exercise: Exercise, error: Exception) -> Result:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Result(
        exercise.name,
        exercise.title,
        None,
        exercise.points,
        "This exercise could not be graded automatically; a person will look at it.",
        attention=(f"the grader itself failed ({what})",),
        failed=True,
    )


def grade(
    chapter: str | int | Path,
    submissions: Sequence[str | Path],
    folder: str | Path,
    *,
    limits: Limits | None = None,
    overwrite: bool = False,
    unprotected: bool = False,
) -> list[Report]:
    """Grade submissions to a chapter, and write `grades.csv` and a page of feedback for
    each student.

    Only the exercises run, not the rest of the chapter: the chapter's set-up cells, the
    student's solutions and the instructor's tests. Each exercise has its own process.

    The files are written after each submission, so a second call with the same folder
    continues where the first one was interrupted. A submission is not graded again if
    its file, the chapter's exercises and the limits are unchanged, and its rows and its
    page still exist (see `Gradebook`). Rows of students who are not among the
    submissions are kept.

    Args:
        chapter: The chapter's number, or the path of the instructor's notebook.
        submissions: Students' notebooks, or folders with notebooks.
        folder: Folder to write to.
        limits: Resource limits for the code of one exercise; by default one minute per
            cell and 2 GiB.
        overwrite: Whether to grade all submissions again, and to replace grades of
            another chapter.
        unprotected: Whether to run students' code even where this system cannot enforce
            every protection.

    Returns:
        One report per submission, by student's name. Reports of submissions that were
        graded earlier are read from the table.

    Raises:
        TeachingError: If the chapter or a submission is missing, the chapter's own
            solutions do not pass, the folder contains other grades, it is not
            writable, or a protection is missing and `unprotected` is false.
    """
    from tqdm import tqdm

    found = read_chapter(chapter)
    notebooks = find_submissions(submissions, found.path.stem)
    limits = limits or Limits()
    students = [student for student, _ in notebooks]
    book = Gradebook(Path(folder), found, limits, students, overwrite)
    reports = {student: book.earlier(student, path) for student, path in notebooks}
    left = [(student, path) for student, path in notebooks if not reports[student]]
    if left:
        secrets = [path for _, path in notebooks if path.is_file()]
        with Grader(found, secrets, limits) as grader:
            missing = [p for p in grader.sandbox.protections if not p.enforced]
            if missing and not unprotected:
                raise TeachingError(
                    f"No student's code has run yet. {'. '.join(map(str, missing))}. "
                    "Grade on Linux with kernel 5.13 or later, in a container or on a "
                    "machine without anything of value; or allow it here, at your own "
                    "risk, with --unprotected."
                )
            for student, path in tqdm(
                left, desc="Grading", unit=" notebooks", disable=None
            ):
                fingerprint = book.fingerprint(path)
                reports[student] = grader.report(read_submission(student, path))
                book.add(reports[student], fingerprint)
    return list(reports.values())
