"""Rows of a frozen embedding: the chosen ones are trained, and no others move."""

import copy

import pytest
import torch
from torch import nn

from genai_tutorial.alignment import supervised_loss, train_token_rows
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderConfig, DecoderLM

CONFIG = DecoderConfig.llama(
    vocab_size=12,
    context_length=8,
    width=8,
    layers=1,
    heads=2,
    key_value_heads=None,
    feed_forward_width=16,
    tied_embeddings=True,
)


def test_train_token_rows_moves_the_chosen_rows_only():
    model = DecoderLM(CONFIG, 0).requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    assert train_token_rows(model.token_embedding, [3, 7]) == 16
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert len(trained) == 1
    optimizer = AdamW(trained, lr=0.1, weight_decay=0.0)
    ids = torch.tensor([[1, 3, 5, 7, 2]])
    supervised_loss(model, ids, torch.ones_like(ids, dtype=torch.bool)).backward()
    optimizer.step()
    for name, weight in model.state_dict().items():
        if weight.shape != (12, 8):
            assert torch.equal(weight, before[name])
            continue
        moved = (weight != before[name]).any(dim=1).nonzero().flatten().tolist()
        assert moved == [3, 7]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "at least one"),
        ([2, 2], "must be different"),
        ([4], "4 tokens, got 4"),
        ([-1], "4 tokens"),
    ],
)
def test_train_token_rows_refuses_wrong_tokens(tokens, message):
    with pytest.raises(ValueError, match=message):
        train_token_rows(nn.Embedding(4, 2), tokens)
