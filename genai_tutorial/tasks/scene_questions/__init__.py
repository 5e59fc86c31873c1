"""The questions task: questions about scenes of shapes with exact answers,
conversations for training, and the accuracy of answers beside a blind baseline.
"""

from genai_tutorial.tasks.scene_questions.accuracy import (
    blind_answers,
    captions_right,
    flipped_pairs,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.scene_questions.batches import ConversationBatches
from genai_tutorial.tasks.scene_questions.conversations import (
    MIXTURE,
    QUESTION_TOKENIZER,
    ConversationRows,
    SceneQuestions,
    draw_questions,
    load_scene_questions,
    pack_conversations,
    spaced_question,
)
from genai_tutorial.tasks.scene_questions.hallucination import (
    invented_objects,
    polling_questions,
)
from genai_tutorial.tasks.scene_questions.needle_films import (
    NeedleFilms,
    load_needle_films,
)
from genai_tutorial.tasks.scene_questions.questions import (
    ONE_WORD_KINDS,
    SHARE_ABSENT,
    Kind,
    Question,
    ask,
    near_misses,
)
from genai_tutorial.tasks.scene_questions.squares import (
    attention_on_squares,
    covered_squares,
)

__all__ = [
    "MIXTURE",
    "ONE_WORD_KINDS",
    "QUESTION_TOKENIZER",
    "SHARE_ABSENT",
    "ConversationBatches",
    "ConversationRows",
    "Kind",
    "NeedleFilms",
    "Question",
    "SceneQuestions",
    "ask",
    "attention_on_squares",
    "blind_answers",
    "captions_right",
    "covered_squares",
    "draw_questions",
    "flipped_pairs",
    "invented_objects",
    "load_needle_films",
    "load_scene_questions",
    "near_misses",
    "pack_conversations",
    "polling_questions",
    "question_accuracy",
    "right_answers",
    "spaced_question",
]
