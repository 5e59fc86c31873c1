"""The arithmetic task: sums and products with answers written in several
ways, and a judge that reads one final answer.
"""

from .formats import AnswerFormat, backward_scratchpad, backwards, direct, scratchpad
from .judge import correct_answers
from .models import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_ANSWER_TOKENS,
    answer_questions,
    answer_texts,
    encode_examples,
    encode_questions,
    example_rows,
)
from .questions import (
    SUMS,
    ArithmeticQuestion,
    Operation,
    is_held_out,
    random_products,
    random_sums,
)
from .report import AnswerReport, report_answers, sampled_answers
