"""Chapter 7's digit GAN with several seeds, and its opponent, chapter 1's mixtures.

Each seed trains the GAN as the chapter does, and measures the generator after the last
step and with averaged weights. The mixtures in the latent space of PPCA are fitted to
the same images, and drawn and started with the seed.

    # about half a minute per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/digit_gan.py --folder FOLDER
    # a short trial
    python benchmarks/digit_gan.py --folder FOLDER --seeds 0 --smoke
"""

import torch
from finished import command_line, kept
from torch import Tensor

from genai_tutorial.data import Images, load_mnist
from genai_tutorial.density import (
    fit_gaussian,
    fit_mixture,
    fit_ppca,
    start_responsibilities,
)
from genai_tutorial.gan import (
    NON_SATURATING,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    r1_penalty,
)
from genai_tutorial.recipes import measure_digits
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.training import (
    EMA,
    AdamW,
    Players,
    TensorBatches,
    draw_noise,
    fit_adversarial,
    warmup_linear,
)

STEPS, IMAGES = 1500, 1000
LATENT, COMPONENTS, RIDGE = 60, 3, 0.05


def measured(images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the metrics of the chapter's table."""
    found = measure_digits(images, labels)
    return {name: round(value, 4) for name, value in found.items()}


def gan(train: Images, seed: int, steps: int) -> dict[str, dict[str, float]]:
    """Train the GAN; measure its last generator and the averaged one."""
    config = DigitGANConfig()
    generator = DigitGenerator(config, seed=2 * seed)
    discriminator = DigitDiscriminator(config, seed=2 * seed + 1)
    average = EMA(generator, decay=0.995)
    players = Players(
        generator,
        discriminator,
        NON_SATURATING,
        AdamW(generator.parameters(), lr=1e-3, betas=(0.0, 0.99), weight_decay=0.2),
        AdamW(discriminator.parameters(), lr=1e-3, betas=(0.0, 0.99)),
        noise=torch.Generator().manual_seed(seed),
        penalty=lambda critic, real, _, labels: 0.5 * r1_penalty(critic, real, labels),
        penalty_every=4,
    )
    fit_adversarial(
        players,
        TensorBatches((train.images, train.labels), batch_size=64, seed=seed),
        steps=steps,
        schedule=warmup_linear(steps, warmup_steps=50),
        ema=average,
        progress=False,
    )
    noise = draw_noise(generator, IMAGES, torch.Generator().manual_seed(1 + seed))
    ordered = torch.arange(IMAGES) % 10
    with torch.no_grad():
        return {
            "last step": measured(generator(noise, ordered), ordered),
            "averaged": measured(average.model(noise, ordered), ordered),
        }


def mixtures(train: Images, seed: int) -> dict[str, float]:
    """Fit a mixture to the latent codes of each digit, and measure its images."""
    ppca = fit_ppca(train.flat, latent=LATENT)
    dice, drawn = torch.Generator().manual_seed(seed), []
    for label in range(10):
        codes = ppca.encode(train.flat[train.labels == label])
        fitted = fit_mixture(
            codes,
            start_responsibilities(codes, COMPONENTS, seed=seed),
            lambda x, w: fit_gaussian(x, w, ridge=RIDGE),
            steps=15,
        ).mixture
        drawn.append(ppca.decode(fitted.sample(IMAGES // 10, dice)))
    images = torch.stack(drawn, dim=1).view(IMAGES, 28, 28).float().clamp(0, 1)
    return measured(images, torch.arange(IMAGES) % 10)


def main() -> None:
    """Train and measure everything that is not kept yet, and keep the record."""
    settings = command_line(__doc__, range(5)).parse_args()
    train, _ = load_mnist().split(train_per_class=400, seed=0)
    steps = 60 if settings.smoke else STEPS
    runs = [
        kept(
            settings.folder / f"digit-gan-{seed}.json",
            lambda seed=seed: (
                gan(train, seed, steps) | {"mixtures": mixtures(train, seed)}
            ),
        )
        for seed in settings.seeds
    ]
    if not settings.smoke:
        about = {"machine": describe_machine(), "steps": STEPS, "images": IMAGES}
        keep_record("digit_gan", about | {"runs": runs})


if __name__ == "__main__":
    main()
