"""Plans for the tasks of two steps, by a rule."""

import re

from genai_tutorial.agents import Plan

_CAPITAL = re.compile(r"letters.* capital of (?P<country>[A-Z][\w .'-]*?)(?: have)?\?")
_CAPITAL_2 = re.compile(
    r"(?:[Ll]etters of|long the name of) the capital of "
    r"(?P<country>[A-Z][\w .'-]*?)(?: is, in letters)?\.$"
)
_LINES = re.compile(r"number of lines (?:of|in) (?P<file>[\w.]+?)(?: by \d+)?[?.]$")


def split_task(question: str) -> Plan:
    """Return the plan for a task: two questions of one step each, or the task itself if
    it has no two steps.

    >>> split_task("How many letters does the capital of Peru have?").tasks
    ('What is the capital of Peru?', 'How many letters does the word {1} have?')
    >>> split_task("What is 7 times the number of lines of trip.md?").tasks
    ('How many lines does the file trip.md have?', 'What is 7 times {1}?')
    >>> split_task("What is 2 plus 3?").tasks
    ('What is 2 plus 3?',)
    """
    capital = _CAPITAL.search(question) or _CAPITAL_2.search(question)
    if capital:
        return Plan(
            (
                f"What is the capital of {capital['country']}?",
                "How many letters does the word {1} have?",
            )
        )
    if lines := _LINES.search(question):
        number = re.search(r"\d+", question.replace(lines["file"], ""))
        return Plan(
            (
                f"How many lines does the file {lines['file']} have?",
                f"What is {number[0]} times {{1}}?",
            )
        )
    return Plan((question,))
