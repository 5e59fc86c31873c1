import pytest
import torch

from benchmarks.written_tests import encode_repairs
from genai_tutorial.corpus import docstring_gap
from genai_tutorial.tasks.code import (
    CODE_TOKENS,
    CodeModel,
    Failure,
    draw_exercises,
    find_failure,
    train_code_tokenizer,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

EXERCISES = draw_exercises(4, "train", seed=0)


@pytest.fixture(scope="module")
def writer():
    tokenizer = train_code_tokenizer([e.program for e in EXERCISES], 300)
    torch.manual_seed(0)
    config = DecoderConfig(tokenizer.vocab_size, context_length=600, width=8, layers=1)
    return CodeModel(DecoderLM(config, seed=0), tokenizer)


@pytest.mark.slow
def test_samples_are_grouped_by_prompt_and_repeatable(writer):
    prompts = [exercise.prompt for exercise in EXERCISES[:2]]
    first = writer.sample(prompts, 3, temperature=1.0, seed=1)
    assert [len(bodies) for bodies in first] == [3, 3]
    assert first == writer.sample(prompts, 3, temperature=1.0, seed=1)
    assert first != writer.sample(prompts, 3, temperature=1.0, seed=2)


@pytest.mark.slow
def test_markers_are_never_written_unless_allowed(writer):
    prompts = [exercise.prompt for exercise in EXERCISES] * 5

    def leaks(model):
        bodies = model.complete(prompts, temperature=5.0)
        return sum(token in body for body in bodies for token in CODE_TOKENS)

    assert leaks(writer) == 0
    assert leaks(CodeModel(writer.model, writer.tokenizer, forbids_markers=False)) > 0


@pytest.mark.slow
def test_middle_is_not_shown(writer):
    program = EXERCISES[0].program
    gap = docstring_gap(program)
    other = program.replace(gap.middle, "Something else.")
    assert writer.explain([program]) == writer.explain([other])


def test_written_tests_are_lines(writer):
    (lines,) = writer.write_tests([EXERCISES[0].prompt])
    assert all("\n" not in line for line in lines)


def test_find_failure_returns_the_first_wrong_answer():
    exercise = EXERCISES[0]
    inputs = exercise.inputs(3, seed=0)
    right = [repr(exercise.expected(items)) for items in inputs]
    assert find_failure(exercise, "", inputs, right) is None
    failure = find_failure(exercise, " body", inputs, [right[0], "wrong", "wrong"])
    assert failure == Failure(exercise, " body", inputs[1], "wrong")
    assert failure.prompt == (
        f"{exercise.prompt} body\n# {exercise.name}({inputs[1]}) gave wrong, "
        f"expected {right[1]}"
    )


def test_repairs_learn_the_new_body_only(writer):
    failure = Failure(EXERCISES[0], "\n    return 0", [], "0")
    rows = encode_repairs(writer.tokenizer, [failure], 600)
    end = writer.tokenizer.special_tokens["<|endoftext|>"]
    learned = rows.ids[rows.is_answer].tolist()
    assert learned[-1] == end
    assert writer.tokenizer.decode(learned[:-1]) == EXERCISES[0].body
    shown = rows.ids[rows.is_text & ~rows.is_answer].tolist()
    assert writer.tokenizer.decode(shown[1:]) == failure.prompt
