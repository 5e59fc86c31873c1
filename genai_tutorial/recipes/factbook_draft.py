"""The recipe for the base model's draft, distilled from it for speculative decoding.

First what it is trained on and measured by: packed rows, the teacher's most probable
tokens, and the agreement of two models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.corpus import cut_rows, join_documents
from genai_tutorial.efficiency import (
    TopProbabilities,
    sequence_level_examples,
    top_probabilities,
    top_target_loss,
)
from genai_tutorial.generation import acceptance_rate
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .factbook import FACTBOOK_BASE, CorpusRecipe, load_corpus, packed_logits
from .recipe import RunSettings, Trained, draw_items, load_recipe
from .sampling import LoadedDecoder


def packed_rows(
    texts: Iterable[str], tokenizer: BPETokenizer, length: int
) -> Int[Tensor, "row position"]:
    """Return texts of the corpus in packed rows of `length` inputs and one more."""
    end = tokenizer.special_tokens[END_OF_TEXT]
    tokens = join_documents(map(tokenizer.encode, texts), end)
    return cut_rows(torch.from_numpy(tokens), length)[0]


def prompts_of(
    rows: Int[Tensor, "row position"], length: int, end_of_document: int
) -> Int[Tensor, "prompt beginning"]:
    """Return the beginnings of rows, except of those where a document ends in it."""
    prompts = rows[:, :length]
    return prompts[~(prompts == end_of_document).any(dim=1)]


@torch.no_grad()
def teacher_targets(
    teacher: DecoderLM,
    inputs: Int[Tensor, "row position"],
    end_of_document: int,
    kept: int,
    batch_size: int = 32,
) -> TopProbabilities:
    """Return a teacher's most probable next tokens at every position of packed rows, in
    16 bits.

    One pass of the teacher over the corpus is all that distillation needs of it.
    """
    tops = [
        top_probabilities(packed_logits(teacher, rows, end_of_document), kept)
        for rows in inputs.split(batch_size)
    ]
    return TopProbabilities(
        torch.cat([top.ids.to(torch.int16).cpu() for top in tops]),
        torch.cat([top.probabilities.half().cpu() for top in tops]),
    )


def distillation_loss(end_of_document: int):
    """Return the loss function of a student on packed rows with a teacher's targets,
    for `fit`.
    """

    def loss(
        model: nn.Module,
        inputs: Int[Tensor, "batch position"],
        ids: Int[Tensor, "batch position kept"],
        probabilities: Float[Tensor, "batch position kept"],
    ) -> Float[Tensor, ""]:
        logits = packed_logits(model, inputs, end_of_document)
        return top_target_loss(logits, ids.long(), probabilities.to(logits.dtype))

    return loss


@torch.no_grad()
def agreement(
    draft: DecoderLM, target: DecoderLM, texts: Iterable[Sequence[int]], start: int = 0
) -> list[tuple[Tensor, Tensor]]:
    """Return for each text, at every position, the probability that a drafted token is
    accepted at temperature 1, and whether both models find the same token most
    probable.

    Args:
        start: The number of predictions at the beginning of a text that are left out.
    """
    measured = []
    for text in texts:
        ids = torch.tensor([list(text)[:-1]])
        q, p = (model(ids)[0, start:].softmax(dim=-1) for model in (draft, target))
        same = p.argmax(dim=-1) == q.argmax(dim=-1)
        measured.append((acceptance_rate(p, q), same.float()))
    return measured


N_CONTINUED, CONTINUED_FROM = 128, 32
"""The number of texts of each kind that the teacher continues to measure the draft, and
the number of tokens that it continues.
"""


@dataclass(frozen=True, kw_only=True)
class DraftRecipe(CorpusRecipe):
    """A draft that is distilled from the base model."""

    written: int
    prompt_length: int = 8
    kept: int = 32

    options = FACTBOOK_BASE.options
    metric = "acceptance.held_out_articles"
    in_words = "{acceptance[continued_corpus]:.0%} of its tokens accepted by {teacher}"

    def training_rows(
        self, teacher: DecoderLM, tokenizer: BPETokenizer
    ) -> Int[Tensor, "row position"]:
        """Return the corpus and the texts that the teacher writes, in packed rows."""
        end = tokenizer.special_tokens[END_OF_TEXT]
        length = self.config.context_length
        corpus = packed_rows(load_corpus(self.copies).texts, tokenizer, length)
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randint(len(corpus), (self.written,), generator=generator)
        prompts = prompts_of(corpus[chosen], self.prompt_length, end)
        texts = sequence_level_examples(
            teacher,
            prompts.to(teacher.token_embedding.weight.device),
            length - self.prompt_length,
            stop_tokens=[end],
            generator=generator,
        )
        rows = torch.from_numpy(join_documents(texts, end))
        return torch.cat((corpus, cut_rows(rows, length)[0]))

    def fit(self, run: RunSettings) -> Trained:
        teacher, tokenizer = load_recipe(FACTBOOK_BASE)
        teacher.to(run.device)
        end = tokenizer.special_tokens[END_OF_TEXT]
        inputs = self.training_rows(teacher, tokenizer)[:, :-1].to(run.device)
        targets = teacher_targets(teacher, inputs, end, self.kept)
        return run.fit(
            self,
            self.build(),
            run.batches(self, inputs.cpu(), targets.ids, targets.probabilities),
            distillation_loss(end),
            losses_every=20,
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def measure(self, model: DecoderLM) -> dict:
        teacher, tokenizer = load_recipe(FACTBOOK_BASE)
        acceptance, same_best = {}, {}
        for kind, texts in self.evaluation_texts(teacher, tokenizer).items():
            start = 0 if kind == "held_out_articles" else CONTINUED_FROM - 1
            accepted, same = zip(*agreement(model, teacher, texts, start), strict=True)
            acceptance[kind] = round(float(torch.cat(accepted).mean()), 4)
            same_best[kind] = round(float(torch.cat(same).mean()), 4)
        return {
            "acceptance": acceptance,
            "same_best_token": same_best,
            "teacher": FACTBOOK_BASE.name,
        }

    def evaluation_texts(
        self, teacher: DecoderLM, tokenizer: BPETokenizer
    ) -> dict[str, list[list[int]]]:
        """Return texts by kind: held-out articles, and how the teacher continues these
        articles and the texts that it was trained on.
        """
        end = tokenizer.special_tokens[END_OF_TEXT]
        corpus, length = load_corpus(self.copies), self.config.context_length
        held_out = packed_rows(corpus.held_out, tokenizer, length)
        seen = packed_rows(corpus.texts, tokenizer, length)
        generator = torch.Generator().manual_seed(self.seed + 1)
        texts = {"held_out_articles": held_out.tolist()}
        for kind, rows in (
            ("continued_articles", held_out),
            ("continued_corpus", seen),
        ):
            prompts = prompts_of(rows, CONTINUED_FROM, end)
            every = len(prompts) // N_CONTINUED
            texts[kind] = sequence_level_examples(
                teacher,
                prompts[::every][:N_CONTINUED],
                64,
                stop_tokens=[end],
                generator=generator,
            )
        return texts

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        teacher, tokenizer = load_recipe(FACTBOOK_BASE)
        articles = load_corpus(self.copies).held_out
        rows = packed_rows(articles, tokenizer, self.config.context_length)
        chosen = draw_items(rows.tolist(), n, seed)
        measured = agreement(loaded[0], teacher, chosen)
        return [float(accepted.mean()) for accepted, _ in measured]

    write = FACTBOOK_BASE.write


FACTBOOK_DRAFT = DraftRecipe(
    name="factbook-draft",
    title="A draft for the base model: one block, distilled from its predictions",
    config=DecoderConfig.llama(
        vocab_size=2048,
        context_length=128,
        width=112,
        layers=1,
        heads=4,
        key_value_heads=None,
        feed_forward_width=304,
        rotary_base=10_000,
        tied_embeddings=True,
    ),
    written=2048,
    steps=2000,
    batch_size=32,
    warmup_steps=50,
    decay_steps=800,
)
"""The draft that chapter 24 pairs with the base model."""
