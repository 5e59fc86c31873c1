"""The arithmetic task: sums and products with answers written in several
ways, and a judge that reads one final answer.
"""

from genai_tutorial.tasks.arithmetic.formats import (
    AnswerFormat,
    backward_scratchpad,
    backwards,
    direct,
    scratchpad,
)
from genai_tutorial.tasks.arithmetic.judge import (
    correct_answers,
    final_answer,
    is_worked,
)
from genai_tutorial.tasks.arithmetic.models import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_ANSWER_TOKENS,
    answer_questions,
    answer_texts,
    encode_examples,
    encode_questions,
    example_rows,
)
from genai_tutorial.tasks.arithmetic.questions import (
    SUMS,
    ArithmeticQuestion,
    is_held_out,
    random_products,
    random_sums,
)
from genai_tutorial.tasks.arithmetic.report import (
    AnswerReport,
    report_answers,
    sampled_answers,
)

__all__ = [
    "ARITHMETIC_TOKENIZER",
    "END_TOKEN",
    "MAX_ANSWER_TOKENS",
    "SUMS",
    "AnswerFormat",
    "AnswerReport",
    "ArithmeticQuestion",
    "answer_questions",
    "answer_texts",
    "backward_scratchpad",
    "backwards",
    "correct_answers",
    "direct",
    "encode_examples",
    "encode_questions",
    "example_rows",
    "final_answer",
    "is_held_out",
    "is_worked",
    "random_products",
    "random_sums",
    "report_answers",
    "sampled_answers",
    "scratchpad",
]
