"""Tools that fail at random: the share of successes follows the law."""

import pytest
import scipy.stats
import torch

from genai_tutorial.agents import Tool, ToolError, flaky, retrying
from genai_tutorial.agents.wrappers import with_fallback


class Counter:
    def __init__(self):
        self.calls = 0

    def tool(self) -> Tool:
        def count(n: int) -> int:
            """Count."""
            self.calls += 1
            if n < 0:
                raise ToolError("n is negative.")
            return n

        return Tool.from_function(count)


@pytest.mark.parametrize(("failure", "attempts"), [(0.3, 1), (0.3, 3), (0.5, 2)])
def test_retrying_succeeds_as_often_as_the_law_says(failure, attempts):
    generator = torch.Generator().manual_seed(0)
    tool = retrying(flaky(Counter().tool(), failure, generator), attempts)
    right = sum(not tool.call({"n": 1}).is_error for _ in range(1000))
    law = 1 - failure**attempts
    assert scipy.stats.binomtest(right, 1000, law).pvalue > 0.001


def test_retrying_does_not_repeat_errors_that_will_stay():
    counter = Counter()
    assert retrying(counter.tool(), 5).call({"n": -1}).is_error
    assert counter.calls == 1


def test_flaky_tool_fails_always_or_never():
    generator = torch.Generator()
    never, always = (flaky(Counter().tool(), p, generator) for p in (0, 1))
    assert not never.call({"n": 1}).is_error
    assert "not available" in always.call({"n": 1}).text
    with pytest.raises(ValueError, match="from 0 to 1"):
        flaky(Counter().tool(), 1.5, generator)
    with pytest.raises(ValueError, match="at least 1"):
        retrying(Counter().tool(), 0)


def test_with_fallback_calls_the_other_function():
    tool = with_fallback(Counter().tool(), lambda n: 10 * n)
    assert (tool.call({"n": 1}).text, tool.call({"n": -1}).text) == ("1", "-10")
