from types import SimpleNamespace

import pytest
import torch

from benchmarks import model_collapse
from genai_tutorial.tasks.assistant import END_OF_TEXT
from tests.drawn import seeded


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Three tokens, and a hundred passages of a hundred tokens."""
    for name, value in {"VOCABULARY": 3, "TOKENS": 10_000, "PASSAGES": 100}.items():
        monkeypatch.setattr(model_collapse, name, value)


def test_bigram_is_smoothed_towards_the_frequencies():
    model = model_collapse.bigram(torch.tensor([0, 1, 0, 1, 1]))
    frequencies = torch.tensor([2.1, 3.1, 0.1]) / 5.3
    pairs = torch.tensor([[0.0, 2, 0], [1, 1, 0], [0, 0, 0]])
    expected = (pairs + 30 * frequencies) / torch.tensor([[32.0], [32], [30]])
    torch.testing.assert_close(model, expected)


def test_written_passages_follow_the_model():
    model = torch.tensor([[0.0, 0.75, 0.25], [0.5, 0.5, 0], [1, 0, 0]])
    text = model_collapse.write(model, torch.tensor([0, 2]), seed=0)
    passages = text.view(100, 100)
    assert set(passages[:, 0].tolist()) == {0, 2}
    pairs = torch.zeros(3, 3)
    pairs.index_put_(
        (passages[:, :-1].flatten(), passages[:, 1:].flatten()),
        torch.ones(()),
        accumulate=True,
    )
    torch.testing.assert_close(
        pairs / pairs.sum(1, keepdim=True), model, atol=0.03, rtol=0
    )
    assert not pairs[model == 0].any()


def test_variety_is_lost_without_real_text_only(monkeypatch):
    """A thousand tokens with a long tail, the first of them between texts."""
    monkeypatch.setattr(model_collapse, "VOCABULARY", 1000)
    monkeypatch.setattr(model_collapse, "GENERATIONS", 4)
    shares = 1 / torch.arange(1.0, 1000)
    draws = torch.multinomial(shares, 60_000, replacement=True, generator=seeded(0))
    texts = (draws + 1).view(6, -1).tolist()
    corpus = SimpleNamespace(sources={"wikipedia": texts[1:]}, held_out=texts[:1])
    tokenizer = SimpleNamespace(
        special_tokens={END_OF_TEXT: 0}, encode=list, decode=lambda tokens: "one two"
    )
    monkeypatch.setattr(model_collapse, "load", lambda name: (None, tokenizer))
    monkeypatch.setattr(model_collapse, "load_corpus", lambda: corpus)
    measured = model_collapse.generations(seed=0, small=False)
    first, last = (
        {arm: measured[arm][number] for arm in model_collapse.ARMS}
        for number in (0, -1)
    )
    assert all(first[arm] == first["fresh"] for arm in model_collapse.ARMS)
    assert first["fresh"]["words"] == 2
    assert last["replace"]["tokens"] < 0.8 * first["replace"]["tokens"]
    assert last["accumulate"]["tokens"] > 1.1 * last["replace"]["tokens"]
    assert last["fresh"]["tokens"] > 0.9 * first["fresh"]["tokens"]
    assert last["replace"]["loss"] > last["fresh"]["loss"] + 0.2
    assert last["more real"]["pairs"] > 1.1 * first["more real"]["pairs"]
