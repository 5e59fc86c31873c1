"""A judge of extracted profiles that counts separately whether an answer is JSON,
whether it follows the schema, and which facts are correct.
"""

import json
from dataclasses import dataclass
from typing import Any

from genai_tutorial.tasks.people import PROFILE_SCHEMA, Profile


@dataclass(frozen=True)
class ExtractionJudgement:
    """The judgement of one answer.

    Attributes:
        fits_schema: True if it follows the schema, with the keys in any order.
    """

    is_json: bool
    fits_schema: bool
    facts_right: int


def judge_extraction(answer: str, profile: Profile) -> ExtractionJudgement:
    """Judge an answer; what follows its last brace is ignored.

    >>> judge_extraction('{"name": "Mia", "age": "41"}', PROFILE_EXAMPLE)
    ExtractionJudgement(is_json=True, fits_schema=False, facts_right=1)
    """
    try:
        value = json.loads(answer[: answer.rindex("}") + 1])
    except ValueError:  # no brace, or not JSON
        return ExtractionJudgement(False, False, 0)
    if not isinstance(value, dict):
        return ExtractionJudgement(True, False, 0)
    facts = json.loads(profile.json)
    right = sum(
        # 1 == True in Python, but not in JSON
        value.get(key) == fact and type(value.get(key)) is type(fact)
        for key, fact in facts.items()
    )
    return ExtractionJudgement(True, _fits(value, PROFILE_SCHEMA), right)


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value is valid under a schema that uses the keywords above."""
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int}
    if type(value) is not kinds.get(schema["type"], bool):
        return False
    if schema["type"] == "object":
        properties = schema["properties"]
        return set(value) == set(properties) and all(
            _fits(value[key], inner) for key, inner in properties.items()
        )
    if schema["type"] == "array":
        return len(value) <= schema["maxItems"] and all(
            _fits(item, schema["items"]) for item in value
        )
    return len(value) <= schema["maxLength"] if schema["type"] == "string" else True
