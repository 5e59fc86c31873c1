"""Models that write code: a trained decoder, and problems written by people."""

import ast
import gzip
import sys

import pytest
import torch

from benchmarks.written_tests import encode_repairs
from genai_tutorial.corpus import docstring_gap
from genai_tutorial.sandbox import SandboxError
from genai_tutorial.tasks.code import (
    CODE_TOKENS,
    SIMPLE_PROBLEMS,
    CodeModel,
    CodeProblem,
    Failure,
    complete_functions,
    draw_exercises,
    find_failure,
    load_human_eval,
    run_completions,
    train_code_tokenizer,
)
from genai_tutorial.tasks.code import code_models as module
from genai_tutorial.tasks.code.code_models import cut_completion
from genai_tutorial.tokenization import train_bpe
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


def test_simple_problems_are_two_dozen_with_eight_tests_each():
    assert len({problem.name for problem in SIMPLE_PROBLEMS}) == 24
    for problem in SIMPLE_PROBLEMS:
        assert len(set(problem.tests)) == 8
        assert not problem.prompt.endswith("\n")
        assert problem.reference.startswith("\n    ")
        function = ast.parse(problem.prompt + problem.reference).body[0]
        assert function.name == problem.name
        assert ast.get_docstring(function)


@pytest.mark.slow
def test_simple_problems_pass_with_references_and_fail_without_a_body():
    outcomes = run_completions(
        SIMPLE_PROBLEMS, [[problem.reference, ""] for problem in SIMPLE_PROBLEMS]
    )
    assert all(right.passed and not empty.passed for right, empty in outcomes)


def test_run_completions_needs_a_reference_that_passes_all_tests():
    problem = CodeProblem("f", "def f(x):", "\n    return x", ("assert f(1)", "1 / 0"))
    with pytest.raises(SandboxError, match=r"f does not pass its own tests.*Zero"):
        run_completions([problem], [[problem.reference]], tests=1)


def test_run_completions_tells_right_from_wrong_with_few_and_many_tests():
    add = SIMPLE_PROBLEMS[0]
    written = ["\n    return a + b", "\n    return a - b", "\n    return a", ""]
    kinds = {
        tests: [str(o.kind) for o in run_completions([add], [written], tests)[0]]
        for tests in (1, 8)
    }
    assert kinds[1] == ["passed", "passed", "passed", "wrong"]
    assert kinds[8] == ["passed", "wrong", "wrong", "wrong"]


def test_load_human_eval_reads_data_and_runs_no_code(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("human_eval")]:
        monkeypatch.delitem(sys.modules, name)
    problems = load_human_eval()
    assert len(problems) == 164
    assert problems[0].prompt.endswith('"""\n')
    assert problems[0].tests[0].endswith("check(has_close_elements)")
    assert not any(name.startswith("human_eval") for name in sys.modules)


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"{}", mtime=0)[:-9],
        gzip.compress(b"{", mtime=0),
        gzip.compress(b"[1]", mtime=0),
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b"\xff", mtime=0),
    ],
)
def test_load_human_eval_names_a_damaged_file(monkeypatch, tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "HumanEval.jsonl.gz").write_bytes(content)
    monkeypatch.setattr(module, "package_folder", lambda *_: tmp_path)
    with pytest.raises(ValueError, match=r"HumanEval\.jsonl\.gz is not the data of"):
        load_human_eval()


@pytest.mark.parametrize(
    ("completion", "function"),
    [
        ("\n    return 1", "\n    return 1"),
        ("\n    return 1\n", "\n    return 1"),
        ("\n    return 1\n\n\ndef g():\n    pass", "\n    return 1"),
        ("\n    return 1\nprint(f())", "\n    return 1"),
        ("\n    return 1\n# a test\n    x", "\n    return 1"),
        ("\n    return 1\n```\n\nThis", "\n    return 1"),
        ("\n    x = 1\n\n    return x", "\n    x = 1\n\n    return x"),
        (
            "\n    def g():\n        return 2\n\n    return g()\n\nf()",
            "\n    def g():\n        return 2\n\n    return g()",
        ),
        (
            '\n    """Explain\n\nat length"""\n    return 1\nx',
            '\n    """Explain\n\nat length"""\n    return 1',
        ),
        ("\n    '''a \"\"\" b\nc'''\nd", "\n    '''a \"\"\" b\nc'''"),
        ("\n\treturn 1\nx", "\n\treturn 1"),
        # what stands before the first newline belongs to the prompt's last line
        ("return 1\nx", "return 1"),
        ("```\nx", "```"),
        ("", ""),
    ],
)
def test_cut_completion_ends_with_the_function(completion, function):
    assert cut_completion(completion) == function
    assert cut_completion(function) == function


def test_complete_functions_returns_what_greedy_decoding_and_the_cut_leave():
    text = "def f(x):\n    return x\n\n\ndef g(x):\n    return 2 * x\n" * 20
    tokenizer = train_bpe(text, 280, special_tokens=["<|end|>"])
    model = DecoderLM(DecoderConfig(tokenizer.vocab_size, 64, 16, 1), seed=0)
    prompts = ["def f(x):", "def f(y, z):"]
    together = complete_functions(model, tokenizer, prompts, max_new_tokens=12)
    alone = [
        complete_functions(model, tokenizer, [prompt], max_new_tokens=12)[0]
        for prompt in prompts
    ]
    assert together == alone
    drawn = [
        complete_functions(model, tokenizer, prompts[:1], 12, temperature=1, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
