"""The prompting tasks: short questions, demonstrations from a separate pool, and a
strict and a lenient judge.
"""

from .answers import answer_prompt, score_labels
from .formats import COSMETIC_FORMATS, PAST_TENSE_FORMATS
from .generated import (
    JSON_FACTS,
    LETTER_PATTERNS,
    ONE_DIGIT_SUMS,
    TWO_DIGIT_SUMS,
    WORD_PROBLEMS,
)
from .injection import (
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
from .judge import Judge, Verdict, first_line, read_verdicts, write_verdicts
from .prompt import LAYOUTS, Layout, Prompt, PromptExample, encode_prompt
from .search import SearchResult, random_prompts, search_prompts, split_items
from .sentiment import SENTIMENT
from .task import PromptTask, split_words
from .words import ANIMAL_OR_FRUIT, ANTONYMS, CAPITALS, INVENTED_LABELS, PAST_TENSE

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
