"""Questions to check oneself: eight for each chapter, whose answers a chapter's own
output proves, and their export in GIFT, which Moodle and other platforms read.

`book/questions/04.yml` is an example. The book shows the questions before a chapter's
exercises.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.runtime import require

from .exercises import TeachingError, check_absent, find_chapter, write_text
from .references import NotFoundError, ReaderView, as_number, read_view
from .slides import lecture_file

_NUMBER = {"ask", "number", "within", "because"}
_CHOICE = {"ask", "choice", "answer", "because"}
_OPTIONAL = {"from", "wrong"}
_ANSWERS_OF_A_CHOICE = range(3, 6)
_FORMULA = re.compile(r"\$([^$\n]+)\$")


@dataclass(frozen=True)
class Question:
    """One question, to answer with a number or by choice; its texts are Markdown."""

    ask: str
    answer: float | str
    within: float  # how far from the answer a number may be
    choices: tuple[str, ...]  # empty for a number
    wrong: dict[float | str, str]  # what to say about typical wrong answers
    because: str
    origin: dict[str, str]  # where the chapter proves the answer, if it does


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a chapter, without looking at the chapter."""
    yaml = require("yaml", "book")
    try:
        entries = yaml.safe_load(path.read_text("utf8"))
        lines = [
            node.start_mark.line + 1
            for node in yaml.compose(path.read_text("utf8")).value
        ]
    except yaml.YAMLError as error:
        raise TeachingError(f"{path} cannot be read as YAML: {error}.") from error
    except AttributeError as error:  # an empty file
        raise TeachingError(f"{path} has no questions.") from error
    questions = []
    for line, entry in zip(lines, entries, strict=True):
        try:
            questions.append(_question(entry))
        except (ValueError, TypeError, AttributeError) as error:
            raise TeachingError(f"{path}, line {line}: {error}.") from error
    return questions


def _question(entry: dict) -> Question:
    needed = _NUMBER if "number" in entry else _CHOICE
    if missing := needed - entry.keys():
        raise ValueError(f"the question lacks {', '.join(sorted(missing))}")
    if unknown := entry.keys() - needed - _OPTIONAL:
        raise ValueError(f"a question has no {', '.join(sorted(unknown))}")
    wrong, because = entry.get("wrong") or {}, str(entry["because"])
    origin = {key: str(value) for key, value in (entry.get("from") or {}).items()}
    if set(origin) not in ({"output"}, {"claim"}, {"claim", "measured"}, set()):
        raise ValueError("from has an output, or a claim and perhaps what it measured")
    if needed is _NUMBER:
        number, within = float(entry["number"]), float(entry["within"])
        wrong = {float(key): str(text) for key, text in wrong.items()}
        if hits := [key for key in wrong if abs(key - number) <= within]:
            raise ValueError(f"{hits[0]:g} is not wrong: it is within {within:g}")
        return Question(str(entry["ask"]), number, within, (), wrong, because, origin)
    choices, answer = tuple(map(str, entry["choice"])), str(entry["answer"])
    wrong = {str(key): str(text) for key, text in wrong.items()}
    if len(set(choices)) != len(choices) or len(choices) not in _ANSWERS_OF_A_CHOICE:
        raise ValueError(f"a choice has three to five different answers: {choices}")
    if answer not in choices:
        raise ValueError(f"the answer {answer!r} is not among the choices")
    if others := wrong.keys() - set(choices) | wrong.keys() & {answer}:
        raise ValueError(f"{min(others)!r} is no wrong choice")
    return Question(str(entry["ask"]), answer, 0.0, choices, wrong, because, origin)


def check_questions(path: Path, notebook: Path) -> list[Question]:
    """Read the questions of a chapter, and compare their answers with the chapter.

    Raises:
        TeachingError: If a question has not the form of one, or the chapter says
            something else.
    """
    questions, view = read_questions(path), read_view(notebook)
    for number, question in enumerate(questions, start=1):
        try:
            _compare(question, view)
        except NotFoundError as error:
            raise TeachingError(f"{path}, question {number}: {error}.") from error
    return questions


def _compare(question: Question, view: ReaderView) -> None:
    origin = question.origin
    if "output" in origin:
        match = view.match(origin["output"])
        said = match[1] if match.re.groups else None
    elif "measured" in origin or ("claim" in origin and not question.choices):
        said = str(view.measured(origin["claim"], origin.get("measured", "")))
    elif "claim" in origin:
        view.claim(origin["claim"])
        return
    else:
        return
    if question.choices:
        agrees = said in (None, question.answer)
    elif said is None:
        raise NotFoundError(f"{origin['output']!r} has no group with the number")
    else:
        agrees = abs(as_number(said) - question.answer) <= question.within + 1e-9
    if not agrees:
        raise NotFoundError(f"the answer is {question.answer}, the chapter says {said}")


def write_gift(chapter: str | int, target: str | Path, *, overwrite: bool) -> Path:
    """Write the questions of one chapter in GIFT, and return the file's path.

    Raises:
        TeachingError: If the chapter has no questions, an answer of theirs is not the
            chapter's, or the file exists already.
    """
    notebook = find_chapter(chapter)
    path = lecture_file(notebook, "questions", ".yml")
    questions = check_questions(path, notebook)
    check_absent(Path(target), overwrite)
    return write_text(Path(target), gift(questions, f"Chapter {int(path.stem)}"))


def gift(questions: list[Question], title: str) -> str:
    """Return questions in GIFT, with a sentence for each wrong answer that has one."""
    return "\n".join(
        f"::{_escaped(title)}, question {number}::[markdown]{_escaped(question.ask)}"
        f"{{{_numbers(question) if not question.choices else _choices(question)}\n}}\n"
        for number, question in enumerate(questions, start=1)
    )


def _numbers(question: Question) -> str:
    lines = [f"#\n\t=%100%{question.answer:.10g}:{question.within:.10g}#"]
    lines[0] += _escaped(question.because)
    for value, text in question.wrong.items():
        near = min(abs(value) / 100, abs(value - question.answer) - question.within)
        lines.append(f"\t=%0%{value:.10g}:{near:.3g}#{_escaped(text)}")
    return "\n".join(lines)


def _choices(question: Question) -> str:
    texts = {**question.wrong, question.answer: question.because}
    return "".join(
        f"\n\t{'=' if choice == question.answer else '~'}{_escaped(choice)}"
        f"#{_escaped(texts.get(choice, ''))}"
        for choice in question.choices
    )


def _escaped(text: str) -> str:
    r"""Return a text as GIFT has it, and formulas as Moodle has them.

    >>> print(_escaped("a = 1: $x_{i}$"))
    a \= 1\: \\(x_\{i\}\\)
    """
    text = _FORMULA.sub(r"\\(\1\\)", " ".join(text.split()))
    return re.sub(r"([~=#{}:\\])", r"\\\1", text)
