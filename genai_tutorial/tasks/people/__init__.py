"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON.
"""

from genai_tutorial.tasks.people.people import (
    PersonSentence,
    describe_people,
    few_shot_messages,
    read_json,
)
from genai_tutorial.tasks.people.profiles import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    ExtractionJudgement,
    Profile,
    extraction_prompt,
    judge_extraction,
    random_profiles,
)

__all__ = [
    "PROFILE_EXAMPLE",
    "PROFILE_SCHEMA",
    "ExtractionJudgement",
    "PersonSentence",
    "Profile",
    "describe_people",
    "extraction_prompt",
    "few_shot_messages",
    "judge_extraction",
    "random_profiles",
    "read_json",
]
