"""nanoGPT's recipe for a CPU, from its description: four layers of width 128, AdamW.

Its 2,000 steps take longer than a minute, so that its schedule follows the clock.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CONTEXT, WIDTH, LAYERS, HEADS, BATCH = 64, 128, 4, 4, 12


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.mix = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        three = self.query_key_value(self.norm_1(x)).chunk(3, dim=-1)
        query, key, value = (
            part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in three
        )
        seen = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True
        )
        x = x + self.mix(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.widen(self.norm_2(x))))


class GPT(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                last = name.endswith(("mix.weight", "narrow.weight"))
                shrink = math.sqrt(2 * LAYERS) if last else 1
                nn.init.normal_(parameter, 0.0, 0.02 / shrink)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


def train(plays, vocab_size, left, seed):
    torch.manual_seed(seed)
    text = torch.from_numpy(np.concatenate(plays))
    model = GPT(vocab_size)
    groups = [
        {
            "params": [p for p in model.parameters() if p.dim() == 2],
            "weight_decay": 0.1,
        },
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    step = 0
    while (rest := left()) > 0.16:  # the rest is for predictions
        done = (1 - rest) / 0.84
        rate = 1e-4 + 9e-4 * (1 + math.cos(math.pi * done)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100)
        starts = torch.randint(len(text) - CONTEXT - 1, (BATCH, 1))
        windows = text[starts + torch.arange(CONTEXT + 1)]
        logits = model(windows[:, :-1])
        optimizer.zero_grad()
        functional.cross_entropy(
            logits.flatten(0, 1), windows[:, 1:].flatten()
        ).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1

    @torch.no_grad()
    def predict(contexts):
        rows = torch.from_numpy(contexts)[:, -CONTEXT:].split(256)
        return torch.cat([model(part)[:, -1].log_softmax(-1) for part in rows]).numpy()

    return predict
