"""A sparse autoencoder on the states of SmolLM2, against probes.

    features    state 15 on Wikipedia: the reconstruction, against principal components
                and orthogonal matching pursuit in states drawn from the training set,
                and named concepts against probes, single dimensions, principal
                components and random directions
    untrained   the same if the blocks have random weights

A seed decides the articles for training and test, the initial weights and the labels
that are drawn.

    OMP_NUM_THREADS=1 python benchmarks/sparse_autoencoders.py --folder runs

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import cross_entropy

from genai_tutorial.data import load_facts, load_wikipedia
from genai_tutorial.interpretability import (
    random_directions,
    train_sparse_autoencoder,
)
from genai_tutorial.metrics import auroc
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.transformer import AttentionContext, DecoderLM

STATE, TOKENS = 15, 128  # after how many blocks, and tokens per row
TRAINING_ROWS, TEST_ROWS, TEST_ARTICLES = 500, 60, 20
SINK = 1_000  # states longer than this are attention sinks; others measure about 160
LATENTS, ACTIVE, STEPS = 1152, 24, 1500
TOP = 12  # activations of a latent that are looked at
FEW, DRAWS = 10, 5  # labels of each kind, and how often they are drawn


def components(x: Tensor) -> Tensor:
    """Return the principal directions, the largest variance first."""
    return torch.linalg.svd(x - x.mean(dim=0), full_matrices=False)[2]


@cache
def smollm2():
    model, tokenizer = load_smollm2()
    return model.requires_grad_(False), tokenizer


def untrained_blocks(seed: int) -> DecoderLM:
    """Return SmolLM2 with its embeddings and random blocks."""
    model, _ = smollm2()
    copy = DecoderLM(model.config, seed=seed).requires_grad_(False)
    copy.token_embedding.load_state_dict(model.token_embedding.state_dict())
    return copy


@cache
def articles() -> tuple[Tensor, ...]:
    """Return the articles as rows of tokens."""
    _, tokenizer = smollm2()
    found = []
    for text in load_wikipedia().texts:
        ids = tokenizer.encode(text[:12_000])
        rows = [ids[i : i + TOKENS] for i in range(0, len(ids) - TOKENS + 1, TOKENS)]
        if rows:
            found.append(torch.tensor(rows))
    return tuple(found)


def drawn_rows(seed: int, small: bool) -> tuple[Tensor, Tensor]:
    """Draw rows for test and for training, from different articles."""
    draws = torch.Generator().manual_seed(seed)
    every = articles()
    order = torch.randperm(len(every), generator=draws).tolist()
    parts = []
    for chosen, count in (
        (order[:TEST_ARTICLES], TEST_ROWS),
        (order[TEST_ARTICLES:], TRAINING_ROWS),
    ):
        rows = torch.cat([every[i] for i in chosen])
        keep = torch.randperm(len(rows), generator=draws)
        parts.append(rows[keep[: count // 4 if small else count]])
    return parts[0], parts[1]


@torch.no_grad()
def states(model: DecoderLM, rows: Tensor) -> Tensor:
    """Return the states after the first blocks, with those at the first position."""
    found = []
    for batch in rows.split(8):
        x = model.embed(batch, AttentionContext())
        for block in model.blocks[:STATE]:
            x = block(x)
        found.append(x)
    return torch.cat(found)


def pursued(x: Tensor, directions: Tensor) -> Tensor:
    """Rebuild states from the directions that orthogonal matching pursuit chooses."""
    units = (directions / directions.norm(dim=1, keepdim=True)).double().numpy()
    codes = sparse_encode(
        x.double().numpy(), units, algorithm="omp", n_nonzero_coefs=ACTIVE
    )
    return torch.from_numpy(codes @ units).float()


class Words:
    """The tokens of some rows, and labels for them; the first of a row is left out."""

    def __init__(self, rows: Tensor) -> None:
        _, tokenizer = smollm2()
        texts = {i: tokenizer.decode([i]) for i in rows.unique().tolist()}
        self.rows = [[texts[i] for i in row] for row in rows.tolist()]

    def label(self, holds: Callable[[str], bool], ahead: int = 0) -> np.ndarray:
        """Label each token by itself, or by one that comes later."""
        return np.array(
            [
                place + ahead < len(row) and holds(row[place + ahead])
                for row in self.rows
                for place in range(1, len(row))
            ]
        )

    def in_parentheses(self) -> np.ndarray:
        labels = []
        for row in self.rows:
            inside, line = False, []
            for text in row:
                inside = inside or "(" in text
                line.append(inside and "(" not in text and ")" not in text)
                inside = inside and ")" not in text
            labels += line[1:]
        return np.array(labels)


@cache
def countries() -> frozenset[str]:
    facts = load_facts()
    names = {fact.country for fact in facts}
    names |= {fact.answer for fact in facts if fact.relation == "nationality"}
    return frozenset(f" {name}" for name in names)


def is_capitalized(text: str) -> bool:
    return text[:1] == " " and text[1:2].isupper()


def concepts(words: Words) -> dict[str, np.ndarray]:
    forms = {" is", " was", " are", " were", " be", " been"}
    return {
        "digit": words.label(lambda text: text.strip().isdigit()),
        "capitalized word": words.label(is_capitalized),
        "comma": words.label(lambda text: text.strip() == ","),
        "in parentheses": words.in_parentheses(),
        "country or nationality": words.label(lambda text: text in countries()),
        "a form of be": words.label(lambda text: text in forms),
        "next token: full stop": words.label(lambda text: text.strip() == ".", 1),
        "next token: capitalized": words.label(is_capitalized, 1),
    }


def aurocs(scores: Tensor, labels: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each column, by its ranks."""
    ranks = rankdata(scores.numpy(), axis=0)
    positive = labels.sum()
    above = ranks[labels].sum(axis=0) - positive * (positive + 1) / 2
    return above / (positive * (len(labels) - positive))


