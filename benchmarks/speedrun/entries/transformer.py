"""The book's fast Transformer of chapter 4, for a minute: rotary positions, tables for
pairs and triples of characters, Muon.
"""

import numpy as np
import torch

from genai_tutorial.training import (
    OptimizerSettings,
    TokenBatches,
    build_optimizer,
    train_step,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

CONTEXT, BATCH = 64, 16
RATES = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
)


def loss_fn(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


def train(plays, vocab_size, left, seed):
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
    text = torch.from_numpy(np.concatenate(plays))
    batches = TokenBatches(text, CONTEXT, BATCH, seed)
    while (rest := left()) > 0.1:  # the rest is for predictions
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (rest - 0.1) / 0.9
        train_step(model, next(batches), loss_fn, optimizer)

    @torch.no_grad()
    def predict(contexts):
        rows = torch.from_numpy(contexts)[:, -CONTEXT:].split(256)
        return torch.cat([model(part)[:, -1].log_softmax(-1) for part in rows]).numpy()

    return predict
