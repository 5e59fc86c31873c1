"""Twelve formats of the same question: the past tense of a verb."""

COSMETIC_FORMATS = (
    "Verb: {question}\nPast tense: {answer}",
    "verb: {question}\npast tense: {answer}",
    "VERB: {question}\nPAST TENSE: {answer}",
    "Verb:: {question}\nPast tense:: {answer}",
    "Verb - {question}\nPast tense - {answer}",
    "Verb: {question} || Past tense: {answer}",
)
"""Six formats with the same words, which differ in case and punctuation only."""

PAST_TENSE_FORMATS = (
    *COSMETIC_FORMATS,
    "Q: What is the past tense of {question}?\nA: {answer}",
    "Input: {question}\nOutput: {answer}",
    "{question} -> {answer}",
    "{question} => {answer}",
    "{question}, {answer}",
    "<verb>{question}</verb><past>{answer}</past>",
)
"""The cosmetic formats, and six that say more or less about the task."""
