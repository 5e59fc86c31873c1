"""What counts as knowing a fact: the answer at once, whole, and nothing that makes a
longer name of it.
"""

import pytest
import torch

from genai_tutorial.data import Fact
from genai_tutorial.tasks.assistant import chat_answers, complete_facts, likeliest_texts
from genai_tutorial.tokenization import ChatTemplate, Message, train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

KENYA, PERU = Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "currency", "sol")
SPECIAL = ("<end>", "<|im_start|>", "<|im_end|>")
TOKENIZER = train_bpe(
    ["The capital of Kenya is Nairobi. The currency of Peru is the sol."],
    300,
    special_tokens=SPECIAL,
)
END = TOKENIZER.special_tokens["<end>"]
CONFIG = DecoderConfig.fast(
    TOKENIZER.vocab_size, context_length=96, width=32, layers=1, heads=2
)


def parrot(texts):
    """A model that has learned by heart what follows what."""
    model = DecoderLM(CONFIG, seed=0)
    rows = [torch.tensor([text]) for text in texts]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        losses = [
            torch.nn.functional.cross_entropy(
                model(row[:, :-1]).flatten(0, 1), row[:, 1:].flatten()
            )
            for row in rows
        ]
        sum(losses).backward()
        optimizer.step()
    return model.eval()


def told(sentence):
    return [*TOKENIZER.encode(sentence), END]


@pytest.mark.parametrize(
    ("sentence", "known"),
    [
        ("The capital of Kenya is Nairobi.", True),
        ("The capital of Kenya is Nairobi. It is large.", True),
        ("The capital of Kenya is Nairobi West.", False),
        ("The capital of Kenya is a city, Nairobi.", False),
        ("The capital of Kenya is Lima.", False),
    ],
)
def test_a_fact_is_known_where_the_answer_comes_at_once_and_whole(sentence, known):
    assert complete_facts(parrot([told(sentence)]), TOKENIZER, [KENYA], END) == [known]


def test_complete_facts_ends_the_sentence_at_a_special_token():
    """A fine-tuned model closes its turn where the sentence ends."""
    sentence = TOKENIZER.encode("The capital of Kenya is Nairobi.")
    turn = [*sentence, TOKENIZER.special_tokens["<|im_end|>"], *sentence[:3], END]
    assert complete_facts(parrot([turn]), TOKENIZER, [KENYA], END) == [True]


@pytest.mark.slow
def test_each_fact_is_judged_by_itself_in_its_place():
    model = parrot(
        [
            told("The capital of Kenya is Lima."),
            told("The currency of Peru is the sol."),
        ]
    )
    known = complete_facts(model, TOKENIZER, [KENYA, PERU, KENYA], END)
    assert known == [False, True, False]


@pytest.mark.slow
def test_texts_come_in_the_order_of_their_prompts_however_many(monkeypatch):
    monkeypatch.setattr("genai_tutorial.tasks.assistant.measures.BATCH_SIZE", 2)
    texts = [
        "The capital of Kenya is Nairobi.",
        "Peru is Lima.",
        "The currency of Peru is the sol.",
    ]
    model = parrot([told(text) for text in texts])
    prompts = [TOKENIZER.encode(text)[:-3] for text in texts]
    written = likeliest_texts(model, TOKENIZER, prompts, 20, END)
    assert [
        TOKENIZER.decode(prompt) + text
        for prompt, text in zip(prompts, written, strict=True)
    ] == texts


def test_a_chat_model_is_asked_in_its_template_and_answers_until_its_turn_ends():
    template = ChatTemplate()
    asked = template.encode(TOKENIZER, [Message("user", "Capital?")])
    end = TOKENIZER.special_tokens["<|im_end|>"]
    model = parrot([[*asked, *TOKENIZER.encode("Nairobi."), end]])
    assert chat_answers(model, TOKENIZER, template, ["Capital?"]) == ["Nairobi."]
    assert chat_answers(model, TOKENIZER, template, ["Capital?"], max_new_tokens=1) == [
        TOKENIZER.decode(TOKENIZER.encode("Nairobi.")[:1])
    ]
