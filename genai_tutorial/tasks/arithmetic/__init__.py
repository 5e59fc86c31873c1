"""The arithmetic task: sums and products with answers written in several ways, and a
judge that reads one final answer.

Read `questions`, then `models`: questions as tokens, and reports of sampled answers.
"""

from .models import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_SUM_TOKENS,
    AnswerReport,
    answer_questions,
    answer_texts,
    encode_examples,
    encode_questions,
    example_rows,
    report_answers,
    sampled_answers,
)
from .questions import (
    SUMS,
    AnswerFormat,
    ArithmeticQuestion,
    Operation,
    backward_scratchpad,
    backwards,
    correct_answers,
    direct,
    is_held_out,
    random_products,
    random_sums,
    scratchpad,
)
