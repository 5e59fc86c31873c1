import pytest

from genai_tutorial.retrieval import (
    ChatModel,
    grounded_prompt,
    map_reduce,
    reciprocal_rank_fusion,
    refine,
)
from genai_tutorial.retrieval.fusion import refining_prompt


def test_reciprocal_rank_fusion_keeps_first_found_among_equals():
    assert list(reciprocal_rank_fusion([["b"], ["a"]])) == ["b", "a"]
    assert reciprocal_rank_fusion([]) == {}


def test_reciprocal_rank_fusion_rejects_duplicates():
    with pytest.raises(ValueError, match="same passage twice"):
        reciprocal_rank_fusion([[1, 1]])


PASSAGES = ["Lima is in Peru.", "Nairobi is in Kenya.", "It rains."]
QUESTION = "Where is Lima?"


class Parrot(ChatModel):
    """A chat model that numbers its answers and remembers what it was asked."""

    def __init__(self):
        object.__setattr__(self, "asked", [])

    def encode(self, request):
        return list(map(len, request.split()))  # a number for each word

    def answers(self, requests, max_new_tokens=24, batch_size=16):
        self.asked.append(list(requests))
        count = sum(map(len, self.asked))
        return [f"answer {count - len(requests) + n}" for n in range(len(requests))]


def words(requests):
    return sum(len(one.split()) for one in requests)


def test_map_reduce_asks_each_passage_alone_and_then_the_answers():
    chat = Parrot()
    answer = map_reduce(chat, QUESTION, PASSAGES)
    alone = [grounded_prompt(QUESTION, [passage]) for passage in PASSAGES]
    last = grounded_prompt(QUESTION, ["answer 0", "answer 1", "answer 2"])
    assert chat.asked == [alone, [last]]
    assert answer.text == "answer 3"
    assert answer.partial == ("answer 0", "answer 1", "answer 2")
    assert answer.tokens_read == words([*alone, last])


def test_refine_carries_one_answer_from_passage_to_passage():
    chat = Parrot()
    answer = refine(chat, QUESTION, PASSAGES)
    asked = [
        grounded_prompt(QUESTION, PASSAGES[:1]),
        refining_prompt(QUESTION, PASSAGES[1], "answer 0"),
        refining_prompt(QUESTION, PASSAGES[2], "answer 1"),
    ]
    assert chat.asked == [[one] for one in asked]
    assert answer.text == "answer 2"
    assert answer.partial == ("answer 0", "answer 1", "answer 2")
    assert answer.tokens_read == words(asked)


@pytest.mark.parametrize("combine", [map_reduce, refine])
def test_nothing_to_read_is_refused(combine):
    with pytest.raises(ValueError, match="at least one passage"):
        combine(Parrot(), QUESTION, [])
