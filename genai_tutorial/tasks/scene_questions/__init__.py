"""The questions task: questions about scenes of shapes with exact answers,
conversations for training, and the accuracy of answers beside a blind baseline.
"""

from .accuracy import (
    blind_answers,
    captions_right,
    flipped_pairs,
    question_accuracy,
    right_answers,
)
from .batches import ConversationBatches
from .conversations import (
    MIXTURE,
    QUESTION_TOKENIZER,
    ConversationRows,
    SceneQuestions,
    load_scene_questions,
    pack_conversations,
    spaced_question,
)
from .hallucination import invented_objects, polling_questions
from .needle_films import NeedleFilms, load_needle_films
from .questions import ONE_WORD_KINDS, Kind, Question
from .squares import attention_on_squares, covered_squares
