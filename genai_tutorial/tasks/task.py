"""What the tasks have in common: word lists in text files, and one check."""

from collections.abc import Sized
from importlib.resources import files


def read_words(task: str, name: str) -> list[list[str]]:
    """Return the paragraphs of a text file in a task's folder `words`, each as its
    lines.

    >>> read_words("people", "sentences")[5][1]
    '{name} from {city} is {age} today.'
    """
    path = files("genai_tutorial.tasks") / task / "words" / f"{name}.txt"
    paragraphs = path.read_text("utf8").rstrip("\n").split("\n\n")
    return [paragraph.split("\n") for paragraph in paragraphs]


def check_same_length(**lists: Sized) -> None:
    """Raise a ValueError unless each list has an item for each item of the others.

    >>> check_same_length(questions=["Why?"], answers=[])
    Traceback (most recent call last):
    ...
    ValueError: They must belong together one by one, got 1 questions and 0 answers.
    """
    if len({len(items) for items in lists.values()}) > 1:
        counts = " and ".join(f"{len(items)} {name}" for name, items in lists.items())
        raise ValueError(f"They must belong together one by one, got {counts}.")
