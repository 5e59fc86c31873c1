"""Directions in superposition that are known: which methods find them again?

    toy         a model learns to store five features in two dimensions
    dictionary  states made of more directions than dimensions
    absorption  four directions imply four others: what becomes of those that are
                implied?

A seed decides the directions, the states and the initial weights.

    OMP_NUM_THREADS=1 python benchmarks/superposition.py --folder runs

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import FastICA, MiniBatchDictionaryLearning
from torch import Tensor

from genai_tutorial.interpretability import (
    SparseAutoencoder,
    best_cosines,
    draw_superposed,
    random_directions,
    train_sparse_autoencoder,
    train_superposition,
)
from genai_tutorial.runtime import keep_record, run_parts

SETTINGS = ((32, 16, 0.05), (64, 16, 0.03), (96, 32, 0.03), (32, 16, 0.15))
SHARES = (0.9, 0.3, 0.1, 0.05)  # how often each of the five features is on
FOUND = 0.9  # the least cosine with which a direction counts as found


@torch.no_grad()
def toy(seed: int, small: bool) -> dict:
    found = {}
    for share in SHARES:
        with torch.enable_grad():
            model = train_superposition(5, 2, share, seed, 50 if small else 2000)
        draws = torch.Generator().manual_seed(1000 + seed)
        on = torch.rand(20_000, 5, generator=draws) < share
        x = on * torch.rand(20_000, 5, generator=draws)
        centred = x - x.mean(dim=0)
        axes = components(x)[:2]
        found[f"{share:.0%}"] = {
            "stored": int((model.weight.norm(dim=1) > 0.5).sum()),
            "loss": round(float((model(x) - x).square().sum(dim=1).mean()), 5),
            "PCA": round(
                float((centred @ axes.T @ axes - centred).square().sum(dim=1).mean()), 5
            ),
        }
    return {"shares": found}


def components(x: Tensor) -> Tensor:
    """Return the principal directions, the largest variance first."""
    return torch.linalg.svd(x - x.mean(dim=0), full_matrices=False)[2]


def dictionary(seed: int, small: bool) -> dict:
    warnings.filterwarnings("ignore")  # scikit-learn on what did not converge
    found = {}
    for features, dim, share in SETTINGS[:1] if small else SETTINGS:
        draws = torch.Generator().manual_seed(1000 + seed)
        directions = random_directions(features, dim, draws)
        x, _ = draw_superposed(2_000 if small else 20_000, directions, share, draws)
        active = max(1, round(features * share)) + 1
        steps = 50 if small else 2500
        few = x[:5_000].numpy()
        learner = MiniBatchDictionaryLearning(
            features,
            alpha=0.2,
            random_state=seed,
            max_iter=20,
            batch_size=256,
            positive_code=True,
            fit_algorithm="cd",
            transform_algorithm="lasso_cd",
        )
        means, twice = (
            MiniBatchKMeans(centres, random_state=seed, n_init=3).fit(x.numpy())
            for centres in (features, 2 * features)
        )
        candidates = {
            "SAE": train_sparse_autoencoder(x, features, active, steps, seed),
            "SAE, twice the latents": train_sparse_autoencoder(
                x, 2 * features, active, steps, seed
            ),
            "k-means": means.cluster_centers_,
            "k-means, twice the centres": twice.cluster_centers_,
            "dictionary learning": learner.fit(few).components_,
            "ICA": FastICA(dim, random_state=seed, max_iter=300).fit(few).mixing_.T,
            "PCA": components(x),
            "random": random_directions(2 * features, dim, draws),
        }
        found[f"{features} in {dim}, {share:.0%} on"] = {
            name: int((best_cosines(directions, as_rows(method)) > FOUND).sum())
            for name, method in candidates.items()
        }
    return {"found": found}


def as_rows(method) -> Tensor:
    if isinstance(method, SparseAutoencoder):
        return method.directions
    return torch.as_tensor(np.asarray(method), dtype=torch.float32)


@torch.no_grad()
def absorption(seed: int, small: bool) -> dict:
    """Direction 31 - i implies direction i, for i from 0 to 3."""
    draws = torch.Generator().manual_seed(1000 + seed)
    directions = random_directions(32, 16, draws)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        on = torch.rand(count, 32, generator=draws) < 0.05
        on[:, :4] |= on[:, 28:].flip(1)
        amounts = on * (0.5 + torch.rand(count, 32, generator=draws))
        noise = 0.02 * torch.randn(count, 16, generator=draws)
        return amounts @ directions + noise, on

    x, on = drawn(20_000)
    test, truth = drawn(5_000)
    ones, more = torch.ones(len(x), 1), torch.ones(len(test), 1)
    rows = []
    for latents in (32, 64):
        with torch.enable_grad():
            steps = 50 if small else 2500
            model = train_sparse_autoencoder(x, latents, 3, steps, seed)
        fires = model.encode(test) > 0
        cosines = directions @ model.directions.T
        for parent in range(4):
            latent = int(cosines[parent].argmax())
            is_on, with_child = truth[:, parent], truth[:, 31 - parent]
            probe = torch.linalg.lstsq(
                torch.cat([x, ones], dim=1), on[:, [parent]].float()
            ).solution
            scores = (torch.cat([test, more], dim=1) @ probe)[:, 0]
            says = scores > scores[~is_on].quantile(0.95)
            alone, both = is_on & ~with_child, is_on & with_child
            # the control: another feature beside the implied one, which implies nothing
            beside = torch.stack([alone & truth[:, i] for i in range(4, 28)])
            rows.append(
                {
                    "latents": latents,
                    "cosine": rounded(cosines[parent, latent]),
                    "latent": [rounded(fires[w, latent]) for w in (alone, both)],
                    "probe": [rounded(says[w]) for w in (alone, both)],
                    "beside an unrelated one": [
                        rounded(torch.cat([yes[w] for w in beside]))
                        for yes in (fires[:, latent], says)
                    ],
                }
            )
    return {"parents": rows}


def rounded(values: Tensor) -> float:
    return round(float(values.float().mean()), 4)


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "toy": toy,
    "dictionary": dictionary,
    "absorption": absorption,
}


def main() -> None:
    whole = run_parts("superposition", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("superposition", whole)


if __name__ == "__main__":
    main()
