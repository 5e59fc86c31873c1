"""Analogies between word vectors: *France* is to *French* as *Germany* is to what?"""

from collections.abc import Sequence
from dataclasses import dataclass

from .word_vectors import WordVectors

_FAMILIES = {
    "opposites": (
        "north south, east west, northern southern, eastern western, high low, "
        "higher lower, large small, larger smaller, first last, early late, upper lower"
    ),
    "nationalities": (
        "france french, spain spanish, russia russian, germany german, china chinese, "
        "india indian, italy italian, greece greek, britain british, america american, "
        "angola angolan, algeria algerian, albania albanian, afghanistan afghan, "
        "azerbaijan azerbaijani, england english, europe european, africa african, "
        "asia asian, canada canadian, egypt egyptian"
    ),
    "plurals": (
        "country countries, language languages, animal animals, system systems, "
        "book books, group groups, film films, word words, letter letters, "
        "metal metals, acid acids, city cities, nation nations, law laws, "
        "member members, area areas, region regions, school schools, plant plants, "
        "element elements, student students, court courts, character characters, "
        "method methods"
    ),
    "he and she": (
        "he she, his her, man woman, men women, male female, son daughter, "
        "father mother"
    ),
    "capitals": (
        "russia moscow, france paris, england london, afghanistan kabul, "
        "angola luanda, algeria algiers, italy rome, greece athens, germany berlin, "
        "azerbaijan baku, albania tirana"
    ),
    "comparatives": (
        "large larger, high higher, low lower, small smaller, great greater, "
        "early earlier, long longer, old older, good better"
    ),
    "past tenses": (
        "make made, take took, give gave, become became, write wrote, begin began, "
        "find found, say said, know known, hold held, come came, lead led, use used, "
        "see saw"
    ),
}

ANALOGY_FAMILIES: dict[str, list[tuple[str, str]]] = {
    name: [tuple(pair.split()) for pair in pairs.split(", ")]
    for name, pairs in _FAMILIES.items()
}
"""Pairs of frequent English words, by the relation between the two words."""


@dataclass(frozen=True)
class AnalogyScores:
    """The results for the pairs of one family, in the order of the pairs.

    Attributes:
        by_analogy: The share of a pair's analogies that are answered correctly.
        by_nearness: 1.0 if the second word is the nearest neighbour of the first one,
            else 0.0: the baseline that uses no analogy.
    """

    by_analogy: list[float]
    by_nearness: list[float]


def score_analogies(
    vectors: WordVectors, pairs: Sequence[tuple[str, str]]
) -> AnalogyScores:
    """Answer each pair's analogy with every other pair of the family.

    Pairs with a word that has no vector are left out, and so are questions whose two
    pairs share a word.

    Raises:
        ValueError: If a pair has no other pair to form a question with.
    """
    known = [(a, b) for a, b in pairs if a in vectors and b in vectors]
    by_analogy, by_nearness = [], []
    for c, d in known:
        others = [(a, b) for a, b in known if not {a, b} & {c, d}]
        if not others:
            raise ValueError(
                f"The pair {c}, {d} needs another pair of the family whose words are "
                "different and have vectors."
            )
        right = [vectors.analogy(a, b, c)[0][0] == d for a, b in others]
        by_analogy.append(sum(right) / len(right))
        by_nearness.append(float(vectors.nearest(c, 1)[0][0] == d))
    return AnalogyScores(by_analogy, by_nearness)
