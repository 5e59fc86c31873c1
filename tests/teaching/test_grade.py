import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching import TeachingError, grade, grading
from genai_tutorial.teaching.exercises import read_chapter, release
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.reports import Report, Result
from genai_tutorial.teaching.source import explain_tests
from tests.teaching.chapters import answered, cell_of, exercise, small_chapter

Grade = Callable[[nbformat.NotebookNode], Report]

RIGHT = {
    "ex_1": "def double(x): return x + x",
    "ex_2": "import torch\ndef softmax(scores): return torch.softmax(scores, dim=-1)",
    "ex_3": (
        "def count_vowels(text): return sum(text.lower().count(vowel) for vowel in "
        "'aeiou')"
    ),
}


def _first(report: Report) -> Result:
    """Return the first exercise's result, after checking that the second one, which is
    correct, has its points.
    """
    assert report.results[1].points == 3, report.results
    return report.results[0]


@pytest.fixture
def attack(
    grader: Grader, grade_notebook: Grade, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Result]:
    """Grade two exercises of a submission whose first answer is the attack."""
    monkeypatch.setattr(
        grader,
        "chapter",
        replace(grader.chapter, exercises=grader.chapter.exercises[:2]),
    )
    return lambda source: _first(grade_notebook(answered(**{**RIGHT, "ex_1": source})))


# --- Honest submissions ---


@pytest.mark.slow
def test_reference_solution_gets_full_points(grade_notebook: Grade) -> None:
    report = grade_notebook(small_chapter())
    assert [result.points for result in report.results] == [2, 3, 2, None]
    assert (report.points, report.max_points, report.waiting) == (7, 9, 2)


def test_unanswered_release_gets_no_points(grade_notebook: Grade) -> None:
    report = grade_notebook(release(small_chapter()))
    assert [result.points for result in report.results] == [0, 0, 0, 0]
    assert {result.comment for result in report.results[:3]} == {
        "The cell is as it was handed out."
    }
    assert report.results[3].comment == "There is no answer."


@pytest.mark.slow
def test_alternative_correct_answers_get_full_points(grade_notebook: Grade) -> None:
    report = grade_notebook(answered(**RIGHT))
    assert report.points == 7
    assert not any(result.attention for result in report.results)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "points", "comment"),
    [
        (
            "def double(x): return x + 1",
            0,
            "A test failed: double(2) should be 4 (the test asks whether double(2) == "
            "4).",
        ),
        (
            "def double(x): return 4",
            0,
            "A hidden test failed: a number is doubled wrongly.",
        ),
        # Students put helpers into cells of their own.
        ("def double(x): return helper(x)", 0, "'helper' is not defined, in line 1 of"),
        (
            "def double(x): return helper(x)",
            0,
            "define or import in it whatever it uses.",
        ),
        (
            "def double(x):\n    y = x\n    return y / 0",
            0,
            "ZeroDivisionError: division by zero, in line 3 of your cell (return y",
        ),
        ("def double(x) return", 0, "SyntaxError"),
        ("def double(x): return 2 * x\nprint(undefined)", 2, "NameError"),
        ("import ctypes; ctypes.string_at(0)", 0, "signal 11"),
        ("with open('big', 'wb') as f: f.write(bytes(10**7))", 0, "File too large"),
        (
            "for i in range(10**5):\n    with open(str(i), 'wb') as f: "
            "f.write(bytes(10**6))",
            0,
            "MiB of files",
        ),
        ("blocks = []\nwhile True: blocks.append(bytearray(10**8))", 0, ""),
        (
            "import torch\nblocks = []\nwhile True: blocks.append(torch.ones(10**7))",
            0,
            "",
        ),
        (
            "import mmap\nblocks = []\nwhile True: blocks.append(mmap.mmap(-1, "
            "10**8)); blocks[-1].write(b'x' * 10**8)",
            0,
            "",
        ),
        ("def double(x): return double(x) + [0] * 10**7", 0, ""),
        *(
            (place.format(ending), 0, "")
            for place in ("{}", "def double(x): {}")
            for ending in (
                "import sys; sys.exit(0)",
                "import os; os._exit(0)",
                "raise SystemExit",
                "quit()",
            )
        ),
    ],
)
def test_answer_gets_its_points_and_the_reason(
    attack, source: str, points: float, comment: str
) -> None:
    result = attack(source)
    assert result.points == points
    assert comment in result.comment


