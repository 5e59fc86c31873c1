"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON.

`people` has sentences with three facts each, for fine-tuning; `profiles` has longer
ones, for prompting, and a judge.
"""

from .people import (
    PersonSentence,
    Wording,
    describe_people,
    few_shot_messages,
    read_profile_json,
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
