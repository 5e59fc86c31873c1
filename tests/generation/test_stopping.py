import pytest
import torch

from genai_tutorial.generation import StopAtText, generate, generate_rollouts, stream
from genai_tutorial.tokenization import CharacterTokenizer, train_bpe
from tests.alignment.models import END, FAST, model_of
from tests.generation.test_generate import Counter, WithWeights

LETTERS = CharacterTokenizer("abcdefghij")


def test_stop_at_text_finds_texts_that_end_inside_a_token():
    tokenizer = train_bpe("def def def\ndef \ndef \ndefine", 270)
    stop = StopAtText(tokenizer, ["\ndef "])
    ids = tokenizer.encode("x = 1\ndef f")
    ends = [stop(ids[:length]) for length in range(len(ids) + 1)]
    first = ends.index(True)
    assert "\ndef " in tokenizer.decode(ids[:first])
    assert "\ndef " not in tokenizer.decode(ids[: first - 1])


def test_stop_at_text_sees_characters_of_several_tokens():
    tokenizer = train_bpe("ab", 256)
    stop = StopAtText(tokenizer, ["→x"])
    ids = tokenizer.encode("a→x")
    assert [stop(ids[:length]) for length in range(6)] == [False] * 5 + [True]


def test_stop_at_text_cuts_at_the_first_of_its_texts():
    stop = StopAtText(LETTERS, ["de", "gh"])
    assert stop.cut("abcghde") == "abc"
    assert stop.cut("abc") == "abc"


def test_stop_at_text_refuses_empty_texts():
    for texts, message in [
        ([], "at least one text"),
        (["a", ""], "none may be empty"),
        ("ab", "must be a list of texts"),
    ]:
        with pytest.raises(ValueError, match=message):
            StopAtText(LETTERS, texts)


def test_generate_stops_each_row_at_a_text():
    ids = generate(
        Counter(), torch.tensor([[0], [5]]), 8, stop=StopAtText(LETTERS, ["cd", "hi"])
    )
    assert [LETTERS.decode(row) for row in ids.tolist()] == ["abcd", "fghi"]


def test_generate_repeats_the_last_token_of_a_stopped_row():
    stop = StopAtText(LETTERS, ["cd"])
    ids = generate(Counter(), torch.tensor([[0], [8]]), 6, stop=stop)
    assert [LETTERS.decode(row) for row in ids.tolist()] == ["abcddd", "ijabcd"]


def test_generate_ignores_the_text_in_the_prompt():
    ids = generate(
        Counter(), torch.tensor([[2, 3]]), 3, stop=StopAtText(LETTERS, ["cd"])
    )
    assert LETTERS.decode(ids[0].tolist()) == "cdefg"


def test_stream_stops_at_a_text():
    tokens = stream(WithWeights(), [0], 8, stop=StopAtText(LETTERS, ["de"]))
    assert LETTERS.decode(list(tokens)) == "bcd"


def test_rollouts_stop_at_a_text_and_say_so():
    model, prompts = model_of(FAST), [[2, 3, 4], [5], [6, 7]] * 4
    alphabet = CharacterTokenizer("abcdefghijklm")
    free = generate_rollouts(model, prompts, 9, end_token=END, temperature=0)
    assert free.stopped is None
    texts = [alphabet.decode(answer) for answer in free.answers()]
    stop = StopAtText(alphabet, [texts[0][1:3]])
    rollouts = generate_rollouts(
        model, prompts, 9, end_token=END, temperature=0, stop=stop
    )
    assert rollouts.stopped[0]
    assert not (rollouts.stopped & rollouts.finished).any()
    for row, (text, answer) in enumerate(zip(texts, rollouts.answers(), strict=True)):
        assert stop.cut(alphabet.decode(answer)) == stop.cut(text)
        assert rollouts.stopped[row] == (stop.texts[0] in text)