@pytest.mark.slow
@pytest.mark.parametrize("place", ["", "def double(x):\n    "])
def test_infinite_loop_is_stopped(attack, short_timeouts, place: str) -> None:
    assert "stopped after 10 seconds" in attack(place + "while True: pass").comment


def test_multiline_failed_test_is_reported_without_its_message() -> None:
    frame = {"where": "tests", "line": 2, "text": "f(1)"}
    error = {"name": "AssertionError", "message": "f(1) is 3", "frames": [frame]}
    told = explain_tests(error, "assert (\n    f(1)\n    == 2\n), 'f(1) is 3'")
    assert told == ["A test failed: f(1) is 3 (the test asks whether f(1) == 2)."]


def test_question_in_a_hidden_test_ends_with_its_own_mark() -> None:
    frame = {"where": "tests", "line": 2, "text": "assert f(1)"}
    error = {"name": "AssertionError", "message": "Is it scaled?", "frames": [frame]}
    told = explain_tests(error, "### BEGIN HIDDEN TESTS\nassert f(1)")
    assert told == ["A hidden test failed: Is it scaled?"]


@pytest.mark.slow
def test_partial_credit_matches_nbgrader(grade_notebook: Grade) -> None:
    result = grade_notebook(
        answered(**{**RIGHT, "ex_3": "def count_vowels(text): return 0"})
    ).results[2]
    assert (result.points, result.comment) == (1, "The tests give 1 of 2 points.")


@pytest.mark.slow
def test_open_answer_needs_manual_grading(grade_notebook: Grade) -> None:
    result = grade_notebook(answered(**RIGHT, ex_4="Because I say so.")).results[3]
    assert (result.points, result.max_points, result.answer) == (
        None,
        2,
        "Because I say so.",
    )
    assert result.comment == "For a person to read: up to 2 points."


@pytest.mark.slow
def test_magics_plots_and_await_work_as_in_jupyter(attack) -> None:
    result = attack(
        "%matplotlib inline\nimport asyncio\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1, 2]); plt.show()\nawait asyncio.sleep(0)\ndisplay('a picture')\n"
        "def double(x): return 2 * x\ndouble(21)"
    )
    assert result.points == 2
    assert "a picture" in result.output
    assert "42" in result.output


@pytest.mark.slow
def test_training_with_optimizer_is_not_flagged(grade_notebook: Grade) -> None:
    training = (
        "import torch\nlayer = torch.nn.Linear(2, 1)\noptimizer = "
        "torch.optim.AdamW(layer.parameters())\n"
        "layer(torch.ones(2)).sum().backward()\noptimizer.step()\ntorch.manual_seed(0)\n"
        "def softmax(scores): return torch.softmax(scores, -1)"
    )
    result = grade_notebook(answered(**{**RIGHT, "ex_2": training})).results[1]
    assert (result.points, result.attention) == (3, ())


# --- Errors and resource limits ---


@pytest.fixture
def short_timeouts(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        grader.sandbox, "limits", replace(grader.sandbox.limits, cell_seconds=10.0)
    )


