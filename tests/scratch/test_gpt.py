"""The GPT in one file: its operations, its training, and that it needs nothing."""

import ast
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from genai_tutorial.scratch import gpt

FILE = Path(gpt.__file__)


def vector(size: int, seed: int = 0) -> gpt.Vector:
    draw = random.Random(seed)
    return gpt.Vector([draw.gauss(0, 1) for _ in range(size)])


def rows(count: int, size: int) -> list[gpt.Vector]:
    return [vector(size, seed) for seed in range(1, count + 1)]


def number(result: gpt.Vector) -> gpt.Vector:
    """Return one number that depends on all of a vector's, each in its own way."""
    weights = gpt.Vector([1.0 + 0.5 * i for i in range(len(result.data))])
    return gpt.linear([weights], result)


OPERATIONS = {
    "add": lambda x, more: gpt.add(x, more[0]),
    "add to itself": lambda x, more: gpt.add(x, x),
    "linear": lambda x, more: gpt.linear(more, x),
    "linear, input is a row": lambda x, more: gpt.linear([*more, x], x),
    "mix, as row": lambda x, more: gpt.mix(more[0], [x, *more[1:], x]),
    "mix, as weights": lambda x, more: gpt.mix(x, more),
    "softmax": lambda x, more: gpt.softmax(x, scale=0.7),
    "relu": lambda x, more: gpt.relu(x),
    "normalize": lambda x, more: gpt.normalize(x),
    "cross-entropy": lambda x, more: gpt.cross_entropy(x, 2),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_gradient_of_operation_equals_nudging(operation):
    x, more = vector(4), rows(4, 4)
    number(operation(x, more)).backward()
    for one in (x, *more):
        for i, exact in enumerate(list(one.grad)):
            ends = []
            for nudge in (1e-6, -1e-6):
                before = one.data[i]
                one.data[i] = before + nudge
                ends.append(number(operation(x, more)).data[0])
                one.data[i] = before
            assert exact == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_softmax_survives_large_numbers():
    assert gpt.softmax(gpt.Vector([1000.0, 0.0])).data == [1.0, 0.0]


def test_later_letters_do_not_change_earlier_predictions():
    random.seed(0)
    model = gpt.GPT(5, width=4, blocks=2)
    one, other = model.logits([0, 1, 2, 3]), model.logits([0, 1, 4, 1])
    assert one[1].data == other[1].data
    assert one[2].data != other[2].data


def test_parameters_are_all_rows():
    model = gpt.GPT(5, context=7, width=4, blocks=2)
    count = sum(len(row.data) for row in model.parameters())
    assert count == 2 * (4 * 16 + 2 * 32) + (5 + 7 + 5) * 4


def test_backward_of_a_long_chain_does_not_overflow_the_stack():
    x = total = gpt.Vector([1.0])
    for _ in range(3000):
        total = gpt.add(total, x)
    total.backward()
    assert x.grad == [3001.0]


@pytest.mark.slow
def test_learning_lowers_the_loss_and_clears_the_gradients():
    random.seed(0)
    words = [[0, 1, 2, 1, 2, 0], [0, 2, 1, 2, 1, 0]]
    model = gpt.GPT(3, width=8)
    losses = gpt.learn(model, words, steps=60)
    assert len(losses) == 60
    assert losses[0] == pytest.approx(math.log(3), abs=0.1)
    assert sum(losses[-10:]) / 10 < 0.4
    assert not any(any(row.grad) for row in model.parameters())


def test_written_words_end_at_the_dot_or_at_the_context():
    random.seed(0)
    model = gpt.GPT(3, context=6, width=4)
    words = [gpt.write(model, ".ab") for _ in range(50)]
    assert all(set(word) <= set(".ab") and len(word) < 6 for word in words)
    assert len(set(words)) > 10


def test_file_has_150_lines_and_needs_only_the_standard_library():
    source = FILE.read_text("utf8")
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 150
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.slow
def test_file_runs_alone_as_a_script(tmp_path):
    script, text = tmp_path / "gpt.py", tmp_path / "words.txt"
    source = FILE.read_text("utf8")
    script.write_text(source.replace("steps=1000", "steps=3"), "utf8")
    text.write_text("The cat sat on the mat, and the rat ran.", "utf8")
    for arguments in ([], [str(text)]):
        done = subprocess.run(
            [sys.executable, "-I", str(script), *arguments],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        first, second = done.stdout.splitlines()
        assert first.startswith("loss: ")
        assert len(second.split()) >= 15
