"""Sentences about invented people with the facts that they state, and the facts as
JSON.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from genai_tutorial.tasks import check_choice, read_words
from genai_tutorial.tokenization import Message

Wording = Literal["trained", "held-out"]


_LISTS = read_words("people", "sentences")
NAMES, CITIES, SENTENCES = (
    dict(zip(get_args(Wording), _LISTS[start : start + 2], strict=True))
    for start in (0, 2, 4)
)
"""Names, cities and sentences; none of those held out is in a demonstration."""


@dataclass(frozen=True)
class PersonSentence:
    """A sentence about a person.

    Attributes:
        facts: What it states: name, age and city.
    """

    text: str
    facts: dict[str, str | int]

    @property
    def answer(self) -> str:
        """The facts as JSON."""
        return json.dumps(self.facts)


def describe_people(
    count: int, wording: Wording = "trained", seed: int = 0
) -> list[PersonSentence]:
    """Draw sentences about invented people.

    Args:
        wording: Each name, city and sentence is either trained or held out.

    Raises:
        ValueError: If there is no such wording.

    >>> person = describe_people(1, seed=1)[0]
    >>> print(person.text, person.answer, sep="\\n")
    Our new colleague is Diego from Dakar, who will soon be 54.
    {"name": "Diego", "age": 54, "city": "Dakar"}
    """
    check_choice("wording", wording, Wording)
    draw = random.Random(seed)
    people = []
    for _ in range(count):
        facts: dict[str, str | int] = {
            "name": draw.choice(NAMES[wording]),
            "age": draw.randint(18, 80),
            "city": draw.choice(CITIES[wording]),
        }
        text = draw.choice(SENTENCES[wording]).format(**facts)
        people.append(PersonSentence(text, facts))
    return people


def few_shot_messages(
    examples: Sequence[PersonSentence], person: PersonSentence
) -> list[Message]:
    """Return a conversation that shows examples as earlier turns, and then asks."""
    shown = []
    for example in examples:
        shown += [Message("user", example.text), Message("assistant", example.answer)]
    return [*shown, Message("user", person.text)]


def read_profile_json(text: str) -> Any:
    """Return what a text states as JSON; None if it is not JSON.

    >>> read_profile_json('{"age": 30}'), read_profile_json("Here you are: {}")
    ({'age': 30}, None)
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None
