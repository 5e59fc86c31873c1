import dataclasses

import pytest
import torch
from torch import nn

from genai_tutorial.generation import (
    StopAtText,
    draw,
    generate,
    generate_rollouts,
    next_token_probabilities,
    stream,
)
from genai_tutorial.tokenization import CharacterTokenizer, train_bpe
from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    LocalConfig,
)
from tests.alignment.models import END, FAST, model_of
from tests.drawn import seeded


class Counter(nn.Module):
    """Predicts the last token plus one, modulo the vocabulary size, and records its
    inputs.
    """

    def __init__(self, vocab_size=10, context_length=4):
        super().__init__()
        self.config = DecoderConfig(vocab_size, context_length)
        self.seen = []

    def forward(self, ids):
        self.seen.append(ids)
        return (
            50.0
            * nn.functional.one_hot(
                (ids + 1) % self.config.vocab_size, self.config.vocab_size
            ).float()
        )


class WithWeights(Counter):
    """A `Counter` with a parameter, from which the device is read."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def test_generate_appends_the_predicted_tokens():
    assert generate(Counter(), torch.tensor([[3], [8]]), 4).tolist() == [
        [3, 4, 5, 6, 7],
        [8, 9, 0, 1, 2],
    ]


def test_generate_slides_the_context_window():
    model = Counter(context_length=4)
    generate(model, torch.tensor([[0, 1]]), 5)
    assert [ids.tolist()[0] for ids in model.seen] == [
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
    ]


def test_generate_reads_only_the_end_of_a_long_prompt():
    model = Counter(context_length=2)
    assert generate(model, torch.tensor([[5, 6, 7, 8]]), 1).tolist() == [
        [5, 6, 7, 8, 9]
    ]
    assert model.seen[0].tolist() == [[7, 8]]


def test_generate_repeats_the_stop_token_of_a_finished_row():
    ids = generate(Counter(), torch.tensor([[3], [5], [1]]), 20, stop_tokens=(4, 8))
    assert ids.tolist() == [[3, 4, 4, 4], [5, 6, 7, 8], [1, 2, 3, 4]]


def test_generate_ignores_stop_tokens_in_the_prompt():
    assert generate(Counter(), torch.tensor([[4]]), 2, stop_tokens=[4]).tolist() == [
        [4, 5, 6]
    ]


def test_generate_without_new_tokens_returns_the_prompt():
    prompt = torch.tensor([[1, 2]])
    assert torch.equal(generate(Counter(), prompt, 0), prompt)


def test_generate_depends_on_the_seed_alone():
    model = DecoderLM(DecoderConfig.gpt2(11, 8, 8, 1, 2))
    prompt = torch.tensor([[1]])
    first = generate(model, prompt, 30, generator=seeded(1))
    assert torch.equal(first, generate(model, prompt, 30, generator=seeded(1)))
    assert not torch.equal(first, generate(model, prompt, 30, generator=seeded(2)))


def test_generate_leaves_no_gradients():
    model = DecoderLM(DecoderConfig.gpt2(11, 8, 8, 1, 2))
    ids = generate(model, torch.tensor([[1]]), 3, generator=seeded())
    model(ids).sum().backward()
    assert not ids.requires_grad


def test_draw_follows_the_probabilities():
    # Pearson's chi-squared of n draws from the exact probabilities has a known
    # distribution: with 5 tokens left, 4 degrees of freedom, it is above 23.5 once in
    # ten thousand seeds. A filter too many or too few is far above.
    logits = torch.tensor([2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0])
    exact = next_token_probabilities(logits, temperature=1.3, top_k=6, top_p=0.93)
    assert int((exact > 0).sum()) == 5
    draws = 20_000
    counts = draw(exact.expand(draws, -1), seeded(0)).bincount(minlength=7)
    assert (counts[exact == 0] == 0).all()
    expected = draws * exact[exact > 0]
    assert ((counts[exact > 0] - expected).square() / expected).sum() < 23.5


SMALL = DecoderConfig.llama(
    11, 16, 16, layers=2, heads=4, key_value_heads=2, feed_forward_width=24
)
KINDS = pytest.mark.parametrize(
    "config",
    [
        SMALL,
        DecoderConfig.gpt2(11, 16, 8, 1, 2),
        dataclasses.replace(
            SMALL, local=LocalConfig(convolution_size=2, triple_features=3)
        ),
        dataclasses.replace(
            SMALL, attention=AttentionConfig(4, 2, positions="alibi", sliding_window=5)
        ),
    ],
    ids=["llama", "gpt2", "convolution", "window"],
)


def read_anew(model, prompt, new, temperature, seed):
    """The same loop without a cache."""
    ids, generator = prompt, seeded(seed)
    for _ in range(new):
        logits = model(ids[:, -model.config.context_length :])[:, -1]
        ids = torch.cat(
            (
                ids,
                draw(next_token_probabilities(logits, temperature), generator)[:, None],
            ),
            dim=1,
        )
    return ids


@KINDS
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("start", "new"), [(1, 12), (5, 25), (16, 3), (20, 2)])
def test_kv_cache_does_not_change_the_text(config, seed, start, new):
    model = DecoderLM(config, seed)
    prompt = torch.randint(11, (2, start), generator=seeded(seed))
    found = generate(model, prompt, new, temperature=1.5, generator=seeded(seed))
    assert torch.equal(found, read_anew(model, prompt, new, 1.5, seed))


@KINDS
def test_kv_cache_reads_each_token_once(config):
    model, read = DecoderLM(config), []
    model.blocks[0].register_forward_pre_hook(
        lambda _, inputs: read.append(inputs[0].shape[1])
    )
    generate(model, torch.zeros(1, 4, dtype=torch.long), 5)
    assert read == [4, 1, 1, 1, 1]


@KINDS
def test_stream_yields_the_text_of_generate(config):
    model, prompt = DecoderLM(config, seed=2), [1, 2, 3]
    whole = generate(model, torch.tensor([prompt]), 20, generator=seeded(3))[0].tolist()
    assert list(stream(model, prompt, 20, generator=seeded(3))) == whole[3:]
    first_three = stream(model, prompt, 20, generator=seeded(3))
    assert [next(first_three) for _ in range(3)] == whole[3:6]


def test_stream_ends_before_a_stop_token():
    assert list(stream(WithWeights(), [3], 20, stop_tokens=(7,))) == [4, 5, 6]
    assert list(stream(WithWeights(), [3], 0)) == []


@KINDS
def test_stream_reads_a_conversation_once(config):
    model, ids = DecoderLM(config, seed=1), [5]
    cache, read = model.make_cache(), []
    for turn in range(3):
        ids += [turn, 7]
        expected = list(stream(model, ids, 2, generator=seeded(turn)))
        hook = model.blocks[0].register_forward_pre_hook(
            lambda _, inputs: read.append(inputs[0].shape[1])
        )
        found = list(stream(model, ids, 2, generator=seeded(turn), cache=cache))
        hook.remove()
        assert found == expected
        ids += found
    # for each turn the answer's last token and the two new ones, then one
    assert read == [3, 1, 3, 1, 3, 1]


def test_stream_leaves_no_gradients():
    model = DecoderLM(SMALL)
    list(stream(model, [1, 2], 3, cache=model.make_cache()))
    model(torch.tensor([[1, 2]])).sum().backward()
    assert model.token_embedding.weight.grad is not None


@pytest.mark.parametrize(
    ("prompt", "new", "message"),
    [
        (
            torch.zeros(1, 0, dtype=torch.long),
            1,
            "at least one row of at least one token",
        ),
        (torch.zeros(0, 1, dtype=torch.long), 1, "at least one row"),
        (
            torch.zeros(1, 1, dtype=torch.long),
            -1,
            "max_new_tokens must be 0 or more, got -1",
        ),
    ],
)
def test_generate_refuses_bad_prompts(prompt, new, message):
    with pytest.raises(ValueError, match=message):
        generate(Counter(), prompt, new)


def test_stream_refuses_bad_arguments():
    with pytest.raises(ValueError, match="at least one row of at least one token"):
        next(stream(WithWeights(), [], 1))
    with pytest.raises(ValueError, match="max_new_tokens must be 0 or more, got -1"):
        next(stream(WithWeights(), [1], -1))


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
