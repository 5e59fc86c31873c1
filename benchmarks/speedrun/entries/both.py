"""A network and counting together: the probabilities of both are mixed, with weights
that depend on how often the counts have seen the last five characters.

The weights are fitted by EM on one play that neither has read.
"""

import numpy as np
import torch

from genai_tutorial.density import NGramModel
from genai_tutorial.training import (
    OptimizerSettings,
    TokenBatches,
    build_optimizer,
    train_step,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

CONTEXT, BATCH, ORDER, KEPT = 64, 16, 6, 4096
RATES = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
)


def loss_fn(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


def count(model, contexts, vocab_size):
    """Return probabilities by counting, and how often each history was seen."""
    probabilities = np.full((len(contexts), vocab_size), 1 / vocab_size)
    for length, table in enumerate(model.tables, start=1):
        number = np.zeros(len(contexts), dtype=np.int64)
        for column in range(contexts.shape[1] - length + 1, contexts.shape[1]):
            number = number * vocab_size + contexts[:, column]
        ngrams = number[:, None] * vocab_size + np.arange(vocab_size)
        probabilities = table.mix(ngrams, probabilities)
    place = np.minimum(np.searchsorted(table.histories, number), len(table.totals) - 1)
    seen = np.where(table.histories[place] == number, table.totals[place], 0)
    return probabilities, np.log2(1 + seen).astype(int)


def fit_weights(by_network, by_counts, groups):
    """Return the network's share for each group, by EM."""
    shares = np.full(groups.max() + 2, 0.5)
    for _ in range(30):
        share = shares[groups]
        mixed = share * by_network + (1 - share) * by_counts
        total = np.bincount(groups, share * by_network / mixed, len(shares))
        shares = (total + 1) / (np.bincount(groups, minlength=len(shares)) + 2)
    return shares


def train(plays, vocab_size, left, seed):
    kept, text = plays[0], np.concatenate(plays[1:])
    counts = NGramModel.fit(text, ORDER, vocab_size)
    config = DecoderConfig.fast(
        vocab_size=vocab_size,
        context_length=CONTEXT,
        width=96,
        layers=2,
        heads=4,
        convolution_size=1,
        pair_features=64,
        triple_features=32,
    )
    model = DecoderLM(config, seed)
    optimizer = build_optimizer(model, RATES)
    rates = [group["lr"] for group in optimizer.param_groups]
    batches = TokenBatches(torch.from_numpy(text), CONTEXT, BATCH, seed)
    reserve = 0.2  # of the time, for the weights and the predictions
    while (rest := left()) > reserve:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (rest - reserve) / (1 - reserve)
        train_step(model, next(batches), loss_fn, optimizer)

    @torch.no_grad()
    def by_network(contexts):
        rows = torch.from_numpy(contexts)[:, -CONTEXT:].split(256)
        return torch.cat([model(part)[:, -1].softmax(-1) for part in rows]).numpy()

    starts = np.random.default_rng(seed).integers(len(kept) - CONTEXT, size=KEPT)
    contexts, target = (
        kept[starts[:, None] + np.arange(CONTEXT)],
        kept[starts + CONTEXT],
    )
    counted, groups = count(counts, contexts, vocab_size)
    row = np.arange(KEPT)
    shares = fit_weights(
        by_network(contexts)[row, target], counted[row, target], groups
    )

    def predict(contexts):
        counted, groups = count(counts, contexts, vocab_size)
        share = shares[np.minimum(groups, len(shares) - 1)][:, None]
        return np.log(share * by_network(contexts) + (1 - share) * counted)

    return predict
