"""The assistant task: questions about the world's countries, and measures of how a
model answers them.

Read `questions`, `unanswerable` and `gold_rule`, the definition of a good answer. Then
`demonstrations` for supervised fine-tuning, `raters` for comparisons, and `exams`,
`choices` and `behaviour` for the measures. `arena` lets assistants compete for votes.
"""

from .arena import FILLER, Votes, arena_systems, draw_votes, preference_table
from .behaviour import (
    Behaviour,
    baseline_answers,
    behaviour_changes,
    gold_reward,
    measure_behaviour,
    preference_without_facts,
    wins,
)
from .choices import ChoiceItem, choice_exam, score_options
from .demonstrations import (
    CHAT,
    CHAT_SPECIAL_TOKENS,
    END_OF_TEXT,
    MAX_ANSWER_TOKENS,
    AnswerForm,
    Demonstration,
    demonstrate,
    encode_demonstrations,
    training_questions,
)
from .exams import (
    N_EXAM_QUESTIONS,
    chat_answers,
    complete_facts,
    exact_match_rate,
    exact_matches,
    exam_questions,
    is_exact,
    likeliest_texts,
    questions_of_all_categories,
)
from .gold_rule import (
    AnswerParts,
    GoldRule,
    ResponseType,
    exact_match,
    normalize_answer,
)
from .questions import (
    HELD_OUT_FRAMES,
    Phrasing,
    Question,
    QuestionKind,
    ask_facts,
    fact_questions,
    fact_sentences,
    tell_facts,
)
from .raters import (
    Comparison,
    Rater,
    collect_comparisons,
    contrasting_answers,
    preference_probes,
    random_raters,
    rater_agreement,
    split_by_question,
)
from .unanswerable import (
    ask_invented,
    ask_untold,
    invented_countries,
    mixed_questions,
    private_requests,
)
