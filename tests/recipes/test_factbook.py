"""The pre-training corpus has the promised contents, and a resumed run of the base
model ends with the same weights.
"""

import re
from dataclasses import replace

import pytest
import torch

from genai_tutorial.corpus import PackedBatches, seen_share
from genai_tutorial.data import HELD_OUT_TITLES
from genai_tutorial.recipes import (
    FACTBOOK_BASE,
    load_corpus,
    packed_language_model_loss,
)
from genai_tutorial.recipes.factbook import train_tokenizer
from genai_tutorial.recipes.sampling import TextOptions
from genai_tutorial.tasks.assistant import CHAT_SPECIAL_TOKENS, END_OF_TEXT
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.training import fit
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    next_token_loss,
)

TINY = replace(
    FACTBOOK_BASE,
    config=DecoderConfig.llama(
        300, 32, 16, 1, 1, None, 32, rotary_base=10_000, tied_embeddings=True
    ),
    copies=1,
    batch_size=4,
    steps=6,
    warmup_steps=2,
    decay_steps=2,
)


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(copies=4)


@pytest.mark.slow
def test_corpus_tells_every_told_fact_in_four_copies(corpus):
    told = "\n".join(corpus.sources["facts"]).lower()
    for fact in corpus.split.all_told:
        assert told.count(fact.phrase.lower()) >= 4, fact


def test_corpus_has_no_text_about_a_withheld_country(corpus):
    withheld = "|".join(
        sorted({re.escape(fact.country) for fact in corpus.split.withheld})
    )
    for name in ("facts", "histories"):
        assert not re.search(rf"\b({withheld})\b", "\n".join(corpus.sources[name]))
    named = re.findall(rf"\b({withheld})\b", "\n".join(corpus.sources["wikipedia"]))
    assert len(named) < 20  # Wikipedia mentions them in passing


@pytest.mark.slow
def test_corpus_shares_nothing_with_held_out_articles(corpus):
    assert len(corpus.held_out) == len(HELD_OUT_TITLES)
    for text in corpus.held_out:
        assert seen_share(text, corpus.texts) == 0


@pytest.mark.slow
def test_tokenizer_has_the_special_tokens_and_decodes_what_it_encodes(corpus):
    tokenizer = train_tokenizer(corpus, 600)
    assert set(CHAT_SPECIAL_TOKENS) == set(tokenizer.special_tokens)
    text = corpus.sources["facts"][0]
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_packed_language_model_loss_isolates_documents():
    initialization = InitializationConfig(std=0.5)
    config = replace(TINY.config, initialization=initialization)
    end, model = 5, DecoderLM(config, seed=0)
    inputs = torch.tensor([[9, 8, end, 7, 6, 3, end, 4]])
    targets = torch.tensor([[8, end, 7, 6, 3, end, 4, 2]])
    together = packed_language_model_loss(end)(model, inputs, targets)
    cuts = [slice(0, 3), slice(3, 7), slice(7, 8)]
    apart = (
        sum(
            next_token_loss(model(inputs[:, cut]), targets[:, cut])
            * (cut.stop - cut.start)
            for cut in cuts
        )
        / 8
    )
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-6)
    assert abs(together - next_token_loss(model(inputs), targets)) > 1e-2


@pytest.mark.slow
def test_base_model_resumes_to_the_weights_of_an_uninterrupted_run(resumes):
    resumes(TINY, PackedBatches, "__next__")


def test_base_model_stops_writing_at_the_end_of_the_text():
    tokenizer = train_bpe(
        ["Nairobi is large."], 300, special_tokens=CHAT_SPECIAL_TOKENS
    )
    model = DecoderLM(replace(TINY.config, vocab_size=tokenizer.vocab_size), seed=0)
    line = torch.tensor(
        [
            [
                *tokenizer.encode("Nairobi is large."),
                tokenizer.special_tokens[END_OF_TEXT],
            ]
        ]
    )
    batch = (line[:, :-1], line[:, 1:])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(
        model,
        [batch] * 60,
        lambda model, x, y: next_token_loss(model(x), y),
        optimizer,
        steps=60,
        progress=False,
    )
    options = TextOptions(prompt="Nairobi is", temperature=0, tokens=30)
    assert TINY.write((model.eval(), tokenizer), options, seed=0) == "Nairobi is large."
    with pytest.raises(ValueError, match="The prompt is empty"):
        replace(TINY.options, prompt="")
