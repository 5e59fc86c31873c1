"""Running one exercise in the sandbox: its cells in the instructor's order, and the
result of each test cell.
"""

import copy

from genai_tutorial.runtime import require
from genai_tutorial.sandbox.confined_process import FORGED, ConfinedProcess
from genai_tutorial.teaching.exercises import Exercise, Part
from genai_tutorial.teaching.explain import explain_cell, explain_tests
from genai_tutorial.teaching.source import compile_tests, imports_of, names_bound


class Run:
    """The run of one exercise in a confined process: the result of each test cell, and
    the comments.
    """

    def __init__(self, exercise: Exercise, answers: dict[str, str]) -> None:
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
            if part.kind == "given":
                self._given(process, part.cell.source)
                exports += names_bound(part.cell.source) if kept else []
            elif part.kind == "solution":
                if not kept:
                    process.ask("keep")
                    kept = True
                if part.grade_id in self._answers:
                    reply = process.ask("cell", source=self._answers[part.grade_id])
                    self.ran.append(self._answers[part.grade_id])
                    self.output += str(reply["output"])
                    self.comments += explain_cell(reply["error"])
                imports += imports_of(part.cell.source)
                exports += names_bound(part.cell.source)
            else:
                tests = compile_tests(part.cell.source, imports)
                reply = process.ask(
                    "tests", codes=tests.codes, value=tests.value, exports=exports
                )
                if not reply["error"] and reply["marks"] != tests.marks:
                    raise KeyError("marks")
                self._tested(part, reply)

    def _given(self, process: ConfinedProcess, code: str) -> None:
        if error := process.ask("cell", source=code)["error"]:
            self.comments.append(
                f"The chapter's own set-up failed ({error['name']}: "
                f"{error['message']})."
            )

    def _tested(self, part: Part, reply: dict) -> None:
        output = require("nbformat.v4", "teach").new_output
        # read all fields first: an answer that lacks one is forged and must earn
        # nothing
        error, value = reply["error"], reply["value"]
        changed, threads = list(reply["changed"]), reply["threads"]
        if value is not None and not 0 <= value <= part.points:
            error = {
                "name": "ValueError",
                "message": f"the tests gave {value} of {part.points:g} points",
                "frames": [],
            }
        if error:
            self._outputs[part.grade_id] = [
                output(
                    "error", ename=error["name"], evalue=error["message"], traceback=[]
                )
            ]
            self.comments += explain_tests(error, part.cell.source)
        else:
            self._outputs[part.grade_id] = []
            if value is not None:  # partial credit
                self._outputs[part.grade_id] = [
                    output("execute_result", data={"text/plain": repr(value)})
                ]
                self.comments += [
                    f"The tests give {value:g} of {part.points:g} points."
                ] * (value < part.points)
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
