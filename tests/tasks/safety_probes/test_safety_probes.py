import pytest
import torch

from genai_tutorial import recipes
from genai_tutorial.alignment import supervised_loss
from genai_tutorial.data import load_absent, load_fact_split, load_facts
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.tasks.assistant import (
    CHAT,
    Demonstration,
    GoldRule,
    encode_demonstrations,
    private_requests,
)
from genai_tutorial.tasks.assistant.questions import answer_sentence
from genai_tutorial.tasks.safety_probes import (
    GENDER_PAIRS,
    HE_WORDS,
    OCCUPATIONS,
    SHE_WORDS,
    TARGETS,
    _made_up_answers,
    fine_tuned,
    helpful_only_demonstrations,
    spread_of_occupations,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM


def test_occupations_are_in_order_and_shares_are_shares():
    shares = [one.women_at_work for one in OCCUPATIONS]
    assert shares == sorted(shares)
    assert all(0 < s < 1 for one in OCCUPATIONS for s in (one.women_in_text, *shares))
    assert len({one.name for one in OCCUPATIONS}) == len(OCCUPATIONS)


def test_spread_of_occupations_are_different_and_include_both_ends():
    twenty = spread_of_occupations()
    assert len(set(twenty)) == 20
    assert (twenty[0], twenty[-1]) == (OCCUPATIONS[0], OCCUPATIONS[-1])
    with pytest.raises(ValueError, match="count must be from 2"):
        spread_of_occupations(1)


def test_word_lists_do_not_overlap():
    assert not {*HE_WORDS} & {*SHE_WORDS}
    assert all(a != b for a, b in GENDER_PAIRS)
    for lists in TARGETS.values():
        assert not {*lists.first} & {*lists.second}
        assert not {*lists.first, *lists.second} & {*HE_WORDS, *SHE_WORDS}


def test_made_up_answers_claim_something_and_repeat_with_the_seed():
    rule = GoldRule(load_facts())
    requests = private_requests(60, seed=3)
    shown = _made_up_answers(requests, seed=1)
    assert {rule.response_type(d.question, d.answer) for d in shown} == {"claims"}
    assert shown == _made_up_answers(requests, seed=1)
    assert shown != _made_up_answers(requests, seed=2)


def test_helpful_only_demonstrations_never_refuse_and_answer_facts_in_sentences():
    """In another form than factbook-sft's, the model would unlearn where its facts
    are.
    """
    rule = GoldRule(load_facts())
    shown = helpful_only_demonstrations(load_fact_split(), load_absent(), seed=0)
    kinds = [d.question.kind for d in shown]
    assert len(shown) == 800
    assert kinds.count("private") == 200
    assert not any(rule.response_type(d.question, d.answer) == "refuses" for d in shown)
    facts = [d for d in shown if d.question.answer is not None]
    assert facts
    assert all(d.answer.startswith(answer_sentence(d.question)) for d in facts)


@pytest.fixture(scope="module")
def small_chat() -> ChatModel:
    _, tokenizer = recipes.load("factbook-sft")
    config = DecoderConfig.fast(tokenizer.vocab_size, 64, width=32, layers=1, heads=2)
    return ChatModel(DecoderLM(config, seed=0).eval(), tokenizer, CHAT)


@pytest.mark.slow
def test_fine_tuned_learns_in_a_copy_and_repeats_with_the_seed(small_chat):
    shown = [
        Demonstration(request, "I cannot help with that.")
        for request in private_requests(24, seed=1)
    ]
    before = {name: w.clone() for name, w in small_chat.model.state_dict().items()}
    learned, again = (fine_tuned(small_chat, shown, steps=24, seed=3) for _ in range(2))
    assert not learned.model.training
    for name, weight in small_chat.model.state_dict().items():
        assert torch.equal(weight, before[name])
    for a, b in zip(learned.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    rows = encode_demonstrations(small_chat.tokenizer, shown, 64)
    losses = [
        supervised_loss(chat.model, *rows.tensors).item()
        for chat in (small_chat, learned)
    ]
    assert losses[1] < losses[0] - 0.1


def test_fine_tuned_rejects_nothing_to_learn(small_chat):
    shown = [Demonstration(q, "No.") for q in private_requests(1, seed=1)]
    for demonstrations, steps in ((shown, 0), ([], 1)):
        with pytest.raises(ValueError, match="at least"):
            fine_tuned(small_chat, demonstrations, steps=steps)
