"""The people task: a sentence describes an invented person, and the answer is the same
facts as JSON.
"""

from genai_tutorial.tasks.people.people import (
    PersonSentence,
    describe_people,
    few_shot_messages,
    read_json,
)

__all__ = ["PersonSentence", "describe_people", "few_shot_messages", "read_json"]
