"""Densities, autoencoders, GANs, diffusion, texts with images and films."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from genai_tutorial import density, diffusion, gan, metrics, multimodal, vae, video
from genai_tutorial.gan.networks import MinibatchDeviation
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import (
    EMA,
    Players,
    discriminator_step,
    draw_noise,
    fit_adversarial,
)
from genai_tutorial.training.adversarial import generator_step
from genai_tutorial.transformer import DecoderConfig
from tests.device.both import check, ints, rand, seeded, step

CASES: dict = {}

# --- density --------------------------------------------------------------------------

X = rand(12, 3)
LABELS = torch.arange(12) % 2
BITS = (X > 0.5).float()


def use(model, x):
    """Return the log densities of a fitted model, and points drawn from it."""
    return model, model.log_prob(x), model.sample(4, seeded())


def use_classifier(model, x):
    drawn = model.sample(1, 4, seeded())
    return model, model.log_prob(x), model.probabilities(x), model.predict(x), drawn


def use_gaussianize(levels, x):
    layer = density.Gaussianize(levels, 4)
    z, log_det = layer(x)
    return z, log_det, layer.inverse(z)


FLOW = density.RealNVP(
    torch.tensor([[True, False, True], [False, True, False]]), lambda: nn.Linear(3, 6)
)


def mixture(x, fit):
    start = density.start_responsibilities(x, components=2, seed=0)
    return density.fit_mixture(x, start, fit, steps=3)


CASES |= {
    "fit_gaussian": (lambda x: use(density.fit_gaussian(x, ridge=0.1), x), X),
    "fit_diagonal_gaussian": (lambda x: use(density.fit_diagonal_gaussian(x), x), X),
    "fit_bernoulli": (lambda x: use(density.fit_bernoulli(x), x), BITS),
    "fit_ppca": (
        lambda x: (
            use(ppca := density.fit_ppca(x, latent=2), x), ppca.decode(ppca.encode(x)),
        ),
        X,
    ),
    "fit_mixture": (
        lambda x: (
            fit := mixture(x, density.fit_diagonal_gaussian), use(fit.mixture, x),
            fit.mixture.responsibilities(x),
        ),
        X,
    ),
    "fit_bayes_classifier": (
        lambda x, y: use_classifier(
            density.fit_bayes_classifier(x, y, density.fit_diagonal_gaussian), x
        ),
        X, LABELS,
    ),
    "fit_bernoulli_naive_bayes": (
        lambda x, y: use_classifier(density.fit_bernoulli_naive_bayes(x, y), x), BITS,
        LABELS,
    ),
    "fit_shared_gaussian_naive_bayes": (
        lambda x, y: use_classifier(density.fit_shared_gaussian_naive_bayes(x, y), x),
        X, LABELS,
    ),
    "fit_logistic_regression": (
        lambda x, y: density.fit_logistic_regression(x, y).predict(x), X, LABELS,
    ),
    "gaussianize": (use_gaussianize, ints(6, 3, below=4), X),
    "langevin": (
        lambda x: density.langevin(
            lambda y: y.square().sum(dim=1), x, 0.1, 2, seeded()
        ),
        X,
    ),
    "noise_contrastive_loss": (density.noise_contrastive_loss, X[:, 0], X[:, 1]),
    "real_nvp": (
        lambda model, x: (
            model(x), model.log_prob(x), model.sample(4, seeded()),
            step(model, lambda m, y: -m.log_prob(y).mean(), x),
        ),
        FLOW, X,
    ),
}  # fmt: skip


# --- metrics --------------------------------------------------------------------------

SCORES, HITS = rand(8, seed=1), torch.arange(8) % 3 == 0
READER = metrics.DigitClassifier()
DIGITS = rand(4, 28, 28)

CASES |= {
    "auroc": (metrics.auroc, SCORES, HITS),
    "elo_ratings": (
        partial(metrics.elo_ratings, systems=2),
        torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2),
    ),
    "fit_bradley_terry": (
        partial(metrics.fit_bradley_terry, systems=2),
        torch.tensor([0, 1, 0]), torch.tensor([1, 0, 1]), torch.ones(3),
    ),
    "ball_radii": (partial(metrics.ball_radii, k=2), X),
    "batch_calibration": (metrics.batch_calibration, rand(4, 2).log()),
    "bootstrap_interval": (metrics.bootstrap_interval, SCORES),
    "chi_square_test": (
        metrics.chi_square_test, torch.tensor([44, 56]), torch.tensor([0.5, 0.5]),
    ),
    "cluster_bootstrap_interval": (
        partial(metrics.cluster_bootstrap_interval, clusters="aabbccdd"),
        SCORES,
    ),
    "contextual_calibration": (
        metrics.contextual_calibration, rand(4, 2).log(), rand(1, 2).log(),
    ),
    "copy_test": (metrics.copy_test, rand(9, 5), rand(60, 5), rand(30, 5, seed=1)),
    "frechet_distance": (metrics.frechet_distance, rand(9, 4), rand(9, 4, seed=1)),
    "nearest_neighbours": (metrics.nearest_neighbours, rand(3, 4), rand(9, 4, seed=1)),
    "precision_recall": (metrics.precision_recall, rand(9, 4), rand(9, 4, seed=1)),
    "psnr": (metrics.psnr, rand(2, 3, 4, 4), rand(2, 3, 4, 4, seed=1)),
    "DigitClassifier": (
        step, READER, lambda m, x, y: cross_entropy(m(x), y), DIGITS, ints(4, below=10),
    ),
    "read_digits": (metrics.read_digits, copy.deepcopy(READER).eval(), DIGITS),
    "risk_coverage": (metrics.risk_coverage, SCORES, HITS),
    "roc_curve": (metrics.roc_curve, SCORES, HITS),
    "t_interval": (metrics.t_interval, SCORES),
    "threshold_at_risk": (partial(metrics.threshold_at_risk, risk=0.4), SCORES, HITS),
    "true_positive_rate_at": (
        partial(metrics.true_positive_rate_at, false_positive_rate=0.4), SCORES, HITS,
    ),
    "winners_curse": (partial(metrics.winners_curse, development=3), rand(5, 9) < 0.5),
}  # fmt: skip

# --- vae ------------------------------------------------------------------------------

PIXELS = rand(6, 12)
IMAGES = rand(2, 3, 8, 8)
BERNOULLI = vae.VAE(vae.VAEConfig(dim=12, latent=2), vae.BernoulliLikelihood())
GAUSSIAN = vae.VAE(vae.VAEConfig(dim=12, latent=2), vae.GaussianLikelihood())
AUTOENCODER = vae.ImageAutoencoder(vae.ImageAutoencoderConfig(width=8, stages=1))
WIDE = vae.LatentGaussian(rand(3, 2), rand(3, 2, seed=1))
NARROW = vae.LatentGaussian(rand(3, 2, seed=2), rand(3, 2, seed=3))


def elbo_loss(model, x, generator):
    return vae.vae_loss(vae.evidence_lower_bound(model, x, generator), free_nats=0.1)


def use_autoencoder(model, images, generator):
    model.set_scaling_factor(images, generator)
    latents = model.to_latents(images, generator)
    return latents, model.to_images(latents)


def use_quantizer(quantizer, vectors, generator):
    """Return what a quantizer in training makes of vectors, and its restarted codes."""
    quantized = quantizer(vectors)
    return quantized, quantizer.restart(vectors, generator, below=2.0), quantizer


CASES |= {
    "VAE": (step, BERNOULLI, elbo_loss, PIXELS, seeded()),
    "VAE with a Gaussian": (step, GAUSSIAN, elbo_loss, PIXELS, seeded()),
    "VAE.sample": (lambda m, g: m.sample(3, g), BERNOULLI, seeded()),
    "Likelihood.sample": (
        lambda a, b, x, g: (a.sample(x, g), b.sample(x, g), a.mean(x), b.mean(x)),
        vae.BernoulliLikelihood(), vae.GaussianLikelihood(), PIXELS, seeded(),
    ),
    "importance_weighted_bound": (
        lambda m, x, g: vae.importance_weighted_bound(m, x, 3, g), BERNOULLI, PIXELS,
        seeded(),
    ),
    "log_importance_weights": (
        lambda m, x, g: vae.log_importance_weights(m, x, 3, g), BERNOULLI, PIXELS,
        seeded(),
    ),
    "gaussian_kl": (vae.gaussian_kl, WIDE, NARROW),
    "LatentGaussian": (
        lambda q, g: (q.sample(g), q.log_prob(q.mean), q.kl_to_prior()), WIDE, seeded(),
    ),
    "active_units": (vae.active_units, rand(6, 3)),
    "VQVAE": (
        step, vae.VQVAE(vae.VectorQuantizer(4, 2), width=8), vae.vq_vae_loss,
        rand(2, 1, 8, 8),
    ),
    "VQVAE.decode_indices": (
        lambda m, x: (m.encode(x), m.decode_indices(m.encode(x).indices)),
        vae.VQVAE(vae.EMAVectorQuantizer(4, 2), width=8).eval(), rand(2, 1, 8, 8),
    ),
    "EMAVectorQuantizer": (
        use_quantizer, vae.EMAVectorQuantizer(4, 2), rand(9, 2), seeded(),
    ),
    "EMAVectorQuantizer.set_codebook": (
        lambda q, x: (q.set_codebook(x), q)[1], vae.EMAVectorQuantizer(4, 2),
        rand(4, 2),
    ),
    "ResidualVectorQuantizer": (
        use_quantizer, vae.ResidualVectorQuantizer(2, 4, 2), rand(9, 2), seeded(),
    ),
    "ResidualVectorQuantizer.start": (
        lambda q, x, g: (q.start(x, g), q, q.decode(q(x).indices)),
        vae.ResidualVectorQuantizer(2, 4, 2).eval(), rand(9, 2), seeded(),
    ),
    "codebook_usage": (partial(vae.codebook_usage, codes=4), ints(9, below=4)),
    "k_means": (vae.k_means, rand(9, 2), rand(3, 2, seed=1)),
    "k_means with restarts": (
        lambda x, book, g: vae.k_means(x, book, generator=g), rand(9, 2),
        rand(3, 2, seed=1) + 5, seeded(),
    ),
    "straight_through": (vae.straight_through, rand(3), rand(3, seed=1)),
    "ImageAutoencoder": (
        step, AUTOENCODER, lambda m, x, g: vae.image_autoencoder_loss(m, x, g), IMAGES,
        seeded(),
    ),
    "ImageAutoencoder.to_latents": (use_autoencoder, AUTOENCODER, IMAGES, seeded()),
    "encode_images": (partial(vae.encode_images, seed=0), AUTOENCODER, IMAGES),
    "reconstruct_images": (vae.reconstruct_images, AUTOENCODER, IMAGES),
}  # fmt: skip

# --- gan ------------------------------------------------------------------------------

GAN = gan.DigitGANConfig(latent=4, generator_widths=(8,), discriminator_widths=(8,))
PLAYERS = gan.DigitGenerator(GAN), gan.DigitDiscriminator(GAN)
POINTS = gan.PointGenerator(width=8), gan.PointDiscriminator(width=8)
DIGIT_LABELS = ints(4, below=10)


def play(generator, discriminator, real, labels, noise, penalty=None):
    """Return the losses of a step of each player, and both networks."""
    first, second = (
        torch.optim.Adam(player.parameters()) for player in (discriminator, generator)
    )
    loss = gan.NON_SATURATING
    return (
        discriminator_step(
            generator, discriminator, real, labels, loss, first, noise, penalty
        ),
        generator_step(
            generator, discriminator, len(real), labels, loss, second, noise
        ),
        generator,
        discriminator,
    )


def fit_points(generator, discriminator, real, noise):
    optimizers = (torch.optim.Adam(m.parameters()) for m in (generator, discriminator))
    players = Players(generator, discriminator, gan.WASSERSTEIN, *optimizers, noise)
    history = fit_adversarial(
        players, iter([(real,)] * 2), steps=2, ema=EMA(generator), progress=False
    )
    return history.generator_losses, generator, discriminator


CASES |= {
    "DigitGenerator": (play, *PLAYERS, DIGITS, [DIGIT_LABELS], seeded()),
    "r1_penalty": (
        partial(play, penalty=lambda d, real, fake, y: gan.r1_penalty(d, real, y)),
        *PLAYERS, DIGITS, [DIGIT_LABELS], seeded(),
    ),
    "gradient_penalty": (
        lambda d, x, y, g: gan.gradient_penalty(d, x, y, generator=g), POINTS[1],
        rand(4, 2), rand(4, 2, seed=1), seeded(),
    ),
    "squared_slopes": (gan.squared_slopes, POINTS[1], rand(4, 2)),
    "SpectralNorm": (
        step, gan.spectral_norm(nn.Linear(3, 2)), lambda m, x: m(x).square().mean(),
        rand(4, 3),
    ),
    "fit_adversarial": (fit_points, *POINTS, rand(4, 2), seeded()),
    "BatchDiscriminator": (
        play, POINTS[0], gan.BatchDiscriminator(width=8), rand(4, 2), [], seeded(),
    ),
    "SideBySide": (
        lambda m, x: m(x),
        gan.SideBySide([gan.PointGenerator(width=8), gan.PointGenerator(width=8)]),
        rand(4, 2, 2),
    ),
    "MinibatchDeviation": (lambda m, x: m(x), MinibatchDeviation(), rand(4, 3)),
    "draw_noise": (lambda m, g: draw_noise(m, 3, g), POINTS[0], seeded()),
    "count_modes": (
        partial(gan.count_modes, deviation=0.1), rand(9, 2), rand(3, 2, seed=1),
    ),
    "power_iteration": (gan.power_iteration, rand(3, 2), rand(2)),
    "losses": (
        lambda real, fake: [
            gan.logistic_discriminator_loss(real, fake),
            gan.minimax_generator_loss(fake), gan.non_saturating_generator_loss(fake),
            gan.wasserstein_generator_loss(fake),
        ],
        rand(4), rand(4, seed=1),
    ),
}  # fmt: skip

# --- diffusion ------------------------------------------------------------------------

SCHEDULE = diffusion.cosine_schedule(50)
NET = diffusion.UNet(
    diffusion.UNetConfig(channels=(8, 16), embedding_width=8, heads=2, groups=4)
)
DIT = diffusion.DiT(
    diffusion.DiTConfig(image_size=8, width=16, layers=1, heads=2, sinusoidal_width=8)
)
GREY = rand(2, 1, 8, 8)
CLASSES = torch.tensor([3, 10])
TIMES = torch.tensor([5.0, 20.0])


def denoising_step(model, x, labels, path, prediction, generator):
    def loss(m, x, labels):
        return diffusion.diffusion_loss(
            m, path, prediction, x, labels, generator=generator
        )

    return step(model, loss, x, labels)


def sampled(sampler, path, prediction, **options):
    def run(model, x, labels, generator):
        denoise = diffusion.Denoiser(model, path, prediction, labels, limit=1.0)
        if sampler in (diffusion.ddpm, diffusion.ddim):
            options["generator"] = generator
        return list(sampler(denoise, x, path.timesteps(3), **options))

    return run, NET, GREY, CLASSES, seeded()


def mean_flow_step(model, x, generator):
    def average(x, r, t):
        return model(torch.cat([x, r[:, None], t[:, None]], dim=1))

    loss = diffusion.mean_flow_loss(average, x, generator)
    return loss, diffusion.mean_flow(average, x, steps=2)


def filled_in(model, x, labels, known):
    denoise = diffusion.Denoiser(model, SCHEDULE, diffusion.NOISE, labels)
    region = diffusion.KnownRegion(denoise, x[0], known)
    return diffusion.last_sample(diffusion.ddim(region, x, SCHEDULE.timesteps(3)))


def draw_images(model, labels, **options):
    return diffusion.sample_images(
        model, SCHEDULE, diffusion.VELOCITY, labels, (2, 1, 8, 8), steps=2, seed=0,
        guidance=2, negative=labels, **options,
    )  # fmt: skip


CONTROL = diffusion.ControlNet(NET.config)


def controlled(control, network, x, t, labels, hint):
    residuals = control(x, *network.embed(x, t, labels), hint)
    return network(x, t, labels, residuals.scaled(0.5))


CASES |= {
    "ControlNet": (
        controlled, CONTROL, NET, rand(2, 1, 16, 16), TIMES, CLASSES,
        rand(2, 1, 32, 32),
    ),
    "UNet": (denoising_step, NET, GREY, CLASSES, SCHEDULE, diffusion.NOISE, seeded()),
    "DiT": (
        denoising_step, DIT, GREY, CLASSES, diffusion.StraightPath(), diffusion.FLOW,
        seeded(),
    ),
    "ddpm": sampled(diffusion.ddpm, SCHEDULE, diffusion.NOISE),
    "ddim": sampled(diffusion.ddim, SCHEDULE, diffusion.VELOCITY, eta=0.5),
    "dpm_solver": sampled(diffusion.dpm_solver, SCHEDULE, diffusion.IMAGE),
    "flow_euler": sampled(
        diffusion.flow_euler, diffusion.StraightPath(), diffusion.FLOW
    ),
    "mean_flow": (mean_flow_step, torch.nn.Linear(4, 2), rand(4, 2), seeded()),
    "Guided": (
        lambda m, x, t, y: diffusion.Guided(m, 2.0, y)(x, t, y), NET, GREY, TIMES,
        CLASSES,
    ),
    "KnownRegion": (filled_in, NET, GREY, CLASSES, rand(1, 8, 8) < 0.5),
    "sample_images": (draw_images, NET, CLASSES),
    "ode_log_prob": (
        lambda m, x, g: diffusion.ode_log_prob(
            m, SCHEDULE, diffusion.NOISE, x, SCHEDULE.timesteps(2)[::-1], probes=g
        ), NET, GREY, seeded(),
    ),
    "NoiseSchedule": (
        lambda x, noise, t: (
            SCHEDULE.add_noise(x, noise, t), SCHEDULE.add_noise(x, noise, 3),
            SCHEDULE.levels(t, x),
        ), GREY, rand(2, 1, 8, 8, seed=1), torch.tensor([5, 20]),
    ),
    "classifier_free_guidance": (
        partial(diffusion.classifier_free_guidance, weight=2.0), rand(2, 3),
        rand(2, 3, seed=1),
    ),
    "denoised_from_velocity": (
        lambda x, v: diffusion.denoised_from_velocity(x, v, SCHEDULE.level(3)),
        rand(2, 3), rand(2, 3, seed=1),
    ),
    "partly_noised": (
        lambda x, noise: diffusion.partly_noised(SCHEDULE, x, noise, 0.4, 5)[0],
        rand(2, 3), rand(2, 3, seed=1),
    ),
    "drop_labels": (
        lambda labels, g: diffusion.drop_labels(labels, 0.5, 10, g), ints(9, below=10),
        seeded(),
    ),
}  # fmt: skip

# --- multimodal -----------------------------------------------------------------------

ENCODER = multimodal.EncoderConfig(width=8, layers=1, heads=2)
SEER = multimodal.ImageEncoderConfig(ENCODER, image_size=8)
TEXT = multimodal.TextEncoderConfig(ENCODER, vocab_size=8, context_length=6, end=1)
CLIP = multimodal.CLIP(multimodal.CLIPConfig(SEER, TEXT, shared_width=4))
CAPTIONS = torch.tensor([[3, 4, 1, 0], [5, 1, 0, 0]])
TO_IMAGE = multimodal.TextToImage(
    TEXT,
    diffusion.UNetConfig(
        image_channels=3, channels=(8, 16), embedding_width=8, heads=2, groups=4,
        classes=None, text_width=8, image_size=8,
    ),
)  # fmt: skip
CONTROL_TEXT, WIDE = (
    diffusion.ControlNet(TO_IMAGE.network.config),
    copy.deepcopy(TO_IMAGE),
)
multimodal.widen_stem(WIDE)
READING = multimodal.VisionLanguageConfig(
    SEER, DecoderConfig(8, context_length=16, width=8, layers=1)
)
WORDS = WordTokenizer(("blue", "colour", "is", "it", "red", "what"))
ANSWERED = CAPTIONS > 2


def answer_step(model, images, ids, is_answer):
    def loss(m, images, ids, is_answer):
        return multimodal.answer_loss(m(images, ids), ids, is_answer)

    return step(model, loss, images, ids, is_answer)


def answers(model, images):
    reader = multimodal.ImageReader(model.eval(), WORDS)
    squares = model.look(images)
    asked = ["what colour is it", "is it red"]
    return (
        reader.answer(squares, asked, max_tokens=4),
        reader.first_words(squares, asked),
        reader.probabilities(squares, asked),
    )


def directed(painter, control, wide, x, t, ids, hint):
    guided = multimodal.Controlled(painter, control, hint, 0.5)
    return guided(x, t, ids), multimodal.Editing(wide, x)(x, t, ids)


def attention_maps(model, x, t, ids):
    with multimodal.record_attention_maps(model, ids.shape[1]) as maps:
        model(x, t, ids)
    return maps


VISION = multimodal.VisionLanguageModel(READING)
CASES |= {
    "CLIP": (
        step, CLIP, lambda m, x, ids: multimodal.contrastive_loss(m(x, ids)), IMAGES,
        CAPTIONS,
    ),
    "sigmoid_loss": (multimodal.sigmoid_loss, rand(2, 2)),
    "classify_zero_shot": (multimodal.classify_zero_shot, rand(3, 4), rand(2, 4)),
    "hits_at_k": (partial(multimodal.hits_at_k, k=1), rand(3, 4), rand(3, 4)),
    "drop_texts": (
        lambda ids, empty, g: multimodal.drop_texts(ids, 0.5, empty, g), CAPTIONS,
        torch.tensor([1, 0, 0, 0]), seeded(),
    ),
    "TextToImage": (
        denoising_step, TO_IMAGE, IMAGES, CAPTIONS, SCHEDULE, diffusion.NOISE, seeded(),
    ),
    "TextToImage with sample_images": (
        lambda m, ids: diffusion.sample_images(
            m, SCHEDULE, diffusion.NOISE, ids, (2, 3, 8, 8), steps=2, seed=0,
            guidance=2, batch_size=1,
        ),
        TO_IMAGE,
        CAPTIONS,
    ),
    "Controlled and Editing": (
        directed, TO_IMAGE, CONTROL_TEXT, WIDE, IMAGES, TIMES, CAPTIONS,
        rand(2, 1, 16, 16),
    ),
    "record_attention_maps": (attention_maps, TO_IMAGE, IMAGES, TIMES, CAPTIONS),
    "denoising_errors": (
        lambda m, x, ids: multimodal.denoising_errors(
            m, SCHEDULE, diffusion.NOISE, x, ids, times=[5, 20], seed=0
        ), TO_IMAGE, IMAGES, CAPTIONS,
    ),
    "VisionLanguageModel": (answer_step, VISION, IMAGES, CAPTIONS, ANSWERED),
    "CrossAttentionModel": (
        answer_step, multimodal.CrossAttentionModel(READING), IMAGES, CAPTIONS,
        ANSWERED,
    ),
    "ImageReader": (answers, VISION, IMAGES),
    "attention_to_frames": (
        lambda m, x, ids: (
            m.read(m.look(x)[:, None], ids),
            multimodal.attention_to_frames(m, m.look(x)[:, None], ids),
            m.attention_to_image(m.look(x), ids),
        ), VISION, IMAGES, CAPTIONS,
    ),
    "ImageTokenizer": (
        lambda x: (
            book := multimodal.ImageTokenizer.fit(x, codes=3, seed=0),
            book.decode(book.encode(x)),
        ),
        rand(4, 2, 2, 2),
    ),
}  # fmt: skip

# --- video ----------------------------------------------------------------------------

FILMS = rand(2, 3, 3, 8, 8)
MOVIE = video.TextToVideo(
    TO_IMAGE,
    video.VideoUNetConfig(frames=3, motion_width=6, frame_width=8, heads=2),
    vocab_size=12,
    moves=9,
)
MOTIONS = torch.tensor([[3, 4, 9, 10, 1], [5, 9, 11, 1, 0]])

CASES |= {
    "TextToVideo": (
        denoising_step, MOVIE, FILMS, MOTIONS, diffusion.StraightPath(), diffusion.FLOW,
        seeded(),
    ),
    "KnownFrames": (
        lambda m, x, t, ids: video.KnownFrames(m, x[:, :1])(x, t, ids), MOVIE, FILMS,
        TIMES, MOTIONS,
    ),
    "move_frames": (video.move_frames, FILMS, rand(2, 3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    check(*CASES[name])
