"""Tasks: what models are asked to do, one room per task with its data and its judge.

Begin in a task's room with its questions or scenes, then read the judge that decides
whether an answer is correct. Here is what several tasks share: words in text files,
draws, checks and batches.
"""

from collections.abc import Sequence, Sized
from importlib.resources import files
from typing import Any, TypeVar, get_args

import torch

from genai_tutorial.data import Source

Item = TypeVar("Item")


def read_words(task: str, name: str) -> list[list[str]]:
    """Return the paragraphs of a text file in a task's folder of `words`, each as its
    lines.

    >>> read_words("people", "sentences")[5][1]
    '{name} from {city} is {age} today.'
    """
    path = files("genai_tutorial.tasks") / "words" / task / f"{name}.txt"
    paragraphs = path.read_text("utf8").rstrip("\n").split("\n\n")
    return [paragraph.split("\n") for paragraph in paragraphs]


def pick(items: Sequence[Item], generator: torch.Generator) -> Item:
    """Draw one of the items."""
    return items[int(torch.randint(len(items), (), generator=generator))]


def in_random_order(items: Sequence[Item], generator: torch.Generator) -> list[Item]:
    """Return the items in random order."""
    order = torch.randperm(len(items), generator=generator).tolist()
    return [items[index] for index in order]


def check_choice(name: str, value: object, literal: Any) -> None:
    """Raise a ValueError unless an argument is one of the values of a `Literal`."""
    choices = get_args(literal)
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {known}, got {value!r}.")


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
    """Batches without an end, from a generator whose state a training run can save; a
    process gets its share, `mine`, of each batch.
    """

    def __init__(self, batch_size: int, seed: int, rank: int = 0, world_size: int = 1):
        """Make the batches of process number `rank`, from 0, of `world_size`.

        Raises:
            ValueError: If the processes cannot share a batch of this size.
        """
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(
                "batch_size must be a multiple of the number of processes, "
                f"{world_size}; got {batch_size}."
            )
        self.batch_size, self.mine = batch_size, slice(rank, None, world_size)
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "EndlessBatches":
        return self

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])
