"""The prompting tasks: short questions, demonstrations from a separate pool, and a
strict and a lenient judge.
"""

from genai_tutorial.tasks.prompting.answers import (
    FirstLine,
    answer_prompt,
    score_labels,
)
from genai_tutorial.tasks.prompting.formats import (
    COSMETIC_FORMATS,
    PAST_TENSE_FORMATS,
)
from genai_tutorial.tasks.prompting.generated import (
    JSON_FACTS,
    LETTER_PATTERNS,
    ONE_DIGIT_SUMS,
    TWO_DIGIT_SUMS,
    WORD_PROBLEMS,
)
from genai_tutorial.tasks.prompting.injection import (
    ORDERED_WORD,
    QUOTED_TEMPLATE,
    Attack,
    attacked,
    field_attack,
    label_attack,
    order_attack,
    other_label,
    quoted_field_attack,
    remove_fields,
    remove_line_breaks,
)
from genai_tutorial.tasks.prompting.judge import (
    MARKER,
    Judge,
    Verdict,
    first_line,
    judge_json,
    judge_label,
    judge_letter,
    judge_number,
    judge_text,
    read_verdicts,
    write_verdicts,
)
from genai_tutorial.tasks.prompting.personas import (
    PERSONA_QUESTIONS,
    PERSONAS,
    Persona,
    sounds_like_pirate,
)
from genai_tutorial.tasks.prompting.prompt import (
    LAYOUTS,
    Layout,
    Prompt,
    PromptExample,
    encode_prompt,
)
from genai_tutorial.tasks.prompting.search import (
    SearchResult,
    random_prompts,
    search_prompts,
    split_items,
)
from genai_tutorial.tasks.prompting.sentiment import SENTIMENT
from genai_tutorial.tasks.prompting.task import PromptTask
from genai_tutorial.tasks.prompting.words import (
    ANIMAL_OR_FRUIT,
    ANTONYMS,
    CAPITALS,
    INVENTED_LABELS,
    PAST_TENSE,
)

PROMPT_TASKS = (
    PAST_TENSE,
    ANTONYMS,
    CAPITALS,
    ANIMAL_OR_FRUIT,
    SENTIMENT,
    INVENTED_LABELS,
    JSON_FACTS,
    ONE_DIGIT_SUMS,
    TWO_DIGIT_SUMS,
    WORD_PROBLEMS,
    LETTER_PATTERNS,
)
"""All tasks of the package."""

__all__ = [
    "ANIMAL_OR_FRUIT",
    "ANTONYMS",
    "CAPITALS",
    "COSMETIC_FORMATS",
    "INVENTED_LABELS",
    "JSON_FACTS",
    "LAYOUTS",
    "LETTER_PATTERNS",
    "MARKER",
    "ONE_DIGIT_SUMS",
    "ORDERED_WORD",
    "PAST_TENSE",
    "PAST_TENSE_FORMATS",
    "PERSONAS",
    "PERSONA_QUESTIONS",
    "PROMPT_TASKS",
    "QUOTED_TEMPLATE",
    "SENTIMENT",
    "TWO_DIGIT_SUMS",
    "WORD_PROBLEMS",
    "Attack",
    "FirstLine",
    "Judge",
    "Layout",
    "Persona",
    "Prompt",
    "PromptExample",
    "PromptTask",
    "SearchResult",
    "Verdict",
    "answer_prompt",
    "attacked",
    "encode_prompt",
    "field_attack",
    "first_line",
    "judge_json",
    "judge_label",
    "judge_letter",
    "judge_number",
    "judge_text",
    "label_attack",
    "order_attack",
    "other_label",
    "quoted_field_attack",
    "random_prompts",
    "read_verdicts",
    "remove_fields",
    "remove_line_breaks",
    "score_labels",
    "search_prompts",
    "sounds_like_pirate",
    "split_items",
    "write_verdicts",
]
