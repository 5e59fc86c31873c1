"""The assistant task: questions about the world's countries, and measures of how a
model answers them.

Read `questions`, `unanswerable` and `gold_rule`, the definition of a good answer. Then
`demonstrations` for supervised fine-tuning, `measures` and `choices` for exams, and
`raters` for comparisons and an arena.
"""

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
from .gold_rule import (
    AnswerParts,
    GoldRule,
    ResponseType,
    exact_match,
    normalize_answer,
)
from .measures import (
    N_EXAM_QUESTIONS,
    Behaviour,
    baseline_answers,
    behaviour_changes,
    chat_answers,
    complete_facts,
    exact_match_rate,
    exact_matches,
    exam_questions,
    gold_reward,
    is_exact,
    likeliest_texts,
    measure_behaviour,
    preference_without_facts,
    questions_of_all_categories,
    wins,
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
    FILLER,
    Comparison,
    Rater,
    Votes,
    arena_systems,
    collect_comparisons,
    contrasting_answers,
    draw_votes,
    preference_probes,
    preference_table,
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
