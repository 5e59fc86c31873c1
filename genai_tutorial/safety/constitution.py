"""Constitutional AI: a principle in words, a critic that applies it, and training data
without a human label.

The critic is a sentence encoder: a text breaks a principle if it is closer to a
sentence that describes the breach than to one that describes the opposite.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

ToVectors = Callable[[Sequence[str]], Float[Tensor, "text width"]]
"""A function from texts to vectors of length one, such as `SentenceVectors.encode`."""


@dataclass(frozen=True)
class Principle:
    """A pair of sentences that describe what a text should be judged by.

    Attributes:
        text: The description of texts that the principle is about.
        opposite: The description of all others. One sentence alone separates badly,
            because all texts of a subject are close to it.
    """

    text: str
    opposite: str


def critic_scores(
    encode: ToVectors, principle: Principle, texts: Sequence[str]
) -> Float[Tensor, "text"]:
    """Return for each text its cosine with the principle minus that with its opposite;
    a principle alone is `encode(texts) @ encode([text]).T`.
    """
    about, opposite = encode([principle.text, principle.opposite])
    return encode(texts) @ (about - opposite)


def unlabelled_verdicts(scores: Float[Tensor, "text"]) -> list[bool | None]:
    """Split scores into two clusters, and judge without a label: True from the upper
    centre on, False up to the middle between the centres, None between them.

    A critic's false alarms teach over-refusal, so its doubtful cases are left out.

    Raises:
        ValueError: If there are fewer than two different scores.

    >>> import torch
    >>> unlabelled_verdicts(torch.tensor([0.0, 0.2, 0.7, 0.9, 1.1]))
    [False, False, None, True, True]
    """
    low, high = scores.min(), scores.max()
    if not low < high:
        raise ValueError("There must be at least two different scores.")
    for _ in range(50):  # 2-means on a line
        upper = scores > (low + high) / 2
        low, high = scores[~upper].mean(), scores[upper].mean()
    middle = (low + high) / 2
    return [True if s >= high else False if s <= middle else None for s in scores]


def critique_and_revise(
    prompts: Sequence[str],
    answers: Sequence[str],
    breaks_principle: Sequence[bool | None],
    revision: str,
) -> list[tuple[str, str]]:
    """Return prompts with answers to learn from: the revision where the critic objects,
    and the model's own answer where it does not. Prompts without a verdict are left
    out.

    Large models write each revision themselves, after a critique in words. Those of
    this book cannot, so the constitution contains the revised answer.

    Args:
        breaks_principle: The critic's verdicts on the prompts.

    Raises:
        ValueError: If the numbers of prompts, answers and verdicts differ.

    Source: Bai et al., Constitutional AI, section 3.1,
        https://arxiv.org/abs/2212.08073

    >>> critique_and_revise(["A?", "B?"], ["1.", "2."], [True, False], "No.")
    [('A?', 'No.'), ('B?', '2.')]
    """
    if not len(prompts) == len(answers) == len(breaks_principle):
        raise ValueError(
            "Each prompt needs an answer and a verdict, got "
            f"{len(prompts)} prompts, {len(answers)} answers and "
            f"{len(breaks_principle)} verdicts."
        )
    return [
        (prompt, revision if verdict else answer)
        for prompt, answer, verdict in zip(
            prompts, answers, breaks_principle, strict=True
        )
        if verdict is not None
    ]
