"""The prompting tasks: short questions, demonstrations from a separate pool, and a
strict and a lenient judge.

Read `task`, then `items`, the questions, and `answers`, which asks a model, searches
for prompts and injects instructions.
"""

from .answers import (
    ORDERED_WORD,
    QUOTED_TEMPLATE,
    Attack,
    SearchResult,
    answer_prompt,
    attacked,
    field_attack,
    label_attack,
    order_attack,
    other_label,
    quoted_field_attack,
    random_prompts,
    search_prompts,
    split_items,
)
from .items import (
    ANIMAL_OR_FRUIT,
    ANTONYMS,
    COSMETIC_FORMATS,
    INVENTED_LABELS,
    JSON_FACTS,
    PAST_TENSE,
    PAST_TENSE_FORMATS,
    PROMPT_TASKS,
    SENTIMENT,
    TWO_DIGIT_SUMS,
    WORD_PROBLEMS,
)
from .task import (
    LAYOUTS,
    Judge,
    Layout,
    Prompt,
    PromptExample,
    PromptTask,
    Verdict,
    encode_few_shot_prompt,
    first_line,
    read_verdicts,
    write_verdicts,
)
