"""What the tasks have in common: word lists in text files, a check, and batches."""

from collections.abc import Sized
from importlib.resources import files

import torch

from genai_tutorial.data import Source


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


def own_source(name: str, loader: str, contents: str, makes: str) -> Source:
    """Return the source of data that the book's own code `makes`: draws, or writes."""
    return Source(
        name=name,
        loader=loader,
        contents=contents,
        package="genai_tutorial",
        extra="core",
        url="https://github.com/genai-tutorial/genai-tutorial",
        licence=f"MIT, as the code that {makes} them",
        attribution="The Generative AI Explained authors",
    )


class EndlessBatches:
    """Batches without an end, from a generator whose state a training run can save."""

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "EndlessBatches":
        return self

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])
