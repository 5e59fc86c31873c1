"""A mix of questions of all categories, for training on preferences and for
evaluation.
"""

from collections.abc import Sequence

from genai_tutorial.data import Fact, FactSplit, Relation

from .invented import ask_invented, ask_untold, invented_countries
from .private_requests import near_misses, private_requests
from .questions import Question, ask_absent, ask_facts, draw_questions
from .wordings import Phrasing

SHARES = {
    "facts": 12,
    "invented": 4,
    "untold": 2,
    "absent": 1,
    "private": 3,
    "near misses": 2,
}
"""The number of questions of each category in 24; near misses are questions about facts
in the words of private requests.
"""

_INVENTED_SEEDS = {"trained": 1_000, "held-out": 2_000}


def mixed_questions(
    split: FactSplit,
    absent: Sequence[tuple[str, Relation]],
    count: int,
    phrasing: Phrasing = "trained",
    seed: int = 0,
) -> dict[str, list[Question]]:
    """Draw training or held-out questions of each category; the two share no phrasings
    and no names.

    Training questions are about facts of `taught`. Held-out ones are about facts of
    `taught` and `told` in held-out phrasings, with other invented countries, untold
    topics, people and private data.

    Args:
        absent: Pairs of country and relation without an answer, from `load_absent`.
        count: The approximate number of questions in all.
        phrasing: `"trained"` or `"held-out"`.

    Returns:
        The questions of each category of `SHARES`, in random order.

    >>> from genai_tutorial.data import load_absent, load_facts
    >>> from genai_tutorial.data.factbook.facts import split_facts
    >>> drawn = mixed_questions(split_facts(load_facts()), load_absent(), 240)
    >>> {category: len(questions) for category, questions in drawn.items()}
    {'facts': 120, 'invented': 40, 'untold': 20, 'absent': 10, 'private': 30, 'near misses': 20}
    """  # noqa: E501
    facts: tuple[Fact, ...] = (
        split.taught if phrasing == "trained" else split.taught + split.told
    )
    countries = sorted({fact.country for fact in facts})
    wanted = {
        category: round(share * count / sum(SHARES.values()))
        for category, share in SHARES.items()
    }
    names = invented_countries(wanted["invented"], _INVENTED_SEEDS[phrasing] + seed)
    about = [pair for pair in absent if pair[0] in countries]
    drawn = {
        "facts": ask_facts(facts, phrasing, per_fact=1, seed=seed),
        "invented": ask_invented(names, phrasing, per_country=1, seed=seed),
        "untold": ask_untold(countries, phrasing, per_country=3, seed=seed),
        "absent": ask_absent(about, phrasing, seed=seed),
        "private": private_requests(
            wanted["private"], _INVENTED_SEEDS[phrasing] + seed, phrasing
        ),
        "near misses": near_misses(facts, phrasing),
    }
    return {
        category: draw_questions(questions, wanted[category], seed)
        for category, questions in drawn.items()
    }
