"""Chapter 6a's dead codebook entries with several seeds: no remedy, restarts, and their
opponent, k-means.

Each seed trains the chapter's vector-quantized autoencoder once per remedy. k-means
replaces all entries by the centroids of one batch's features, at step 100 or at step 1
and again at step 100.

    # about a minute per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/codebooks.py --folder FOLDER
    # a short trial
    python benchmarks/codebooks.py --folder FOLDER --seeds 0 --smoke
"""

import torch
from finished import command_line, kept
from sklearn.cluster import KMeans
from torch import Tensor

from genai_tutorial.data import Images, load_mnist
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.training import AdamW, Schedule, TensorBatches, fit
from genai_tutorial.vae import VQVAE, EMAVectorQuantizer, codebook_usage, vq_vae_loss

STEPS, ENTRIES = 250, 256
RESTART_STEPS = range(10, 201, 10)
ARMS = {
    "no remedy": (),
    "restarts": (),
    "k-means once": (100,),
    "k-means twice": (1, 100),
}
"""The steps at which k-means replaces the entries.
"""


def replace_by_centroids(quantizer: EMAVectorQuantizer, features: Tensor, seed: int):
    """Replace all codebook entries by the centroids of the features."""
    vectors = features.flatten(0, -2).numpy()
    found = KMeans(ENTRIES, n_init=1, random_state=seed).fit(vectors)
    centroids = torch.from_numpy(found.cluster_centers_).float()
    quantizer.codebook.copy_(centroids)
    quantizer.sums.copy_(centroids)
    quantizer.counts.fill_(1.0)


def train(images: Tensor, arm: str, seed: int, steps: int) -> VQVAE:
    """Train as the chapter does, with one of the remedies."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = VQVAE(EMAVectorQuantizer(ENTRIES, 8, decay=0.95), width=8)
    counter = iter(range(1, steps + 1))

    def loss_fn(model: VQVAE, images: Tensor) -> Tensor:
        step = next(counter)
        with torch.no_grad():
            if arm == "restarts" and step in RESTART_STEPS:
                model.quantizer.restart(model.features(images), generator)
            elif step in ARMS[arm]:
                replace_by_centroids(model.quantizer, model.features(images), seed)
        return vq_vae_loss(model, images)

    batches = TensorBatches((images[:, None],), 64, seed=seed)
    schedule = Schedule(steps, warmup_steps=20, decay="linear")
    optimizer = AdamW(model.parameters(), lr=4e-3)
    fit(
        model,
        batches,
        loss_fn,
        optimizer,
        steps=steps,
        schedule=schedule,
        progress=False,
    )
    return model.eval()


@torch.no_grad()
def measured(model: VQVAE, test: Images) -> dict[str, float]:
    """Return the codebook's usage and the squared error on held-out digits."""
    images = test.images[:, None]
    codes = model.encode(images)
    usage = codebook_usage(codes.indices, ENTRIES)
    error = (model.decode(codes.vectors) - images).square().mean().item()
    return {
        "used": usage.used,
        "perplexity": round(float(usage.perplexity), 1),
        "squared_error": round(error, 5),
    }


def main() -> None:
    """Train and measure everything that is not kept yet, and keep the record."""
    settings = command_line(__doc__, range(5)).parse_args()
    digits, test = load_mnist().split(train_per_class=400, seed=0)
    steps = 20 if settings.smoke else STEPS
    runs = [
        {
            arm: kept(
                settings.folder / f"codebooks-{arm}-{seed}.json",
                lambda arm=arm, seed=seed: measured(
                    train(digits.images, arm, seed, steps), test
                ),
            )
            for arm in ARMS
        }
        for seed in settings.seeds
    ]
    if not settings.smoke:
        about = {"machine": describe_machine(), "steps": STEPS, "entries": ENTRIES}
        keep_record("codebooks", about | {"runs": runs})


if __name__ == "__main__":
    main()