def best_column(
    train: Tensor, labels: np.ndarray, test: Tensor, truth: np.ndarray, signed: bool
) -> float:
    """Choose a column, and its sign, on the training set; score it on the test set."""
    found = aurocs(train, labels)
    column = int((np.abs(found - 0.5) if signed else found).argmax())
    score = auroc(test[:, column], torch.from_numpy(truth))
    return 1 - score if signed and found[column] < 0.5 else score


def by_logits(train: Tensor, labels: np.ndarray, test: Tensor) -> Tensor:
    probe = LogisticRegression(C=0.01, max_iter=300).fit(train.numpy(), labels)
    return torch.from_numpy(probe.decision_function(test.numpy()))


class Data:
    """Standardized states, the rows that they come from, and an autoencoder."""

    def __init__(self, model: DecoderLM, seed: int, small: bool) -> None:
        self.model = model
        self.test_rows, self.rows = drawn_rows(seed, small)
        train, test = (states(model, rows) for rows in (self.rows, self.test_rows))
        self.states = test
        self.kept = [part[:, 1:].norm(dim=2) < SINK for part in (train, test)]
        x, y = (
            part[:, 1:][kept]
            for part, kept in zip((train, test), self.kept, strict=True)
        )
        self.mean = x.mean(dim=0)
        self.scale = (x - self.mean).norm(dim=1).mean() / x.shape[1] ** 0.5
        self.norms = {
            "first position": round(float(train[:, 0].norm(dim=1).mean())),
            "others": round(float(x.norm(dim=1).mean()), 1),
        }
        self.train, self.test = ((part - self.mean) / self.scale for part in (x, y))
        steps = 20 if small else STEPS
        self.sae = train_sparse_autoencoder(
            self.train, LATENTS, ACTIVE, steps, seed, learning_rate=1e-3
        )
        self.codes = self.sae.encode(self.train), self.sae.encode(self.test)

    def unexplained(self, rebuilt: Tensor) -> float:
        rest = (rebuilt - self.test).square().sum() / self.test.square().sum()
        return round(float(rest), 4)

    @torch.no_grad()
    def loss(self, rebuilt: Tensor) -> float:
        """Return the loss of the next token with states of the test rows replaced."""
        x, total = self.states.clone(), 0.0
        x[:, 1:][self.kept[1]] = rebuilt * self.scale + self.mean
        for part, rows in zip(x.split(4), self.test_rows.split(4), strict=True):
            for block in self.model.blocks[STATE:]:
                part = block(part)
            logits = self.model.logits(part[:, :-1]).flatten(0, 1)
            total += cross_entropy(logits, rows[:, 1:].flatten(), reduction="sum")
        return float(total) / self.test_rows[:, 1:].numel()


