"""The measurement of what compaction loses, with a model that copies or forgets."""

import pytest

from benchmarks import context_compaction
from benchmarks.context_compaction import measure_compaction


@pytest.mark.slow
@pytest.mark.parametrize("remembers", [True, False])
def test_summaries_keep_what_the_model_writes(monkeypatch, remembers):
    def answers(prompts, tokens):
        copied = [prompt.split("\n\n", 1)[1].splitlines()[:3] for prompt in prompts]
        return ["\n".join(lines) if remembers else "Done." for lines in copied]

    monkeypatch.setattr(context_compaction, "answers", answers)
    monkeypatch.setattr(context_compaction, "tokens_of", lambda text: len(text) // 4)
    measured = measure_compaction(0, small=True)
    lost = measured["lost"]
    assert measured["steps"] == 6
    assert all((step == 7) == remembers for step in lost["summaries by SmolLM2"])
    assert all(2 <= step <= 6 for step in lost["truncation"])
    assert lost["first result kept"] == [7, 7]
    assert lost["every line noted and searched"] == [7, 7]
    assert all(measured["note has the fact"]) == remembers
