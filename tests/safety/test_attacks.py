import pytest
import torch

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.retrieval import ChatModel, continuation_log_likelihoods
from genai_tutorial.safety import (
    datamark,
    greedy_coordinate_gradient,
    prefilled_answers,
    windowed_surprise,
)
from genai_tutorial.safety.attacks import _Rows
from genai_tutorial.tokenization import ChatTemplate, train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

TEMPLATE = ChatTemplate()
TOKENIZER = train_bpe(
    ["Where does Anna Abberley live? I cannot help with that. The answer is here."],
    290,
    special_tokens=[TEMPLATE.start, TEMPLATE.end],
)
REQUESTS = ["Where does Anna live?", "Where does Anna Abberley live?"]


@pytest.fixture(scope="module")
def chat():
    config = DecoderConfig(
        vocab_size=TOKENIZER.vocab_size, context_length=128, width=16, layers=1
    )
    model = DecoderLM(config, seed=0)
    with torch.no_grad():  # far from uniform, and attention that matters
        for number, weight in enumerate(model.parameters()):
            generator = torch.Generator().manual_seed(number)
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return ChatModel(model.eval(), TOKENIZER, TEMPLATE)


def test_prefilled_answers_continue_the_given_words(chat):
    answers = prefilled_answers(chat, REQUESTS, " The answer")
    given = TOKENIZER.encode(" The answer")
    for request, answer in zip(REQUESTS, answers, strict=True):
        alone = generate_rollouts(
            chat.model,
            [[*chat.encode(request), *given]],
            24,
            end_token=TOKENIZER.special_tokens[TEMPLATE.end],
            temperature=0,
        )
        expected = TOKENIZER.decode([*given, *alone.answers()[0]]).strip()
        assert answer == expected
        assert answer.startswith("The answer")
    with pytest.raises(ValueError, match="at least one token"):
        prefilled_answers(chat, REQUESTS, "")


def test_greedy_coordinate_gradient_lowers_the_loss_of_the_text(chat):
    """The loss is that of the requests with the suffix as text, not only as tokens."""
    target = " The answer"
    found = greedy_coordinate_gradient(
        chat, REQUESTS, target, steps=4, candidates=12, seed=0
    )
    assert list(found.losses) == sorted(found.losses, reverse=True)
    assert found.losses[-1] < found.losses[0] - 0.1
    assert found.texts[-1] == found.text
    log_probs = continuation_log_likelihoods(
        chat.model,
        [chat.encode(request + found.text) for request in REQUESTS],
        [TOKENIZER.encode(target)] * 2,
    )
    assert -log_probs.mean().item() == pytest.approx(found.losses[-1], abs=1e-3)


def test_greedy_coordinate_gradient_uses_the_derivative_of_the_loss(chat):
    """Moving one embedding a little changes the loss as the gradient says."""
    rows = _Rows.of(chat, REQUESTS[:1], " The")
    suffix = torch.tensor(TOKENIZER.encode(" help")[:1])
    gradient = rows.gradient(chat, suffix)
    weight = chat.model.token_embedding.weight
    token, step = int(suffix[0]), 1e-3
    other = int(TOKENIZER.encode(" that")[0])
    expected = (gradient[0, other] - gradient[0, token]) * step

    def loss_with(vector: torch.Tensor) -> float:
        ids, marks = rows.ids(suffix[None])
        with torch.no_grad():
            x = chat.model.token_embedding(ids)
            x[0, len(rows.before[0])] = vector
            positions = chat.model.position_embedding
            x = x if positions is None else positions(x, None)
            logits = chat.model.logits(chat.model.read_vectors(x))[:, :-1]
            log_probs = logits.log_softmax(dim=-1)
            chosen = log_probs.gather(2, ids[:, 1:, None])[..., 0]
            return float(-(chosen * marks[:, 1:]).sum())

    with torch.no_grad():
        here = weight[token]
        moved = here + step * (weight[other] - here)
    change = loss_with(moved) - loss_with(here)
    assert change == pytest.approx(float(expected), rel=0.1, abs=2e-4)


@pytest.mark.parametrize(("requests", "target"), [([], " The"), (REQUESTS, "")])
def test_greedy_coordinate_gradient_needs_requests_and_a_target(chat, requests, target):
    with pytest.raises(ValueError, match="at least one request and a target"):
        greedy_coordinate_gradient(chat, requests, target)


def test_windowed_surprise_is_the_worst_window(chat):
    text = "Where does Anna live?"
    ids = TOKENIZER.encode(text)
    with torch.no_grad():
        log_probs = chat.model(torch.tensor([ids]))[0].log_softmax(dim=-1)
    nats = [-float(log_probs[k, token]) for k, token in enumerate(ids[1:])]
    expected = max(sum(nats[k : k + 2]) / 2 for k in range(len(nats) - 1))
    scores = windowed_surprise(
        chat.model, TOKENIZER, [text, "Anna Abberley does live there?"], window=2
    )
    assert float(scores[0]) == pytest.approx(expected, abs=1e-4)
    whole = windowed_surprise(chat.model, TOKENIZER, [text], window=99)
    assert float(whole[0]) == pytest.approx(sum(nats) / len(nats), abs=1e-4)


def test_windowed_surprise_rejects_short_texts(chat):
    with pytest.raises(ValueError, match="two tokens"):
        windowed_surprise(chat.model, TOKENIZER, ["W"])


def test_datamark_joins_words():
    assert datamark("a  b\nc", "_") == "a_b_c"
