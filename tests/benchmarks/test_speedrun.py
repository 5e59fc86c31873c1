"""The speedrun's judge: it runs honest entries, and refuses the others with the rule
that they break.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speedrun import judge
from benchmarks.speedrun.judge import EntryError, Task, check_rules, run_entry

linux = pytest.mark.skipif(sys.platform != "linux", reason="the judge needs Linux")

UNIFORM = """
import numpy as np
def train(plays, vocab_size, left, seed):
    {body}
    return lambda contexts: np.full((len(contexts), vocab_size), {value})
"""
CONTEXTS = np.random.default_rng(0).integers(8, size=(5, 64))
TASK = Task(("a play",), [np.arange(8).repeat(9)], CONTEXTS, CONTEXTS[:, 0], 8)


def entry(body="assert left() > 0.5", value="-np.log(vocab_size)") -> bytes:
    return UNIFORM.format(body=body, value=value).encode()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os", "may not import os"),
        ("from genai_tutorial import data", "may not import genai_tutorial.data"),
        ("import genai_tutorial.pretrained.files", "may not import"),
        (f"text = {'to be ' * 100!r}", "constant is longer than 500"),
        (f"# {'x' * 20_000}", "at most 20000 bytes"),
        ("def train(", "not Python"),
    ],
)
def test_rules_refuse_what_could_hold_a_model_or_a_text(source, words):
    with pytest.raises(EntryError, match=words):
        check_rules(source.encode())


@pytest.mark.parametrize("path", sorted(judge.ENTRIES.glob("*.py")))
def test_the_books_entries_keep_the_rules(path):
    check_rules(path.read_bytes())


@pytest.mark.slow
@linux
def test_uniform_entry_pays_three_bits_for_eight_characters():
    found, used = run_entry(entry(), TASK, 0, 5.0)
    assert judge.bits(found, TASK) == pytest.approx(3.0)
    assert 0 <= used < 5


@pytest.mark.slow
@linux
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (entry(f"open({str(Path(judge.__file__))!r})"), "PermissionError"),
        (entry("__import__('socket').socket().bind(('', 0))"), "PermissionError"),
        (entry("while left() > 0: pass"), "CPU time"),
        (entry(value="0.0"), "do not sum to one"),
        (entry("return lambda contexts: contexts"), "must predict"),
        (entry("1 / 0"), "it raised ZeroDivisionError"),
    ],
)
def test_judge_refuses_an_entry_that_breaks_a_rule(source, words):
    with pytest.raises(EntryError, match=words):
        run_entry(source, TASK, 0, 0.5)


@pytest.mark.slow
def test_held_out_plays_follow_from_the_entry():
    first, again, other = (judge.make_task(s) for s in (b"a", b"a", b"b"))
    assert first.titles == again.titles != other.titles
    assert len(first.train) == 38 - judge.PLAYS
    assert np.array_equal(first.contexts, again.contexts)
    assert first.contexts.shape == (judge.PLAYS * judge.CONTEXTS, 64)
    text = first.train[0]
    row = first.contexts[0]
    windows = np.lib.stride_tricks.sliding_window_view(text, 64)
    assert not (windows == row).all(1).any()


def test_pages_table_has_the_recorded_lines():
    page = Path("book/speedrun.md").read_text("utf-8")
    for line in json.loads(judge.RESULTS.read_text("utf-8")):
        mean = sum(line["difference"]) / len(line["difference"])
        row = next(r for r in page.splitlines() if f"`{line['entry']}`" in r)
        assert f"{mean:+.3f}".replace("-", "−") in row
        assert f"{sum(line['bits']) / len(line['bits']):.3f}" in row
    record = judge.RESULTS.with_name("language_model_twentieth.json")
    runs = json.loads(record.read_text("utf-8"))["seeds"]
    for run in runs:
        assert run["small"]["cpu_seconds"] < 0.051 * run["plain"]["cpu_seconds"]
        assert run["small"]["held_out_loss"] < run["plain"]["held_out_loss"] - 0.04
    for name in ("plain", "small"):
        losses = {f"{run[name]['held_out_loss']:.2f}" for run in runs}
        assert " to ".join(sorted({min(losses), max(losses)})) in page
