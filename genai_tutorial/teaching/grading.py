"""Grading: runs the student's solutions and the instructor's tests in the sandbox, and
counts points like nbgrader.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from genai_tutorial.runtime import require
from genai_tutorial.sandbox import SandboxError

from .exercises import (
    CourseChapter,
    ExerciseCell,
    GradedExercise,
    TeachingError,
    find_chapter,
    release,
)
from .handouts import chapters_of
from .reports import Gradebook, Report, Result, legible
from .sandbox import FORGED, ConfinedProcess, Limits, Sandbox, Stopped
from .source import (
    compile_tests,
    explain_cell,
    explain_tests,
    imports_of,
    modules_needed,
    names_bound,
    worth_a_look,
)
from .submission import Submission, find_submissions, read_submission

_LIMITS = Limits()


class Grader:
    """Grades submissions to one chapter. Use it as a context manager, because it owns
    the sandbox. Students' code cannot read the files in `hidden`.
    """

    def __init__(
        self,
        chapter: CourseChapter,
        hidden: Sequence[Path] = (),
        limits: Limits = _LIMITS,
    ) -> None:
        self.chapter = chapter
        self._stubs = {
            cell.metadata.nbgrader.grade_id: cell
            for cell in release(chapter.notebook).cells
            if "nbgrader" in cell.metadata
        }
        modules = modules_needed(chapter)
        self.sandbox = Sandbox(modules, [chapter.path, *hidden], limits)

    def __enter__(self) -> "Grader":
        """Start the sandbox, and check that the chapter's own solutions pass in it: if
        not, the chapter or the installation is at fault, not the students.
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
        self.sandbox.__exit__()

    def report(self, submission: Submission) -> Report:
        """Grade one student's notebook. A failure affects only its own exercise."""
        parts = [part for one in self.chapter.exercises for part in one.parts]
        ids = {part.grade_id for part in parts}
        if not submission.problem and ids.isdisjoint(submission.cells):
            problem = "The notebook has none of the chapter's cells to fill in."
            submission = replace(submission, problem=problem)
        results = []
        for exercise in self.chapter.exercises:
            try:
                results.append(self._result(exercise, submission))
            except Exception as error:  # our bug; other submissions must not suffer
                what = f"{type(error).__name__}: {error}".removesuffix(": ")
                comment = (
                    "This exercise could not be graded automatically; a person will "
                    "look at it."
                )
                look = (f"the grader itself failed ({what})",)
                result = _result(exercise, None, comment, attention=look, failed=True)
                results.append(result)
        title, protections = self.chapter.title, self.sandbox.protections
        return Report(submission.student, title, tuple(results), protections)

    def _check_reference(self) -> None:
        cells = {
            part.grade_id: [("code", part.cell.source)]
            for exercise in self.chapter.exercises
            for part in exercise.of_kind("solution")
        }
        reference = Submission("the chapter itself", cells)
        for exercise in self.chapter.exercises:
            if exercise.is_open:
                continue
            result = self._result(exercise, reference)
            if result.points != exercise.points:
                missing = "; ".join(self.sandbox.missing)
                raise TeachingError(
                    f"The chapter's own solution of exercise {exercise.name} does not "
                    f"pass its tests here, so nobody's can: {result.comment}"
                    + (f" These could not be imported: {missing}." if missing else "")
                )

    def _result(self, exercise: GradedExercise, submission: Submission) -> Result:
        if submission.problem:
            look = ("nothing in this file was graded",)
            return _result(exercise, 0.0, submission.problem, attention=look)
        if exercise.is_open:
            return self._open_result(exercise, submission)
        solutions = exercise.of_kind("solution")
        answers, remarks = {}, []
        for part in solutions:
            answer, remark = submission.answer(part.grade_id, "code")
            remarks += [remark] if remark else []
            if answer is not None:
                answers[part.grade_id] = answer
        if not answers:
            return _result(exercise, 0.0, " ".join(remarks))
        run = GradingRun(exercise, answers)
        try:
            with self.sandbox.open_process() as process:
                run.through(process)
        except Stopped as stopped:
            run.stop(str(stopped))
        except (KeyError, TypeError):  # a forged answer that lacks some fields
            run.stop(FORGED)
        # Only code that the sandbox has parsed within its limits is parsed here.
        reference = "\n\n".join(part.cell.source for part in solutions)
        odd = worth_a_look("\n\n".join(run.ran), reference)
        points = run.points()
        if all(
            answers.get(part.grade_id) == self._stubs[part.grade_id].source
            for part in solutions
        ):  # the comments would only say so in other words
            run.comments = ["The cell is as it was handed out."]
        return _result(
            exercise,
            points,
            " ".join(remarks + run.comments),
            attention=(*odd, *run.attention),
            answer="\n\n".join(answers.values()),
            output=run.output,
        )

    def _open_result(self, exercise: GradedExercise, submission: Submission) -> Result:
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
            return _result(exercise, 0.0, " ".join(remarks or ["There is no answer."]))
        remarks.append(f"For a person to read: up to {exercise.points:g} points.")
        return _result(exercise, None, " ".join(remarks), answer="\n\n".join(texts))


