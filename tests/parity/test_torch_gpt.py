"""The GPT in one file against PyTorch in double precision: its loss, every gradient,
and its optimizer.
"""

import math
import random

import pytest
import torch
from torch.nn import functional as F

from genai_tutorial.scratch import gpt


def tensor(rows: list[gpt.Vector]) -> torch.Tensor:
    numbers = [row.data for row in rows]
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


def matrices(model: gpt.GPT) -> dict[str, list[gpt.Vector]]:
    named = {"tokens": model.tokens, "positions": model.positions, "head": model.head}
    for number, block in enumerate(model.blocks):
        named |= {f"{number}{name}": rows for name, rows in block.items()}
    return named


def norm(x):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def torch_loss(t: dict[str, torch.Tensor], blocks: int, ids: list[int]) -> torch.Tensor:
    x = t["tokens"][ids[:-1]] + t["positions"][: len(ids) - 1]
    for i in range(blocks):
        y = norm(x)
        q, k, v = (y @ t[f"{i}{name}"].T for name in ("query", "key", "value"))
        seen = F.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True
        )[0]
        x = x + seen @ t[f"{i}out"].T
        x = x + (norm(x) @ t[f"{i}up"].T).relu() @ t[f"{i}down"].T
    return F.cross_entropy(norm(x) @ t["head"].T, torch.tensor(ids[1:]))


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_loss_and_gradients_equal_torch(blocks, seed):
    random.seed(seed)
    model = gpt.GPT(9, context=12, width=8, blocks=blocks)
    for row in model.head:  # far from equal probabilities
        row.data = [50 * number for number in row.data]
    word = [0, *random.choices(range(1, 9), k=random.randint(3, 10)), 0]
    ours = gpt.loss_of(model, word)
    ours.backward()
    tensors = {name: tensor(rows) for name, rows in matrices(model).items()}
    theirs = torch_loss(tensors, blocks, word)
    theirs.backward()
    assert ours.data[0] == pytest.approx(theirs.item(), abs=1e-12)
    for name, rows in matrices(model).items():
        found = torch.tensor([row.grad for row in rows], dtype=torch.float64)
        torch.testing.assert_close(found, tensors[name].grad, rtol=0, atol=1e-9)


def test_learning_equals_adam_with_a_falling_rate():
    random.seed(0)
    model = gpt.GPT(5, width=4)
    words = [[0, *random.choices(range(1, 5), k=4), 0] for _ in range(6)]
    tensors = {name: tensor(rows) for name, rows in matrices(model).items()}
    state = random.getstate()
    losses = gpt.learn(model, words, steps=20, rate=0.02, batch=3)

    random.setstate(state)
    adam = torch.optim.Adam(tensors.values(), betas=(0.9, 0.99))
    for step in range(1, 21):
        adam.param_groups[0]["lr"] = 0.02 * (1 - step / 20)
        # the file adds it before the correction of the averages, torch after it
        adam.param_groups[0]["eps"] = 1e-8 / math.sqrt(1 - 0.99**step)
        batch = random.choices(words, k=3)
        loss = sum(torch_loss(tensors, 1, word) for word in batch) / 3
        assert losses[step - 1] == pytest.approx(loss.item(), abs=1e-9)
        adam.zero_grad()
        loss.backward()
        adam.step()
    for name, rows in matrices(model).items():
        found = torch.tensor([row.data for row in rows], dtype=torch.float64)
        torch.testing.assert_close(found, tensors[name].detach(), rtol=0, atol=1e-9)