def concept_scores(data: Data, seed: int) -> dict[str, dict]:
    """Return the area under the ROC curve of each method for each concept."""
    draws = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    axes = components(data.train[:6_000])
    guesses = random_directions(LATENTS, data.train.shape[1], generator)
    train, test = data.train, data.test
    columns = {
        "best latent": (*data.codes, False),
        "best dimension": (train, test, True),
        "best principal component": (train @ axes.T, test @ axes.T, True),
        "best random direction": (train @ guesses.T, test @ guesses.T, True),
    }
    labels, truths = (
        {name: y[kept.flatten().numpy()] for name, y in concepts(Words(rows)).items()}
        for rows, kept in zip((data.rows, data.test_rows), data.kept, strict=True)
    )
    table = {}
    for name, y in labels.items():
        truth = truths[name]
        yes, no = np.flatnonzero(y), np.flatnonzero(~y)
        some = np.r_[draws.permutation(yes)[:600], draws.permutation(no)[:1_800]]
        scores = {
            method: best_column(x[some], y[some], z, truth, signed)
            for method, (x, z, signed) in columns.items()
        }
        right = torch.from_numpy(truth)
        scores["probe"] = auroc(by_logits(train[some], y[some], test), right)
        scores["probe on latents"] = auroc(
            by_logits(data.codes[0][some], y[some], data.codes[1]), right
        )
        few: dict[str, list[float]] = {}
        for _ in range(DRAWS):
            some = np.r_[draws.choice(yes, FEW), draws.choice(no, FEW)]
            means = train[some[:FEW]].mean(dim=0) - train[some[FEW:]].mean(dim=0)
            codes = data.codes[0][some]
            latent = (codes[:FEW].mean(dim=0) - codes[FEW:].mean(dim=0)).argmax()
            for method, one in (
                ("best latent", data.codes[1][:, latent]),
                ("probe", by_logits(train[some], y[some], test)),
                ("difference of means", test @ means),
            ):
                few.setdefault(method, []).append(auroc(one, right))
        scores |= {
            f"{method}, 20 labels": float(np.mean(v)) for method, v in few.items()
        }
        table[name] = {
            "positives": [int(y.sum()), int(truth.sum())],
            **{method: round(score, 4) for method, score in scores.items()},
        }
    return table


def single_tokens(data: Data) -> dict:
    """Return how many latents have one token in nearly all of their largest
    activations, and the tokens of nine latents, from the most mixed to the purest.
    """
    words = [text.strip().lower() for row in Words(data.rows).rows for text in row[1:]]
    texts = [text for text, k in zip(words, data.kept[0].flatten(), strict=True) if k]
    values, places = data.codes[0].topk(TOP, dim=0)
    used = (values[-1] > 0).nonzero().flatten().tolist()
    counts = [Counter(texts[i] for i in places[:, latent].tolist()) for latent in used]
    counts.sort(key=lambda count: count.most_common(1)[0][1])
    most = [count.most_common(1)[0][1] for count in counts]
    shown = (
        [counts[round(k * (len(counts) - 1) / 8)] for k in range(9)] if counts else []
    )
    return {
        "latents": len(used),
        "at least 10 of 12": sum(n >= 10 for n in most),
        "at most 3 of 12": sum(n <= 3 for n in most),
        "examples": [[word for word, _ in count.most_common(5)] for count in shown],
    }


def features(seed: int, small: bool) -> dict:
    data = Data(smollm2()[0], seed, small)
    axes, test = components(data.train[:6_000]), data.test
    rebuilt = {"SAE": data.sae(test)}
    for count in (ACTIVE, 128):
        rebuilt[f"PCA, {count}"] = test @ axes[:count].T @ axes[:count]
    draws = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(data.train), generator=draws)[:LATENTS]
    for name, directions in {
        "training states, OMP": data.train[drawn],
        "random directions, OMP": random_directions(LATENTS, test.shape[1], draws),
        "SAE's directions, OMP": data.sae.directions.detach(),
    }.items():
        rebuilt[name] = pursued(test, directions)
    intact, gone = data.loss(test), data.loss(torch.zeros_like(test))
    return {
        "norms": data.norms,
        "tokens": [len(data.train), len(test)],
        "sinks": [int((~kept).sum()) for kept in data.kept],
        "unexplained": {name: data.unexplained(x) for name, x in rebuilt.items()},
        "loss": {"intact": round(intact, 4), "mean": round(gone, 4)},
        "recovered": {
            name: round((gone - data.loss(x)) / (gone - intact), 4)
            for name, x in rebuilt.items()
        },
        "concepts": concept_scores(data, seed),
        "single tokens": single_tokens(data),
    }


def untrained(seed: int, small: bool) -> dict:
    data = Data(untrained_blocks(seed), seed, small)
    return {
        "unexplained": {"SAE": data.unexplained(data.sae(data.test))},
        "concepts": concept_scores(data, seed),
        "single tokens": single_tokens(data),
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "features": features,
    "untrained": untrained,
}


def main() -> None:
    whole = run_parts("sparse_autoencoders", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("sparse_autoencoders", whole)


if __name__ == "__main__":
    main()
