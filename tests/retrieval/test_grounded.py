import pytest
import torch

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.retrieval import (
    ChatModel,
    GroundedAnswer,
    answer_or_abstain,
    continuation_log_likelihoods,
    grounded_prompt,
    late_interaction,
    leave_one_out_attribution,
    query_likelihood,
    rerank,
    vote_of_sources,
)
from genai_tutorial.tokenization import ChatTemplate, train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

TEMPLATE = ChatTemplate()
TOKENIZER = train_bpe(
    ["Answer the question from these passages. Question: Lima is in Peru."],
    280,
    special_tokens=[TEMPLATE.start, TEMPLATE.end],
)
PASSAGES = ["Lima is in Peru.", "Nairobi is in Kenya.", "It rains."]


@pytest.fixture(scope="module")
def chat():
    config = DecoderConfig(
        vocab_size=TOKENIZER.vocab_size, context_length=256, width=16, layers=1
    )
    model = DecoderLM(config, seed=0)
    with torch.no_grad():  # far from uniform
        model.token_embedding.weight.mul_(20)
    return ChatModel(model.eval(), TOKENIZER, TEMPLATE)


def test_log_likelihoods_equal_single_passes(chat):
    prompts = [TOKENIZER.encode(text) for text in ("Lima is", "It", "Nairobi is in")]
    answers = [TOKENIZER.encode(text) for text in (" in Peru.", " rains", " Kenya")]
    together = continuation_log_likelihoods(chat.model, prompts, answers)
    for prompt, answer, score in zip(prompts, answers, together, strict=True):
        logits = chat.model(torch.tensor([prompt + answer]))[0].log_softmax(dim=-1)
        steps = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
        torch.testing.assert_close(score, logits[steps, torch.tensor(answer)].sum())


@pytest.mark.parametrize(
    ("prompts", "answers", "message"),
    [
        ([], [], "got 0 and 0"),
        ([[1]], [[1], [2]], "got 1 and 2"),
        ([[1]], [[]], "at least one token"),
    ],
)
def test_log_likelihoods_reject_wrong_arguments(chat, prompts, answers, message):
    with pytest.raises(ValueError, match=message):
        continuation_log_likelihoods(chat.model, prompts, answers)


def test_chat_model_answers_in_order_of_requests(chat):
    requests = ["Where is Lima?", "It?", "Where is Nairobi in Kenya?"]
    together = chat.answers(requests, max_new_tokens=5, batch_size=2)
    for request, answer in zip(requests, together, strict=True):
        assert chat.answers([request], max_new_tokens=5) == [answer]
        end = TOKENIZER.special_tokens[TEMPLATE.end]
        alone = generate_rollouts(
            chat.model, [chat.encode(request)], 5, end_token=end, temperature=0
        )
        assert TOKENIZER.decode(alone.answers()[0]).strip() == answer


def test_grounded_prompt_numbers_passages():
    prompt = grounded_prompt("Where?", PASSAGES)
    assert prompt.splitlines()[1:] == [
        "[1] Lima is in Peru.",
        "[2] Nairobi is in Kenya.",
        "[3] It rains.",
        "Question: Where?",
    ]
    assert grounded_prompt("Where?", []) == "Where?"


def test_abstention_needs_neither_model_nor_passages(chat):
    declined = GroundedAnswer("I do not know.", (), True)
    assert answer_or_abstain(chat, "Where?", PASSAGES, 0.3, threshold=0.4) == declined
    assert answer_or_abstain(chat, "Where?", [], 0.9, threshold=0.4) == declined


def test_answer_cites_the_passage_that_carries_it(chat):
    answered = answer_or_abstain(chat, "Where?", PASSAGES, 0.4, threshold=0.4)
    assert not answered.abstained
    lost = leave_one_out_attribution(chat, "Where?", PASSAGES, answered.text)
    place = int(lost.argmax())
    assert answered.citations == ((place + 1,) if lost[place] > 0 else ())


def test_attribution_is_the_loss_of_probability(chat):
    question, answer = "Where is Lima?", "in Peru."
    lost = leave_one_out_attribution(chat, question, PASSAGES, answer)

    def log_likelihood(passages):
        prompt = chat.encode(grounded_prompt(question, passages))
        tokens = TOKENIZER.encode(answer)
        return continuation_log_likelihoods(chat.model, [prompt], [tokens])[0]

    whole = log_likelihood(PASSAGES)
    expected = [
        whole - log_likelihood(PASSAGES[:place] + PASSAGES[place + 1 :])
        for place in range(3)
    ]
    torch.testing.assert_close(lost, torch.stack(expected), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="at least one token"):
        leave_one_out_attribution(chat, question, PASSAGES, "")


def test_query_likelihood_is_mean_over_question(chat):
    scores = query_likelihood(chat.model, TOKENIZER, "Where is Lima?", PASSAGES)
    prompt = TOKENIZER.encode(f"{PASSAGES[1]}\nQuestion:")
    asked = TOKENIZER.encode(" Where is Lima?")
    alone = continuation_log_likelihoods(chat.model, [prompt], [asked])[0] / len(asked)
    torch.testing.assert_close(scores[1], alone)


def test_late_interaction_ignores_lengths_of_vectors_and_order_of_tokens():
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(4, 6, generator=generator)
    passages = [torch.randn(n, 6, generator=generator) for n in (3, 7)]
    scores = late_interaction(query, passages)
    shuffled = late_interaction(3 * query.flip(0), [2 * p.flip(0) for p in passages])
    torch.testing.assert_close(scores, shuffled)
    torch.testing.assert_close(late_interaction(query, [query]), torch.ones(1))
    assert late_interaction(query, []).shape == (0,)


def test_rerank_needs_one_score_each():
    assert rerank([4, 9], torch.tensor([0.1, 0.2])) == [9, 4]
    with pytest.raises(ValueError, match="got 2 passages and 1 scores"):
        rerank([4, 9], [0.1])


def test_a_source_has_one_vote():
    answers = ["false", "false", "false", "true", "true"]
    assert vote_of_sources(answers, ["x", "x", "x", "a", "b"]) == "true"
    assert vote_of_sources(answers, list("xyzab")) == "false"
    assert vote_of_sources([None, "true"], ["x", "a"]) == "true"
    assert vote_of_sources([None], ["x"]) is None
    assert vote_of_sources(["false", "true"], ["x", "a"]) is None
    with pytest.raises(ValueError, match="2 answers and 1 sources"):
        vote_of_sources(["a", "b"], ["x"])