def _result(
    exercise: GradedExercise, points: float | None, comment: str, **more: object
) -> Result:
    return Result(
        exercise.name, exercise.title, points, exercise.points, comment, **more
    )


class GradingRun:
    """The run of one exercise in a confined process: the result of each test cell, and
    the comments.
    """

    def __init__(self, exercise: GradedExercise, answers: dict[str, str]) -> None:
        self._exercise, self._answers = exercise, answers
        self._outputs: dict[str, list] = {}
        self.ran: list[str] = []  # answers that ran to their end, with or without error
        self.comments: list[str] = []
        self.attention: list[str] = []
        self.output = ""

    def through(self, process: ConfinedProcess) -> None:
        """Run the cells in the instructor's order. From the student's notebook, only
        the answers are used.
        """
        for code in self._exercise.setup:
            self._given(process, code)
        kept, imports, exports = False, [], []
        for part in self._exercise.parts:
            source = part.cell.source
            if part.kind == "given":
                self._given(process, source)
                exports += names_bound(source) if kept else []
            elif part.kind == "solution":
                if not kept:
                    process.ask("keep")
                    kept = True
                if answer := self._answers.get(part.grade_id):
                    reply = process.ask("cell", source=answer)
                    self.ran.append(answer)
                    self.output += str(reply["output"])
                    self.comments += explain_cell(reply["error"])
                imports += imports_of(source)
                exports += names_bound(source)
            else:
                tests = compile_tests(source, imports)
                codes = {"codes": tests.codes, "value": tests.value}
                reply = process.ask("tests", **codes, exports=exports)
                if not reply["error"] and reply["marks"] != tests.marks:
                    raise KeyError("marks")
                self._tested(part, reply)

    def _given(self, process: ConfinedProcess, code: str) -> None:
        if error := process.ask("cell", source=code)["error"]:
            what = f"{error['name']}: {error['message']}"
            self.comments.append(f"The chapter's own set-up failed ({what}).")

    def _tested(self, part: ExerciseCell, reply: dict) -> None:
        output = require("nbformat.v4", "teach").new_output
        # read all fields first: an answer that lacks one is forged and must earn
        # nothing
        error, value = reply["error"], reply["value"]
        changed, threads = list(reply["changed"]), reply["threads"]
        if value is not None and not 0 <= value <= part.points:
            message = f"the tests gave {value} of {part.points:g} points"
            error = {"name": "ValueError", "message": message, "frames": []}
        outputs = self._outputs[part.grade_id] = []
        if error:
            words = {"ename": error["name"], "evalue": error["message"]}
            outputs.append(output("error", **words, traceback=[]))
            self.comments += explain_tests(error, part.cell.source)
        elif value is not None:  # partial credit
            outputs.append(output("execute_result", data={"text/plain": repr(value)}))
            if value < part.points:
                given = f"The tests give {value:g} of {part.points:g} points."
                self.comments.append(given)
        self.attention += [
            f"it replaced {name}, which was put back before the tests"
            for name in changed
        ]
        if threads and not any("thread" in remark for remark in self.attention):
            self.attention.append("it leaves a thread running during the tests")

    def stop(self, reason: str) -> None:
        """Record that the process has ended; anything untested gets no points."""
        if reason == FORGED:
            self.attention.append("its process answered in the grader's place")
        self.comments.append(f"Your code was not tested to the end: {reason}.")

    def points(self) -> float:
        """Return the points that nbgrader gives the instructor's test cells with the
        outputs that the grader received.
        """
        determine_grade = require("nbgrader.utils", "teach").determine_grade
        new_output = require("nbformat.v4", "teach").new_output
        never_ended = [new_output("error", ename="Stopped", evalue="", traceback=[])]
        total = 0.0
        for part in self._exercise.of_kind("tests"):
            cell = copy.deepcopy(part.cell)
            cell.outputs = self._outputs.get(part.grade_id, never_ended)
            total += determine_grade(cell)[0]
        if total == self._exercise.points:
            self.comments.append("All tests passed.")
        return total


