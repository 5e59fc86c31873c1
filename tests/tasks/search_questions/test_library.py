import pytest
import torch

from genai_tutorial.data import Fact
from genai_tutorial.retrieval import (
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
)
from genai_tutorial.tasks.assistant import GoldRule
from genai_tutorial.tasks.search_questions import (
    abstention_exam,
    cached_vectors,
    fact_library,
    poison,
)
from genai_tutorial.tokenization import WordPieceTokenizer

FACTS = [
    Fact("Kenya", "capital", "Nairobi"),
    Fact("Kenya", "city", "Nairobi"),
    Fact("Kenya", "domain", ".ke"),
    Fact("Peru", "capital", "Lima"),
    Fact("Peru", "domain", ".pe"),
    Fact("Mali", "capital", "Bamako"),
    Fact("Mali", "currency", "West African CFA franc"),
    Fact("Niger", "currency", "West African CFA franc"),
]


def test_library_has_a_sentence_and_a_source_for_each_fact():
    library = fact_library(FACTS)
    assert library[3].text == "The capital of Peru is Lima."
    assert library[3].source == "The World Factbook, Peru"
    assert len({passage.text for passage in library}) == len(FACTS)


@pytest.mark.slow
def test_exam_has_known_invented_and_untold_questions():
    exam = abstention_exam(FACTS, 6, seed=0)
    kinds = [[question.kind for question in part] for part in vars(exam).values()]
    assert kinds == [["known"] * 6, ["invented"] * 6, ["absent"] * 6]
    countries = {fact.country for fact in FACTS}
    assert all(question.country not in countries for question in exam.invented)
    assert all(question.country in countries for question in exam.untold)


def test_poison_states_the_answer_of_another_country():
    rule = GoldRule(FACTS)
    for case in poison(FACTS, 4, seed=2):
        assert case.false_question.answer != case.question.answer
        assert len({passage.source for passage in (*case.true, case.false)}) == 5
        for passage in case.true:
            assert rule.is_right(case.question, passage.text)
        assert rule.is_right(case.false_question, case.false.text)
        assert not rule.is_right(case.question, case.false.text)


def test_cached_vectors_are_encoded_once_per_library(monkeypatch, tmp_path):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    torch.manual_seed(0)
    config = SentenceEncoderConfig(
        vocab_size=5, width=4, layers=1, heads=1, feed_forward_width=4
    )
    tokenizer = WordPieceTokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"))
    encoder = SentenceVectors(SentenceEncoder(config), tokenizer)
    first = cached_vectors(encoder, ["a", "a a"])
    torch.testing.assert_close(first, encoder.encode(["a", "a a"]))
    with torch.no_grad():  # what is read from the cache does not notice
        encoder.encoder.blocks[0].feed_forward.widen.weight.mul_(5)
    assert torch.equal(cached_vectors(encoder, ["a", "a a"]), first)
    assert not torch.equal(cached_vectors(encoder, ["a", "a a a"]), first)


@pytest.mark.parametrize("draw", [abstention_exam, poison])
@pytest.mark.parametrize("count", [0, 9])
def test_tasks_reject_impossible_numbers(draw, count):
    with pytest.raises(ValueError, match=f"from 1 to 8, got {count}"):
        draw(FACTS, count)
