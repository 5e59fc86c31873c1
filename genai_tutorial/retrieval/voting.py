"""Majority vote of sources: the model answers from each passage separately, so that a
false passage has only one vote.
"""

from collections import Counter
from collections.abc import Hashable, Sequence


def vote_of_sources(
    answers: Sequence[Hashable | None], sources: Sequence[str]
) -> Hashable | None:
    """Return the answer that most sources give, or None if there is a tie for the first
    place or nobody answers.

    A source has one vote, however many of its passages were found: its most frequent
    answer, and the first of equals.

    Args:
        answers: The answer that the model gives from each passage alone; None where it
            gives none.

    Raises:
        ValueError: If there is not one source for each answer.

    Source: Xiang et al., Certifiably Robust RAG against Retrieval Corruption, section 3
        (isolate, then aggregate), https://arxiv.org/abs/2405.15556

    >>> vote_of_sources(["Lima", "Cusco", "Lima"], ["atlas", "forum", "almanac"])
    'Lima'
    >>> vote_of_sources(["Cusco", "Cusco", "Lima"], ["forum", "forum", "atlas"])
    """
    if len(answers) != len(sources):
        raise ValueError(
            f"Each answer needs its source, got {len(answers)} answers and "
            f"{len(sources)} sources."
        )
    by_source: dict[str, list[Hashable]] = {}
    for answer, source in zip(answers, sources, strict=True):
        if answer is not None:
            by_source.setdefault(source, []).append(answer)
    votes = Counter(
        Counter(given).most_common(1)[0][0] for given in by_source.values()
    ).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]
