"""Transformers, generation, training, alignment, interpretability and efficiency."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from genai_tutorial import (
    alignment,
    diffusion,
    efficiency,
    generation,
    interpretability,
    metrics,
    training,
    transformer,
)
from genai_tutorial.efficiency.quantization import ActivationQuantizedLinear
from tests.decoders import mixtral
from tests.device.both import check, ints, rand, seeded, step

CASES: dict = {}
END = 1
IDS = ints(3, 8, below=13)
DOCUMENTS = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2]] * 3)
LLAMA = transformer.DecoderConfig.llama(13, 24, 16, 2, 4, 2, 24)
GPT2 = transformer.DecoderConfig.gpt2(13, 24, 16, 2, 4)
FAST = transformer.DecoderConfig.fast(
    13, 24, 16, 2, 4, pair_features=4, triple_features=4
)
LM = transformer.DecoderLM(LLAMA)


def with_positions(config, **settings):
    return replace(config, attention=replace(config.attention, **settings))


def language_loss(model, ids):
    return transformer.next_token_loss(model(ids[:, :-1]), ids[:, 1:])


def packed_loss(model, ids, documents):
    context = transformer.AttentionContext.packed(documents)
    return transformer.next_token_loss(model(ids, context), ids)


def read_and_write(model, ids, generator, **options):
    """Return what a model reads, with a cache and without, and what it writes."""
    return (
        model(ids),
        model.hidden_states(ids),
        generation.generate(model, ids, 4, generator=generator, **options),
        list(generation.stream(model, ids[0].tolist(), 3, generator=generator)),
    )


# --- transformer ----------------------------------------------------------------------

QUERY, KEY, VALUE = rand(2, 4, 6), rand(2, 4, 6, seed=1), rand(2, 4, 6, seed=2)
CONFIGS = {
    "Llama": LLAMA, "GPT-2": GPT2, "Fast": FAST,
    "sinusoidal": with_positions(GPT2, positions="sinusoidal"),
    "ALiBi": with_positions(GPT2, positions="alibi"),
    "a window": with_positions(LLAMA, sliding_window=3),
    "scaled rotary": with_positions(
        LLAMA, rotary_scaling=transformer.YarnScaling(2, original_context_length=12)
    ),
    "experts": mixtral(13, 24, 16, 2, 4, 2, 24, experts=4),
}  # fmt: skip
for name, config in CONFIGS.items():
    model = transformer.DecoderLM(config)
    CASES[f"DecoderLM, {name}: step"] = (step, model, language_loss, IDS)
    CASES[f"DecoderLM, {name}: texts"] = (read_and_write, model, IDS, seeded())
    CASES[f"DecoderLM, {name}: packed"] = (step, model, packed_loss, IDS, DOCUMENTS)

PIXELS = transformer.PixelTransformer(
    transformer.PixelConfig(
        side=4, patch=2, levels=4, width=8, layers=1, heads=2, hidden=8
    )
)


SCALINGS = [
    transformer.LinearScaling(2),
    transformer.NTKScaling(2),
    transformer.DynamicNTKScaling(8, original_context_length=4),
    transformer.Llama3Scaling(2, original_context_length=4),
    transformer.YarnScaling(2, original_context_length=4),
]


def rotated(x):
    frequencies = transformer.rotary_frequencies(6, 10_000)
    return [
        transformer.RotaryEmbedding(scaling.scale(frequencies, 10_000), 8).to(x.device)(
            x
        )
        for scaling in SCALINGS
    ]


def continued_in_sinks(model, ids):
    device = ids.device
    cache = transformer.SinkCache(LLAMA, len(ids), sinks=1, window=4, device=device)
    context = transformer.AttentionContext.cached
    return [model(part, context(cache)) for part in ids.split(1, dim=1)]


def rewound(model, ids):
    cache = model.make_cache(len(ids))
    model(ids, transformer.AttentionContext.cached(cache))
    cache.rewind(4)
    cache.select([2, 0])
    return model(ids[[2, 0], 4:], transformer.AttentionContext.cached(cache))


def recalled(model, ids):
    """Return the logits of a text read in two parts, the second after its states."""
    cache = model.make_cache(len(ids))
    context = transformer.AttentionContext.cached
    return [model(part, context(cache)) for part in ids.split(5, dim=1)]


DELTA_NET = transformer.DecoderLM(transformer.DecoderConfig.fast(13, 24, 16, 2, 4))


LATENT = transformer.DecoderLM(transformer.DecoderConfig.fast(13, 24, 16, 2, 4))
for number, block in enumerate(LATENT.blocks):
    turned = transformer.RotaryEmbedding(transformer.rotary_frequencies(4, 10_000), 24)
    block.attention = transformer.MultiHeadLatentAttention(
        16, 4, 6, turned, layer=number
    )


def latent_read(model, ids):
    """Return the logits of a text read at once, and in two parts with a cache."""
    cache = transformer.latent_cache(model, len(ids))
    context = transformer.AttentionContext.cached
    return model(ids), [model(part, context(cache)) for part in ids.split(5, dim=1)]


def with_biased_routers():
    model = transformer.DecoderLM(CONFIGS["experts"])
    for layer in model.modules():
        if isinstance(layer, transformer.MixtureOfExperts):
            per_token = layer.router.per_token
            layer.router = transformer.BiasedRouter(16, len(layer.experts), per_token)
    return model


def balanced(model, ids):
    model(ids)
    transformer.balance_experts(model, 0.1)
    routers = [m for m in model.modules() if isinstance(m, transformer.BiasedRouter)]
    return model(ids), [router.bias for router in routers]


def padded(model, ids, lengths):
    return model(ids, transformer.AttentionContext.padded(lengths, ids.shape[1]))


def routed(model, ids):
    model(ids)
    found = transformer.routings(model)
    return found, [
        (transformer.load_balancing_loss(one), transformer.usage_entropy(one))
        for one in found
    ]


CASES |= {
    "SinkCache": (continued_in_sinks, LM, IDS), "KVCache": (rewound, LM, IDS),
    "AttentionContext.padded": (padded, LM, IDS, torch.tensor([8, 3, 5])),
    "attention_maps": (lambda m, x: m.attention_maps(x), LM, IDS),
    "routings": (routed, transformer.DecoderLM(CONFIGS["experts"]), IDS),
    "attention": (
        lambda q, k, v: (
            transformer.attention(q, k, v, transformer.causal_mask(4, q.device)),
            transformer.attention_weights(q, k),
            transformer.blockwise_attention(q, k, v, 2, is_causal=True),
            training.ring_attention(q, k, v, is_causal=True),
        ), QUERY, KEY, VALUE,
    ),
    "masks": (
        lambda documents: (
            transformer.causal_mask(4, documents.device),
            transformer.alibi_bias(2, 4, documents.device),
            transformer.document_mask(documents),
        ),
        DOCUMENTS,
    ),
    "OnlineSoftmax": (
        lambda q, scores, v: (
            transformer.OnlineSoftmax.empty(q).update(scores, v).output()
        ), QUERY, rand(2, 4, 4), VALUE,
    ),
    "RotaryEmbedding": (rotated, QUERY),
    "MultiHeadAttention": (
        lambda m, x, source: (m(x, source=source), m.weights(x, source=source)),
        transformer.MultiHeadAttention(6, 2, causal=False, source_width=5), QUERY,
        rand(2, 3, 5),
    ),
    "FixedMemory": (
        lambda m, x: (m(x), m.gates(x)), transformer.FixedMemory(6, 2, key_width=2),
        QUERY,
    ),
    "replace_attention": (
        recalled, transformer.replace_attention(DELTA_NET, ("add", "gated delta"), 0),
        IDS,
    ),
    "MultiHeadLatentAttention": (latent_read, LATENT, IDS),
    "SinkAttention": (
        lambda m, x: (m(x), m.weights(x)), transformer.SinkAttention(6, 2, window=3),
        QUERY,
    ),
    "sink_weights": (
        transformer.sink_weights, rand(1, 2, 4, 6), rand(1, 2, 4, 6), rand(2),
    ),
    "balance_experts": (balanced, with_biased_routers(), IDS),
    "share_heads": (
        lambda k, q: transformer.share_heads(k, q), rand(2, 2, 4, 6), rand(2, 4, 4, 6),
    ),
    "PixelTransformer": (
        step, PIXELS, lambda m, x: -m.log_prob(x).mean(), ints(2, 4, 4, below=4),
    ),
    "PixelTransformer.draw": (lambda m, g: m.draw(2, g), PIXELS, seeded()),
    "next_token_loss": (transformer.next_token_loss, rand(3, 8, 13), IDS),
    "evaluate_language_model": (
        lambda m, tokens: metrics.evaluate_language_model(m, tokens, 8, stride=4), LM,
        ints(30, below=13),
    ),
}  # fmt: skip

# --- generation -----------------------------------------------------------------------

DRAFT = transformer.DecoderLM(replace(LLAMA, layers=1), seed=1)
CHANCES = rand(2, 3, 13).softmax(dim=-1)
TWO_SIDED = transformer.DecoderLM(with_positions(LLAMA, causal=False))
PROMPTS = [[3, 4, 5], [6, 7], [8, 9, 10, 2]]
BYTES = generation.TokenMask([b"a", b"b", b"c", *[None] * 10], end_token=3)
WATERMARK = generation.GreenListWatermark(vocab_size=13)


def writes(**options):
    return (partial(read_and_write, **options), LM, IDS, seeded())


CASES |= {
    "generate, greedily": writes(temperature=0),
    "generate, top-k": writes(top_k=3, stop_tokens=[2, 5]),
    "generate, top-p": writes(top_p=0.7, min_p=0.01),
    "generate, repetition_penalty": writes(
        processor=partial(generation.repetition_penalty, penalty=2.0)
    ),
    "generate, no_repeat_ngram": writes(
        processor=partial(generation.no_repeat_ngram, size=2)
    ),
    "generate, watermarked": writes(processor=WATERMARK),
    "generate, constrained": (
        lambda m, ids, g: generation.generate(
            m, ids, 5, generator=g, stop_tokens=[3],
            constraint=generation.ConstrainedText("a+b*c", BYTES),
        ), LM, IDS, seeded(),
    ),
    "ForbiddenTokens": writes(constraint=generation.ForbiddenTokens([2, 3], 13)),
    "GreenListWatermark": (
        lambda ids: (WATERMARK.is_green(ids), WATERMARK.detect(ids[0])),
        IDS,
    ),
    "tournament": (generation.tournament, CHANCES[0], ints(3, 13, 2, below=2)),
    "acceptance_rate": (generation.acceptance_rate, CHANCES[0], CHANCES[1]),
    "speculative_accept": (
        generation.speculative_accept, ints(2, 2, below=13), CHANCES[:, :2],
        CHANCES.flip(0), seeded(),
    ),
    "generate_speculatively": (
        lambda m, d, ids, g: generation.generate_speculatively(
            m, d, ids[:1], 6, drafted=2, generator=g
        ), LM, DRAFT, IDS, seeded(),
    ),
    "generate_with_lookup": (
        lambda m, ids: generation.generate_with_lookup(m, ids[:1], 6, drafted=2), LM,
        IDS,
    ),
    "option_log_likelihoods": (
        lambda m: generation.option_log_likelihoods(m, PROMPTS, [[2, 3], [4]]),
        LM,
    ),
    "generate_rollouts": (
        lambda m, g: generation.generate_rollouts(
            m, PROMPTS, 5, end_token=END, generator=g
        ),
        LM, seeded(),
    ),
    "unmask": (
        lambda m, ids, g: [
            diffusion.unmask(m, ids, rule, 0, generator=g)
            for rule in (
                diffusion.Quota(3, "random"), diffusion.Quota(2, "reading"),
                diffusion.Threshold(0.2), diffusion.EntropyBound(99.0),
            )
        ], TWO_SIDED, IDS * (IDS > 8), seeded(),
    ),
    "masked diffusion": (
        lambda m, ids, g: (
            step(m, lambda m, x: diffusion.masked_loss(m, x, 0, g), ids),
            diffusion.likelihood_bound(m, ids, 0, g),
            [
                diffusion.nats_in_order(m, ids, 0, order, g)
                for order in ("reading", "random", "confident")
            ],
        ), TWO_SIDED, IDS.clamp(min=1), seeded(),
    ),
    "beam_search": (
        lambda m, ids: generation.beam_search(m, ids[0].tolist(), 4, beams=3), LM, IDS,
    ),
}  # fmt: skip

# --- training -------------------------------------------------------------------------


def fitted(model, tokens):
    batches = training.TokenBatches(tokens.cpu(), 8, batch_size=4, seed=0)
    optimizer = training.build_optimizer(model)
    average = training.EMA(model)

    def loss(model, inputs, targets):
        return transformer.next_token_loss(model(inputs), targets)

    history = training.fit(
        model, batches, loss, optimizer, steps=3, schedule=training.Schedule(3, 1),
        evaluate=lambda m: float(next(m.parameters()).sum()), ema=average,
        progress=False,
    )  # fmt: skip
    return history.losses, model, average.model


def private(model, records):
    settings = training.PrivacySettings(1.0, 1.0, sampling_rate=0.5)
    training.fit_privately(
        model, (records,), language_loss, torch.optim.SGD(model.parameters(), lr=0.1),
        settings, steps=2, seed=0, progress=False,
    )  # fmt: skip
    return model


CASES |= {
    "fit": (fitted, LM, ints(60, below=13)),
    "fit with fast layers": (fitted, transformer.DecoderLM(FAST), ints(60, below=13)),
    "fit_privately": (private, LM, IDS),
    "per_sample_gradients": (
        lambda m, ids: training.per_sample_gradients(m, (ids,), language_loss), LM, IDS,
    ),
    "clip_and_noise": (
        lambda rows, g: training.clip_and_noise(
            {"a": rows}, training.PrivacySettings(1.0, 1.0, 0.1), 3, g
        ),
        rand(3, 4), seeded(),
    ),
}  # fmt: skip

# --- alignment ------------------------------------------------------------------------

ANSWERS = DOCUMENTS > 0
MASK = ANSWERS[:, 1:]
ROWS, OTHER = rand(3, 7), rand(3, 7, seed=1)
ADVANTAGES = rand(3, seed=2)
LENGTHS = torch.tensor([8, 5, 3])


def adapted(model, ids, generator):
    alignment.add_lora(model, alignment.LoRAConfig(rank=2), generator)
    losses, _ = step(model, language_loss, ids)
    with alignment.without_lora(model):
        plain = model(ids)
    before = model(ids)
    alignment.merge_lora(model)
    merged = model(ids)
    alignment.fold_lora(model)
    return losses, plain, before, merged, model(ids)


def by_ppo(model):
    settings = alignment.LearningSettings(2, 4, max_new_tokens=4)
    return alignment.learn_by_ppo(
        model, alignment.ScalarModel(copy.deepcopy(model)), PROMPTS,
        lambda rollouts: rollouts.lengths.float() / 4, settings, end_token=END,
        progress=False,
    )  # fmt: skip


def by_grpo(method):
    def learn(model):
        return alignment.learn_by_grpo(
            model, PROMPTS, ["a", "b", "c"],
            lambda answer, truth: float(len(answer) % 2),
            alignment.GRPOSettings(
                steps=2, batch_size=2, group_size=2, max_new_tokens=4
            ), decode=str, end_token=END, method=method, progress=False,
        )  # fmt: skip

    return learn, LM


def preferring(model, ids, lengths):
    return alignment.reward_loss(model, ids, lengths, ids.flip(0), lengths.flip(0))


CASES |= {
    "LoRALinear": (adapted, LM, IDS, seeded()),
    "supervised_loss": (step, LM, alignment.supervised_loss, IDS, ANSWERS, DOCUMENTS),
    "token_log_probs": (alignment.token_log_probs, LM, IDS, DOCUMENTS),
    "answer_log_probs": (alignment.answer_log_probs, LM, IDS, ANSWERS),
    "answer_steps": (alignment.answer_steps, ANSWERS, DOCUMENTS),
    "ScalarModel": (step, alignment.ScalarModel(LM), preferring, IDS, LENGTHS),
    "best_of_n": (partial(alignment.best_of_n, n=2), ROWS, OTHER),
    "clipped_objective": (
        partial(alignment.clipped_objective, clip=0.2), ROWS + 0.5, OTHER,
    ),
    "dpo_losses": (partial(alignment.dpo_losses, beta=0.1), *rand(4, 5)),
    "ipo_losses": (partial(alignment.ipo_losses, beta=0.1), *rand(4, 5)),
    "kto_losses": (
        lambda *sides: alignment.kto_losses(*sides, sides[0].mean(), beta=0.1),
        *rand(4, 5),
    ),
    "simpo_losses": (partial(alignment.simpo_losses, beta=2, margin=1), *rand(2, 5)),
    "orpo_losses": (partial(alignment.orpo_losses, weight=1), *(-rand(2, 5).abs() - 1)),
    "generalized_advantage_estimate": (
        alignment.generalized_advantage_estimate, ROWS, OTHER, MASK,
    ),
    "group_relative_advantages": (alignment.group_relative_advantages, ROWS),
    "token_rewards": (
        partial(alignment.token_rewards, kl_weight=0.2), ADVANTAGES, ROWS, MASK,
    ),
    "whiten": (alignment.whiten, ROWS, MASK),
    "GroupMethods": (
        lambda *args: [
            (method.advantages(args[0]), method.loss(*args))
            for method in (
                alignment.GRPO(), alignment.RLOO(), alignment.DrGRPO(max_tokens=8),
                alignment.GSPO(), alignment.CISPO(),
            )
        ], ROWS, OTHER, ADVANTAGES, MASK,
    ),
    "learn_by_ppo": (by_ppo, LM), "learn_by_grpo": by_grpo(alignment.GRPO()),
}  # fmt: skip

# --- interpretability -----------------------------------------------------------------

READER = interpretability.PositionReader("rotary")
MAPS = rand(2, 3, 4, 8, 8)
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def ablation(model, ids):
    means = interpretability.mean_head_outputs(model, ids)
    with interpretability.ablated(model, [(0, 1)], means):
        without = model(ids)
    costs = interpretability.ablation_costs(model, ids)
    return means, without, costs


def patching(model, ids):
    source = ids.flip(0)
    outputs = interpretability.head_outputs(model, source)
    estimate = interpretability.attribution_patching(
        model, ids, outputs, lambda last: last.sum(dim=1)
    )
    grid = interpretability.patching_grid(model, ids, source, [0, 1], [2, -1])
    with interpretability.patched(model, 1, -1, grid[0, 0]):
        return estimate, grid, model(ids)


def steering(model, ids):
    means = interpretability.mean_states(model, [row.tolist() for row in ids])
    with interpretability.steered(model, 1, means[0, 1]):
        return means, model(ids)


def superposed(directions):
    x, amounts = interpretability.draw_superposed(20, directions, 0.2, seeded())
    return x, amounts, interpretability.best_cosines(directions, x)


def token_scores(vectors):
    def score(x):
        return x.square().sum(dim=(1, 2))

    return (
        interpretability.ablate_tokens(score, vectors, vectors[:, 0], [0, 2]),
        interpretability.input_gradients(score, vectors),
        interpretability.integrated_gradients(score, vectors, vectors[0, 0], 2),
    )


CASES |= {
    "ablation_costs": (ablation, LM, IDS),
    "patching": (patching, LM, IDS),
    "steering": (steering, LM, IDS),
    "superposed": (superposed, rand(6, 3)),
    "SuperpositionToy": (
        lambda m, x: m(x), interpretability.SuperpositionToy(5, 2, seed=0), rand(4, 5),
    ),
    "SparseAutoencoder": (
        lambda m, x: (m.encode(x), m(x)),
        interpretability.SparseAutoencoder(3, 6, 2, seed=0), rand(4, 3),
    ),
    "train_sparse_autoencoder": (
        lambda x: interpretability.train_sparse_autoencoder(x, 6, 2, 201, 0)(x),
        rand(40, 3),
    ),
    "token_scores": (token_scores, rand(2, 4, 3)),
    "attention_rollout": (interpretability.attention_rollout, MAPS),
    "AttentionOnly": (
        lambda m, ids: (m(ids), m.finish(m.streams(ids)[0])),
        interpretability.AttentionOnly(0), ints(2, 24, below=32),
    ),
    "PositionReader": (
        lambda m, ids, targets: (
            m(ids),
            interpretability.reader_accuracy(m, ids, targets),
        ),
        READER, *interpretability.previous_word_batch(3, seeded()),
    ),
    "train_reader": (
        lambda m: interpretability.train_reader(
            m, interpretability.previous_word_batch, steps=2
        ),
        READER,
    ),
    "centred_cosines": (interpretability.centred_cosines, rand(6, 3)),
    "induction_scores": (partial(interpretability.induction_scores, period=4), MAPS),
    "previous_token_scores": (interpretability.previous_token_scores, MAPS),
    "leave_one_out_centroid_hits": (
        interpretability.leave_one_out_centroid_hits, rand(6, 3), LABELS,
    ),
    "within_between_auc": (
        lambda similarities, labels: (
            interpretability.within_between_auc(similarities, labels),
            interpretability.within_between_auc_interval(similarities, labels),
        ),
        rand(6, 6), LABELS,
    ),
    "repeated_random_tokens": (
        lambda words: interpretability.repeated_random_tokens(2, 3, words),
        torch.arange(2, 13),
    ),
}  # fmt: skip

# --- efficiency -----------------------------------------------------------------------

WEIGHT = rand(16, 32)
HESSIAN = rand(64, 32).T @ rand(64, 32) + torch.eye(32)


def quantized_cache(model, ids, **options):
    cache = efficiency.QuantizedKVCache(
        model.config, len(ids), block_size=4, residual=4, sinks=1, device=ids.device,
        **options,
    )  # fmt: skip
    return efficiency.read_with_cache(model, ids, cache, piece=2)


def served(model):
    engine = efficiency.Engine(model, blocks=16, block_size=4, max_running=2)
    for seed, prompt in enumerate(PROMPTS):
        options = efficiency.SamplingOptions(max_new_tokens=4, seed=seed)
        engine.add(efficiency.Request(tuple(prompt), options))
    return [list(answer.ids) for answer in engine.run()]


def masked(model, ids):
    masks = efficiency.activation_masks(model, ids, 0.5)
    magnitude = efficiency.magnitude_masks(model, 0.5)
    efficiency.apply_masks(model, masks)
    return masks, magnitude, model


def narrowed(model, ids):
    scores = efficiency.unit_scores(model, ids)
    return efficiency.narrow_feed_forward(model, scores.hidden, 8)


CASES |= {
    f"quantize_layers, {method}": (
        lambda m, ids, method=method: efficiency.quantize_layers(m, ids, method, 4, 8),
        LM, IDS,
    )
    for method in ("rounding", "gptq", "awq")
} | {
    "quantize_affine": (
        lambda w: efficiency.quantize_affine(w, 4, 8).dequantize(),
        WEIGHT,
    ),
    "quantize_symmetric": (
        lambda w: efficiency.quantize_symmetric(w, 4, 8).dequantize(),
        WEIGHT,
    ),
    "gptq_quantize": (
        lambda w, h: efficiency.gptq_quantize(w, h, 4, 8).dequantize(), WEIGHT, HESSIAN,
    ),
    "output_error": (efficiency.output_error, WEIGHT, WEIGHT.round(), HESSIAN),
    "smoothed": (lambda m, ids: efficiency.smoothed(m, ids), LM, IDS),
    "prediction_divergence": (efficiency.prediction_divergence, LM, DRAFT, IDS),
    "QuantizedKVCache": (quantized_cache, LM, IDS),
    "QuantizedKVCache per token": (partial(quantized_cache, keys_per="token"), LM, IDS),
    "Engine": (served, LM),
    "soft_target_loss": (efficiency.soft_target_loss, rand(3, 5), rand(3, 5, seed=1)),
    "apply_masks": (masked, LM, IDS),
    "block_influence": (efficiency.block_influence, LM, IDS),
    "narrow_feed_forward": (narrowed, LM, IDS),
    "ActivationQuantizedLinear": (
        lambda m, x: m(x), ActivationQuantizedLinear(nn.Linear(32, 4), "token"),
        rand(3, 32),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    check(*CASES[name])