@pytest.mark.slow
def test_cell_that_never_ends_is_not_parsed_by_the_grader(
    attack, short_timeouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing has no time limit outside the sandbox."""
    parsed: list[str] = []
    monkeypatch.setattr(
        grading, "worth_a_look", lambda answer, _: parsed.append(answer) or []
    )
    attack("while True: pass")
    assert parsed == ["", RIGHT["ex_2"]]


@pytest.mark.slow
def test_output_size_is_limited(attack) -> None:
    result = attack(
        "for _ in range(20_000): print('spam' * 10)\ndef double(x): return 2 * x"
    )
    assert result.points == 2
    assert len(result.output) < 2100
    assert "more characters" in result.output


# --- Modified notebooks ---


def test_instructor_tests_replace_edited_or_deleted_tests(
    grade_notebook: Grade,
) -> None:
    notebook = answered(ex_1="def double(x): return 0")
    cell_of(notebook, "ex-1-tests").source = "pass"  # edited
    # deleted
    notebook.cells = [
        cell for cell in notebook.cells if cell is not cell_of(notebook, "ex-2-tests")
    ]
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(points=100, locked=False, checksum="0" * 32)
    report = grade_notebook(notebook)
    assert report.points == 0
    assert report.max_points == 9


@pytest.mark.slow
def test_correct_answer_counts_in_modified_notebook(grade_notebook: Grade) -> None:
    notebook = answered(**RIGHT)
    solution = cell_of(notebook, "ex-1")
    solution.metadata.nbgrader.update(grade=True, solution=False, locked=True)
    solution.metadata.deletable = False
    notebook.cells = [
        cell
        for cell in reversed(notebook.cells)
        if "tests" not in str(cell.metadata.get("nbgrader"))
    ]
    assert grade_notebook(notebook).points == 7


@pytest.mark.slow
def test_duplicate_grade_ids_get_no_points(grade_notebook: Grade) -> None:
    notebook = answered(**RIGHT)
    fake = copy.deepcopy(cell_of(notebook, "ex-1-tests"))
    fake.source, fake.id = "pass", "fake"
    wrong = copy.deepcopy(cell_of(notebook, "ex-1"))
    wrong.source, wrong.id = "def double(x): return 0", "wrong"
    notebook.cells += [fake, wrong]
    result = _first(grade_notebook(notebook))
    assert result.points == 0
    assert "2 cells carry the id ex-1; the last one was graded." in result.comment


@pytest.mark.slow
def test_missing_cell_gets_no_points_and_explanation(grade_notebook: Grade) -> None:
    notebook = answered(**RIGHT)
    notebook.cells.remove(cell_of(notebook, "ex-1"))
    notebook.cells.remove(cell_of(notebook, "ex-4"))
    report = grade_notebook(notebook)
    assert _first(report).points == 0
    assert "no code cell with the id ex-1" in report.results[0].comment
    assert report.results[3].points == 0


@pytest.mark.slow
def test_notebook_of_another_chapter_is_worth_a_look(grade_notebook: Grade) -> None:
    cells = [nbformat.v4.new_code_cell("1 + 1")]
    report = grade_notebook(nbformat.v4.new_notebook(cells=cells))
    assert report.points == 0
    assert report.results[0].comment.startswith("The notebook has none of the chapter")
    assert all(result.attention for result in report.results)


@pytest.mark.slow
def test_solution_cell_converted_to_markdown_counts_as_missing(
    grade_notebook: Grade,
) -> None:
    notebook = answered(**RIGHT)
    index = notebook.cells.index(cell_of(notebook, "ex-1"))
    notebook.cells[index] = nbformat.v4.new_markdown_cell(
        "Done!", metadata=notebook.cells[index].metadata
    )
    assert "no code cell" in _first(grade_notebook(notebook)).comment


# --- Attacks on the tests, which share a process with the answer ---

_TRICKS = dict(
    trick.removesuffix("\n").split("\n", maxsplit=1)
    for trick in (Path(__file__).with_name("tricks.txt"))
    .read_text()
    .split("# --- ")[1:]
)


@pytest.mark.slow
@pytest.mark.parametrize("trick", _TRICKS)
def test_cheating_attempts_get_no_points(attack, trick: str) -> None:
    result = attack(_TRICKS[trick])
    assert result.points == 0
    honest = {"shadowed names", "a changed setup cell", "an error disguised as success"}
    assert result.attention or trick in honest


@pytest.mark.parametrize(
    "trick",
    [
        "torch.allclose = torch.testing.assert_close = lambda *a, **k: True",
        "torch.testing.assert_close.__globals__['not_close_error_metas'] = lambda *a, "
        "**k: None\n"
        "torch.testing._comparison.not_close_error_metas = lambda *a, **k: "
        "[]\ntorch.allclose = lambda *a, **k: True",
        "torch.Tensor.__eq__ = torch.Tensor.allclose = lambda *a, **k: True",
        "import sys, types\nfake = types.ModuleType('torch')\nfake.__getattr__ = "
        "lambda name: lambda *a, **k: fake\n"
        "sys.modules['torch'] = fake",
    ],
)
def test_patched_libraries_are_restored_before_tests(
    grade_notebook: Grade, trick: str
) -> None:
    source = f"import torch\n{trick}\ndef softmax(scores): return scores"
    result = grade_notebook(answered(**{**RIGHT, "ex_2": source})).results[1]
    assert result.points == 0
    assert any("put back before the tests" in remark for remark in result.attention)


def test_libraries_patched_during_tests_are_detected(grade_notebook: Grade) -> None:
    source = (
        "import torch\ndef softmax(scores):\n    torch.allclose = lambda *a, **k: "
        "True\n"
        "    torch.testing.assert_close = lambda *a, **k: None\n"
        "    return torch.ones_like(scores) / scores.shape[-1]"
    )
    result = grade_notebook(answered(**{**RIGHT, "ex_2": source})).results[1]
    assert result.points == 0
    assert "while the tests run" in result.comment


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["error", "value", "changed", "threads", "marks"])
def test_incomplete_forged_reply_gets_no_points(attack, missing: str) -> None:
    """Replies from a room are not trusted and cannot stop the grader."""
    source = (
        "def double(x):\n    import json, os, sys\n    frame = sys._getframe()\n"
        "    while 'request' not in frame.f_locals: frame = frame.f_back\n    names = "
        "frame.f_locals\n"
        "    forged = {'id': names['request']['id'], 'error': None, 'value': None, "
        "'changed': [], 'threads': 0, 'marks': []}\n"
        f"    del forged['{missing}']\n"
        "    names['replies'].write(json.dumps(forged) + '\\n'); "
        "names['replies'].flush(); os._exit(0)"
    )
    result = attack(source)
    assert (result.points, result.failed) == (0, False)
    assert "it answered in the grader's place" in result.comment


@pytest.mark.slow
def test_magic_line_does_not_hide_the_rest_of_the_cell(attack) -> None:
    result = attack("%precision 3\nexec('x = 1')\ndef double(x): return 2 * x")
    assert (result.points, result.attention) == (2, ("it uses exec",))


@pytest.mark.slow
def test_tests_are_hidden_from_tracebacks(attack) -> None:
    result = attack(
        "import linecache\ndef double(x):\n"
        "    raise ValueError(str(linecache.cache.get('<tests>')))"
    )
    assert "ValueError: None" in result.comment


@pytest.mark.slow
def test_grader_failure_affects_only_one_exercise(
    grader: Grader, grade_notebook: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_of = Grader._result

    def fail(self, exercise, submission):
        if exercise.name == "99.1":
            raise OSError("no space left")
        return result_of(self, exercise, submission)

    monkeypatch.setattr(Grader, "_result", fail)
    report = grade_notebook(answered(**RIGHT))
    assert [result.points for result in report.results] == [None, 3, 2, 0]
    assert report.failed
    assert "no space left" in report.results[0].attention[0]


@pytest.mark.slow
def test_attack_inside_test_process_is_flagged(attack) -> None:
    """Tests and answer share a process, so this attack gets its points, but it is
    flagged for manual review.
    """
    result = attack(
        "def double(x):\n    import base64, json, marshal, os, sys\n"
        "    frame = sys._getframe()\n"
        "    while 'request' not in frame.f_locals: frame = frame.f_back\n"
        "    request, replies = map(frame.f_locals.get, ('request', 'replies'))\n"
        "    codes = [request['with']['codes'][-1], request['with']['value']]\n"
        "    marks = [mark for code in codes for mark in "
        "marshal.loads(base64.b64decode(code)).co_consts if type(mark) is int and mark "
        "> 10**6]\n"
        "    forged = {'id': request['id'], 'error': None, 'value': None, "
        "'changed': [], 'threads': 0, 'marks': marks}\n"
        "    replies.write(json.dumps(forged) + '\\n'); replies.flush(); os._exit(0)"
    )
    assert result.points == 2
    assert "it uses _getframe" in result.attention


def test_tensor_subclass_cannot_override_comparison(grade_notebook: Grade) -> None:
    source = (
        "import torch\nclass Sure(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None): return "
        "True\n"
        "def softmax(scores): return scores.as_subclass(Sure)"
    )
    result = grade_notebook(answered(**{**RIGHT, "ex_2": source})).results[1]
    assert result.points == 0
    assert "__torch_function__" in result.comment


# --- Output files, and mistakes of the instructor ---


@pytest.mark.slow
def test_grade_writes_files_for_students_and_instructor(
    chapter_path: Path, tmp_path: Path
) -> None:
    for student, answers in (("ada", RIGHT), ("bob", {})):
        nbformat.write(answered(**answers), tmp_path / f"{student}.ipynb")
    (tmp_path / "carl.ipynb").write_text("not a notebook")
    reports = grade(chapter_path, [tmp_path], tmp_path / "grades", unprotected=True)
    assert [(report.student, report.points) for report in reports] == [
        ("ada", 7),
        ("bob", 0),
        ("carl", 0),
    ]
    assert (tmp_path / "grades" / "grades.csv").read_text().splitlines()[:5] == [
        "student,exercise,points,max,comment",
        "ada,99.1,2,2,All tests passed.",
        "ada,99.2,3,3,All tests passed.",
        "ada,99.3,2,2,All tests passed.",
        "ada,99.4,0,2,There is no answer.",
    ]
    pages = sorted(path.name for path in (tmp_path / "grades" / "feedback").iterdir())
    assert pages == ["ada.html", "bob.html", "carl.html"]
    assert (
        "7 of 9 points" in (tmp_path / "grades" / "feedback" / "ada.html").read_text()
    )
    (tmp_path / "grades" / "graded.json").unlink()  # as if written by another program
    with pytest.raises(TeachingError, match="exists already"):
        grade(chapter_path, [tmp_path / "ada.ipynb"], tmp_path / "grades")


@pytest.mark.slow
def test_chapter_with_failing_reference_solution_is_refused(tmp_path: Path) -> None:
    wrong = exercise(
        1,
        "One",
        "def f():\n    ### BEGIN SOLUTION\n    return 2\n    ### END SOLUTION",
        "assert f() == 1",
        1,
    )
    nbformat.write(nbformat.v4.new_notebook(cells=wrong), tmp_path / "chapter.ipynb")
    with (
        pytest.raises(
            TeachingError, match=r"own solution of exercise 99.1 does not pass"
        ),
        Grader(read_chapter(tmp_path / "chapter.ipynb")),
    ):
        pass


@pytest.mark.slow
def test_credit_above_maximum_is_error(
    tmp_path: Path, grader: Grader, grade_notebook: Grade
) -> None:
    for lie in ("10**9", "-1", "float('nan')"):
        source = (
            "class Lie(int):\n    pass\ndef count_vowels(text): return "
            f"0\n__builtins__.sum = lambda *a: 2 * {lie}"
        )
        assert (
            grade_notebook(answered(**{**RIGHT, "ex_3": source})).results[2].points <= 1
        )


@pytest.mark.slow
def test_total_time_of_all_cells_is_limited(
    grader: Grader, grade_notebook: Grade, monkeypatch
) -> None:
    monkeypatch.setattr(
        grader.sandbox, "limits", replace(grader.sandbox.limits, exercise_seconds=1.0)
    )
    slow = (
        "import time\ntime.sleep(0.7)\ndef double(x):\n    time.sleep(0.7)\n    return "
        "2 * x"
    )
    result = grade_notebook(answered(**{**RIGHT, "ex_1": slow})).results[0]
    assert result.points == 0
    assert "more than 1 seconds" in result.comment
