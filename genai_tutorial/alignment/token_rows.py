"""Training single rows of a frozen embedding, for tokens that never occurred in
pre-training.
"""

from collections.abc import Sequence

import torch
from torch import nn


def train_token_rows(embedding: nn.Embedding, token_ids: Sequence[int]) -> int:
    """Make the embeddings of a few tokens trainable, and keep all others fixed.

    A chat template adds special tokens that no pre-training text contains. LoRA freezes
    the embedding, so their rows would stay random. Here the whole matrix gets a
    gradient, in which all other rows are set to zero. Weight decay would shrink them
    all the same, so set it to zero. The `peft` library calls this
    `trainable_token_indices`.

    Args:
        embedding: The embedding layer. If the output layer shares its weights, the
            tokens' output rows are trained as well.

    Returns:
        The number of weights that are trained.

    Raises:
        ValueError: If there are no tokens, one of them occurs twice, or one is not in
            the vocabulary.

    >>> embedding = nn.Embedding(4, 3).requires_grad_(False)
    >>> train_token_rows(embedding, [1])
    3
    >>> embedding(torch.tensor([0, 1])).sum().backward()
    >>> embedding.weight.grad.sum(dim=1)
    tensor([0., 3., 0., 0.])
    """
    size, width = embedding.weight.shape
    if not token_ids or len(set(token_ids)) < len(token_ids):
        raise ValueError(
            f"token_ids must be different tokens, at least one, got {list(token_ids)}."
        )
    if not all(0 <= token < size for token in token_ids):
        raise ValueError(
            f"The vocabulary has {size} tokens, got {sorted(token_ids)[-1]} among "
            "token_ids."
        )
    is_trained = torch.zeros(size, 1, device=embedding.weight.device)
    is_trained[list(token_ids)] = 1
    embedding.weight.requires_grad_()
    embedding.weight.register_hook(lambda gradient: gradient * is_trained)
    return len(token_ids) * width