def grade(
    chapter: str | int | Path,
    submissions: Sequence[str | Path],
    folder: str | Path,
    *,
    seed: int | None = None,
    roster: str | Path | None = None,
    limits: Limits = _LIMITS,
    overwrite: bool = False,
    unprotected: bool = False,
) -> list[Report]:
    """Grade submissions to a chapter, write `grades.csv` and a page of feedback for
    each student, and return one report per submission, by student's name.

    Only the exercises run, each in its own process: the chapter's set-up cells, the
    student's solutions and the instructor's tests.

    The files are written after each submission, so a second call with the same folder
    continues where the first one was interrupted. A submission is not graded again if
    its file, the chapter's exercises and the limits are unchanged, and its rows and its
    page still exist. Rows of students who are not among the submissions are kept.

    Args:
        chapter: The chapter's number, or the path of the instructor's notebook.
        submissions: Students' notebooks, or folders with notebooks.
        seed: The seed with which the chapter was assigned, if there was one.
        roster: The roster with which it was assigned, if there was one; its key is
            beside it.
        limits: Resource limits for the code of one exercise; by default one minute per
            cell and 2 GiB.
        overwrite: If true, grade all submissions again, and replace grades of another
            chapter.
        unprotected: If true, run students' code even where this system cannot enforce
            every protection.

    Raises:
        TeachingError: If the chapter or a submission is missing, the chapter's own
            solutions do not pass, a student is not in the roster, the folder contains
            other grades, it is not writable, or a protection is missing and
            `unprotected` is false.
    """
    from tqdm import tqdm

    notebooks = dict(find_submissions(submissions, find_chapter(chapter).stem))
    reports: dict[str, Report] = {}
    for found, students in chapters_of(chapter, list(notebooks), seed, roster):
        book = Gradebook(Path(folder), found, limits, students, overwrite)
        for student in students:
            if earlier := book.earlier(student, notebooks[student]):
                reports[student] = earlier
        left = [student for student in students if student not in reports]
        if left:
            secrets = [path for path in notebooks.values() if path.is_file()]
            with Grader(found, secrets, limits) as grader:
                _check_protections(grader.sandbox.protections, unprotected)
                shown = tqdm(left, desc="Grading", unit=" notebooks", disable=None)
                for student in shown:
                    path = notebooks[student]
                    fingerprint = book.fingerprint(path)
                    reports[student] = grader.report(read_submission(student, path))
                    book.add(reports[student], fingerprint)
    return [reports[student] for student in notebooks]


def _check_protections(protections: Sequence, unprotected: bool) -> None:
    missing = [one for one in protections if not one.enforced]
    if missing and not unprotected:
        raise TeachingError(
            f"No student's code has run yet. {'. '.join(map(str, missing))}. "
            "Grade on Linux with kernel 5.13 or later, in a container or on a machine "
            "without anything of value; or allow it here, at your own risk, with "
            "--unprotected."
        )
