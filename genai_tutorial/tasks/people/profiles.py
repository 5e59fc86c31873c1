"""Profiles of invented people in a sentence each, and the prompt that asks for JSON."""

import json
import random
from dataclasses import dataclass
from typing import Any

from genai_tutorial.tasks import read_words

_NAMES, _CITIES, _HOBBIES = read_words("people", "profiles")


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
    names, cities = rng.sample(_NAMES, count), rng.sample(_CITIES, count)
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
