"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON.

`people` has sentences with three facts each, for fine-tuning; `profiles` has longer
ones, for prompting.
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
    Profile,
    extraction_prompt,
    random_profiles,
)
