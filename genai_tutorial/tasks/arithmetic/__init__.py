"""The arithmetic task: sums and products with answers written in several ways, and a
judge that reads one final answer.
"""

from .questions import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_SUM_TOKENS,
    SUMS,
    AnswerFormat,
    AnswerReport,
    ArithmeticQuestion,
    Operation,
    answer_questions,
    answer_texts,
    backward_scratchpad,
    backwards,
    correct_answers,
    direct,
    encode_examples,
    encode_questions,
    example_rows,
    is_held_out,
    random_products,
    random_sums,
    report_answers,
    sampled_answers,
    scratchpad,
)
