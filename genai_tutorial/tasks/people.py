"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON. Sentences with three facts are for fine-tuning, and the longer profiles
for prompting.
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
_NAMES, _CITIES, _SENTENCES = (
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
            "name": draw.choice(_NAMES[wording]),
            "age": draw.randint(18, 80),
            "city": draw.choice(_CITIES[wording]),
        }
        text = draw.choice(_SENTENCES[wording]).format(**facts)
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


_PROFILE_NAMES, _PROFILE_CITIES, _HOBBIES = read_words("people", "profiles")


PROFILE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 24},
        "age": {"type": "integer"},
        "city": {"type": "string", "maxLength": 24},
        "member": {"type": "boolean"},
        "hobbies": {"type": "array", "items": {"enum": _HOBBIES}, "maxItems": 3},
    },
    "required": ["name", "age", "city", "member", "hobbies"],
    "additionalProperties": False,
}
"""The schema of a profile."""


@dataclass(frozen=True)
class Profile:
    """The facts about one person."""

    name: str
    age: int
    city: str
    member: bool
    hobbies: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentence that tells the facts."""
        member = "is a member" if self.member else "is not a member"
        return (
            f"{self.name} is {self.age} years old, lives in {self.city}, {member} and "
            f"likes {' and '.join(self.hobbies)}."
        )

    @property
    def json(self) -> str:
        """The facts as JSON."""
        return json.dumps(vars(self))


PROFILE_EXAMPLE = Profile("Mia", 41, "Porto", False, ("books", "sport"))
"""A person who is none of the random ones, for a demonstration in the prompt."""


def random_profiles(count: int, seed: int) -> list[Profile]:
    """Return up to twelve people with different names and cities."""
    rng = random.Random(seed)
    names, cities = (
        rng.sample(_PROFILE_NAMES, count),
        rng.sample(_PROFILE_CITIES, count),
    )
    return [
        Profile(
            name,
            rng.randint(18, 80),
            city,
            rng.random() < 0.5,
            tuple(rng.sample(_HOBBIES, rng.randint(1, 2))),
        )
        for name, city in zip(names, cities, strict=True)
    ]


def extraction_prompt(profile: Profile, example: Profile | None = None) -> str:
    """Return the prompt that asks for a profile as JSON; an example shows how.

    It ends before the space after the colon. The space belongs to the answer, because
    in most vocabularies it is part of the next token.
    """
    asked = f"Text: {profile.text}\nJSON:"
    if example is not None:
        return f"Text: {example.text}\nJSON: {example.json}\n\n{asked}"
    keys = ", ".join(PROFILE_SCHEMA["properties"])
    return f"Write the facts as JSON with the keys {keys}.\n{asked}"
