"""Searching for a prompt: candidates at random, a development set to choose by, and
held-out items to judge the winner on.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .prompt import Prompt
from .task import PromptTask


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        best: The candidate with the highest score; the first of several.
        score: Its score. It was chosen for it, so expect less on other items.
        scores: The score of each candidate, in their order.
    """

    best: Prompt
    score: float
    scores: tuple[float, ...]


def split_items(
    task: PromptTask, development: int, seed: int = 0
) -> tuple[PromptTask, PromptTask]:
    """Return the task with some of its items, to choose a prompt by, and with the
    others, to judge it on.

    Raises:
        ValueError: If there is no item on one side.
    """
    if not 1 <= development < len(task.items):
        raise ValueError(
            f"{task.name} has {len(task.items)} items, so development must be from 1 "
            f"to {len(task.items) - 1}; got {development}."
        )
    shuffled = random.Random(seed).sample(task.items, len(task.items))
    return (
        replace(task, items=tuple(shuffled[:development])),
        replace(task, items=tuple(shuffled[development:])),
    )


def random_prompts(
    task: PromptTask,
    templates: Sequence[str],
    count: int,
    shots: Sequence[int] = (1, 2, 4),
    seed: int = 0,
) -> list[Prompt]:
    """Draw prompts: a format, a number of demonstrations, and the demonstrations.

    Args:
        task: Its pool has the demonstrations.
        templates: The formats to draw from.
        shots: The numbers of demonstrations to draw from.

    Raises:
        ValueError: If there is no format or number to draw from, `count` is below 1, or
            the pool is too small.
    """
    if not templates or not shots or count < 1:
        raise ValueError(
            "There must be a template, a number of shots and a prompt to draw; got "
            f"{len(templates)} templates, {len(shots)} numbers and count={count}."
        )
    rng = random.Random(seed)
    return [
        replace(
            task.prompt(rng.choice(shots), seed=rng.randrange(10**6)),
            template=rng.choice(templates),
        )
        for _ in range(count)
    ]


def search_prompts(
    candidates: Sequence[Prompt], score: Callable[[Prompt], float]
) -> SearchResult:
    r"""Score each candidate and return the best.

    Args:
        candidates: The prompts to try, such as `random_prompts`.
        score: The accuracy of a prompt on the development items.

    Raises:
        ValueError: If there is no candidate.

    Source: Khattab et al. (2023), DSPy (its optimizers search over demonstrations),
        https://arxiv.org/abs/2310.03714

    >>> arrow, words = (
    ...     Prompt("{question} ->{answer}"),
    ...     Prompt("Q: {question}\nA:{answer}"),
    ... )
    >>> search_prompts([arrow, words], score=lambda p: float("Q" in p.template)).score
    1.0
    """
    if not candidates:
        raise ValueError("There must be at least one prompt to try.")
    scores = tuple(score(prompt) for prompt in candidates)
    winner = max(range(len(scores)), key=scores.__getitem__)
    return SearchResult(candidates[winner], scores[winner], scores)
