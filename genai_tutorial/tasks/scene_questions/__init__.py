"""Questions about scenes of shapes, with exact answers and the accuracy of a model's
answers beside a blind baseline.

Read `questions`, then `conversations`, images with questions as rows of tokens.
"""

from .conversations import (
    CONVERSATION_MIXTURE,
    QUESTION_TOKENIZER,
    ConversationBatches,
    ConversationRows,
    NeedleFilms,
    SceneQuestions,
    load_needle_films,
    load_scene_questions,
    pack_conversations,
    spaced_question,
)
from .questions import (
    ONE_WORD_KINDS,
    SceneQuestion,
    SceneQuestionKind,
    attention_on_squares,
    blind_answers,
    captions_right,
    covered_squares,
    flipped_pairs,
    invented_objects,
    polling_questions,
    question_accuracy,
    right_answers,
)
