"""The assistant task: questions about the world's countries, the gold rule, simulated
raters, baselines, and measures of an assistant's behaviour.
"""

from genai_tutorial.tasks.assistant.answer_text import (
    courtesies,
    exact_match,
    normalize_answer,
)
from genai_tutorial.tasks.assistant.baselines import (
    baseline_answers,
    category_aware_answers,
    preference_without_facts,
)
from genai_tutorial.tasks.assistant.behaviour import (
    Behaviour,
    behaviour_changes,
    measure_behaviour,
    wins,
)
from genai_tutorial.tasks.assistant.chat_format import (
    CHAT,
    CHAT_SPECIAL_TOKENS,
    DECLINING_ANSWERS,
    END_OF_TEXT,
    MAX_ANSWER_TOKENS,
    encode_demonstrations,
)
from genai_tutorial.tasks.assistant.comparisons import (
    Comparison,
    collect_comparisons,
    contrasting_answers,
    split_by_question,
)
from genai_tutorial.tasks.assistant.demonstrations import (
    AnswerForm,
    Demonstration,
    demonstrate,
    training_questions,
)
from genai_tutorial.tasks.assistant.exam_questions import (
    exact_match_rate,
    exact_matches,
    exam_questions,
    is_exact,
    questions_of_all_categories,
)
from genai_tutorial.tasks.assistant.exams import (
    chat_answers,
    complete_facts,
    likeliest_texts,
)
from genai_tutorial.tasks.assistant.gold_rule import GoldRule, Parts, ResponseType
from genai_tutorial.tasks.assistant.invented import (
    TOPICS,
    ask_invented,
    ask_untold,
    invented_countries,
)
from genai_tutorial.tasks.assistant.mixed_questions import mixed_questions
from genai_tutorial.tasks.assistant.private_requests import (
    near_misses,
    private_requests,
)
from genai_tutorial.tasks.assistant.probes import preference_probes
from genai_tutorial.tasks.assistant.questions import (
    Question,
    answer_sentence,
    ask_absent,
    ask_facts,
    tell_facts,
)
from genai_tutorial.tasks.assistant.raters import Rater, random_raters, rater_agreement
from genai_tutorial.tasks.assistant.rewards import gold_reward
from genai_tutorial.tasks.assistant.wordings import (
    HELD_OUT_FRAMES,
    WORDINGS,
    Wording,
    fact_questions,
    fact_sentences,
    fill_wording,
)

__all__ = [
    "CHAT",
    "CHAT_SPECIAL_TOKENS",
    "DECLINING_ANSWERS",
    "END_OF_TEXT",
    "HELD_OUT_FRAMES",
    "MAX_ANSWER_TOKENS",
    "TOPICS",
    "WORDINGS",
    "AnswerForm",
    "Behaviour",
    "Comparison",
    "Demonstration",
    "GoldRule",
    "Parts",
    "Question",
    "Rater",
    "ResponseType",
    "Wording",
    "answer_sentence",
    "ask_absent",
    "ask_facts",
    "ask_invented",
    "ask_untold",
    "baseline_answers",
    "behaviour_changes",
    "category_aware_answers",
    "chat_answers",
    "collect_comparisons",
    "complete_facts",
    "contrasting_answers",
    "courtesies",
    "demonstrate",
    "encode_demonstrations",
    "exact_match",
    "exact_match_rate",
    "exact_matches",
    "exam_questions",
    "fact_questions",
    "fact_sentences",
    "fill_wording",
    "gold_reward",
    "invented_countries",
    "is_exact",
    "likeliest_texts",
    "measure_behaviour",
    "mixed_questions",
    "near_misses",
    "normalize_answer",
    "preference_probes",
    "preference_without_facts",
    "private_requests",
    "questions_of_all_categories",
    "random_raters",
    "rater_agreement",
    "split_by_question",
    "tell_facts",
    "training_questions",
    "wins",
]
