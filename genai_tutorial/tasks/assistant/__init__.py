"""The assistant task: questions about the world's countries, the gold rule, simulated
raters, baselines, and measures of an assistant's behaviour.
"""

from .answer_text import exact_match, normalize_answer
from .baselines import baseline_answers, preference_without_facts
from .behaviour import Behaviour, behaviour_changes, measure_behaviour, wins
from .chat_format import (
    CHAT,
    CHAT_SPECIAL_TOKENS,
    END_OF_TEXT,
    MAX_ANSWER_TOKENS,
    encode_demonstrations,
)
from .comparisons import (
    Comparison,
    collect_comparisons,
    contrasting_answers,
    split_by_question,
)
from .demonstrations import AnswerForm, Demonstration, demonstrate, training_questions
from .exam_questions import (
    N_EXAM_QUESTIONS,
    exact_match_rate,
    exact_matches,
    exam_questions,
    is_exact,
    questions_of_all_categories,
)
from .exams import chat_answers, complete_facts, likeliest_texts
from .gold_rule import GoldRule, Parts, ResponseType
from .invented import ask_invented, ask_untold, invented_countries
from .mixed_questions import mixed_questions
from .private_requests import private_requests
from .probes import preference_probes
from .questions import Kind, Question, ask_facts, tell_facts
from .raters import Choice, Rater, random_raters, rater_agreement
from .rewards import gold_reward
from .wordings import HELD_OUT_FRAMES, Phrasing, fact_questions, fact_sentences
