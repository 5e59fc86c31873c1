import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.corpus import (
    Gap,
    docstring_gap,
    draw_gap,
    infilling_prompt,
    line_gaps,
    rearrange,
    restore,
)

PROGRAM = '''def f(xs):
    """Return the "even" numbers."""
    kept = [x for x in xs if x % 2 == 0]

    return kept
'''

plain = st.text(alphabet='ab <|>"\n', max_size=12)


@given(plain, plain, plain, st.sampled_from(["PSM", "SPM"]))
def test_restore_inverts_rearrange_in_both_orders(prefix, middle, suffix, order):
    gap = Gap(prefix, middle, suffix)
    assert restore(rearrange(gap, order)) == gap.document == prefix + middle + suffix


def test_rearranged_document_begins_with_prompt_and_ends_with_middle():
    gap = Gap("one ", "two ", "three")
    for order in ("PSM", "SPM"):
        prompt = infilling_prompt(gap.prefix, gap.suffix, order)
        assert rearrange(gap, order) == prompt + "two "
    assert infilling_prompt("one ", "three", "SPM").endswith("one ")


def test_markers_in_text_are_refused():
    for gap in (Gap("<|suffix|>", "", ""), Gap("", "<|middle|>", "")):
        with pytest.raises(ValueError, match="contains the marker"):
            rearrange(gap)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "<|prefix|>a<|suffix|>b",
        "a<|prefix|>b<|suffix|>c<|middle|>d",
        "<|prefix|>a<|middle|>b<|suffix|>c",
        "<|prefix|>" * 2 + "<|suffix|><|middle|>",
    ],
)
def test_restore_refuses_what_is_not_rearranged(text):
    with pytest.raises(ValueError, match="once each"):
        restore(text)


def test_line_gaps_begin_with_their_newline_and_skip_empty_lines():
    gaps = line_gaps(PROGRAM, first=2)
    assert [gap.middle for gap in gaps] == [
        "\n    kept = [x for x in xs if x % 2 == 0]",
        "\n    return kept",
    ]
    assert all(gap.document == PROGRAM for gap in gaps)
    assert gaps[1].prefix.endswith("== 0]\n")


def test_docstring_gap_leaves_quotes():
    gap = docstring_gap(PROGRAM)
    assert gap.middle == 'Return the "even" numbers.'
    assert gap.prefix.endswith('"""')
    assert gap.suffix.startswith('"""')
    with pytest.raises(ValueError, match="no docstring"):
        docstring_gap("def f(x):\n    return x")


def test_draw_gap_returns_the_span_asked_for():
    draws = random.Random(0)
    for _ in range(30):
        line = draw_gap(PROGRAM, "line", draws, first_line=2)
        assert line in line_gaps(PROGRAM, first=2)
        lines = draw_gap(PROGRAM, "lines", draws)
        assert lines.middle.strip().count("\n") >= 1
        assert draw_gap(PROGRAM, "characters", draws).document == PROGRAM
    assert draw_gap(PROGRAM, "docstring", draws) == docstring_gap(PROGRAM)
    with pytest.raises(ValueError, match="no line from number 9"):
        draw_gap(PROGRAM, "line", draws, first_line=9)
