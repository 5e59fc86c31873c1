"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON.
"""

from .people import (
    PersonSentence,
    Wording,
    describe_people,
    few_shot_messages,
    read_json,
)
from .profiles import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    ExtractionJudgement,
    Profile,
    extraction_prompt,
    judge_extraction,
    random_profiles,
)
