"""Sound, molecules, world models, retrieval, safety, small devices, data and tasks."""

from functools import partial

import pytest
import torch

from genai_tutorial import (
    audio,
    data,
    edge,
    policies,
    recipes,
    retrieval,
    safety,
    worldmodels,
)
from genai_tutorial.alignment import LoRAConfig
from genai_tutorial.audio.codebook_pattern import undelay
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.notebook import Sound, claim, image_grid
from genai_tutorial.science import molecules, structures
from genai_tutorial.tasks import babyai, detour, latin, motion, paddle_game, shapes
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.training import TokenBatches
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.device.both import check, ints, rand, seeded, step

CASES: dict = {}
IDS = ints(3, 8, below=13)
LM = DecoderLM(DecoderConfig.llama(13, 24, 16, 2, 4, 2, 24))
BLOCKS = EncoderConfig(width=8, layers=1, heads=2)

# --- audio ----------------------------------------------------------------------------

WAVES = rand(2, 640) - 0.5
MEL = audio.MelConfig(window=64, hop=16, mels=8)
LABELS = rand(6, 4).log_softmax(dim=1)
PATTERN = audio.CodebookPattern.delayed(2)
RECOGNIZER = audio.SpeechRecognizer(audio.RecognizerConfig(BLOCKS, labels=5, mels=8), 0)
STREAMS = audio.MultiStreamLM(
    audio.MultiStreamConfig(
        DecoderConfig(vocab_size=6, width=8, layers=1), PATTERN, (3,), 5
    )
)
CODES, FEATURES, PREFIX = (
    ints(2, 2, 5, below=6),
    ints(2, 1, 5, below=3),
    IDS[:2, :3] % 5,
)
CODEC = audio.WaveCodec(
    audio.WaveCodecConfig(audio.SeanetConfig(4, (4, 8), dim=6), books=2, codes=4), 0
)
SPEAKER = audio.SpeechSynthesizer(
    audio.SynthesizerConfig(BLOCKS, symbols=7, voices=2, mel=MEL), 0
)
PHONEMES, DURATIONS = ints(2, 4, below=7), torch.tensor([[2, 1, 3, 1], [1, 4, 0, 0]])


def transcribed(model, features):
    reader = audio.Transcriber(model.eval(), ("a", "b", "c", "d"))
    found = reader.read(list(features))
    return found, [reader.text(one) for one in found]


def streamed(model, codes, features, prefix, generator):
    known = torch.full_like(codes, -1)
    return audio.sample_streams(
        model, known, features, prefix, guidance=2, no_prefix=prefix[0],
        generator=generator,
    )  # fmt: skip


CASES |= {
    "short_time_fourier_transform": (
        lambda x: torch.view_as_real(audio.short_time_fourier_transform(x, 64, 16)),
        WAVES,
    ),
    "griffin_lim": (
        lambda x, g: audio.griffin_lim(
            audio.short_time_fourier_transform(x, 64, 16).abs(), 16, g, steps=2
        ),
        WAVES, seeded(),
    ),
    "log_mel_spectrogram": (lambda x: audio.log_mel_spectrogram(x, MEL), WAVES),
    "mel_to_wave": (
        lambda x, g: audio.mel_to_wave(
            audio.log_mel_spectrogram(x, MEL), MEL, g, steps=2
        ),
        WAVES, seeded(),
    ),
    "spectral_convergence": (
        lambda x: audio.spectral_convergence(
            x, audio.short_time_fourier_transform(x, 64, 16).abs() + 1, 16
        ),
        WAVES,
    ),
    "whisper_features": (audio.whisper_features, rand(1600)),
    "ctc": (
        lambda x: (
            audio.ctc_probability(x.exp(), [1, 2]), audio.best_alignment(x, [1, 2]),
            audio.prefix_beam_search(x, beams=3),
        ),
        LABELS,
    ),
    "SpeechRecognizer": (
        step, RECOGNIZER, audio.recognition_loss, rand(2, 8, 40),
        torch.tensor([40, 24]), torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]),
        seeded(),
    ),
    "Transcriber": (transcribed, RECOGNIZER, rand(2, 8, 40)),
    "delay": (lambda x: undelay(audio.delay(x, PATTERN, 6), PATTERN), CODES),
    "MultiStreamLM": (step, STREAMS, audio.multi_stream_loss, CODES, FEATURES, PREFIX),
    "stream_losses": (audio.stream_losses, STREAMS, CODES, FEATURES),
    "sample_streams": (streamed, STREAMS, CODES, FEATURES, PREFIX, seeded()),
    "WaveCodec": (
        lambda m, x: (m.eval().encode(x), m.decode(m.encode(x))), CODEC, WAVES,
    ),
    "WaveCodec: step": (step, CODEC, audio.wave_codec_loss, rand(2, 3200), seeded()),
    "SpeechSynthesizer": (
        step, SPEAKER, audio.synthesis_loss, PHONEMES, torch.tensor([4, 2]), DURATIONS,
        torch.tensor([0, 1]), rand(2, 8, 7),
    ),
    "SpeechSynthesizer.speak": (
        lambda m, x, voice: m.speak(x, voice), SPEAKER, PHONEMES[0], rand(8),
    ),
    "length_regulator": (audio.length_regulator, rand(2, 4, 3), DURATIONS),
}  # fmt: skip

# --- science --------------------------------------------------------------------------

POSITIONS, MASK = rand(2, 5, 3), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
ELEMENTS = ints(2, 5, below=3)
ATOMS = structures.AtomTransformer(3, 8, 1)
EQUIVARIANT = structures.EquivariantNetwork(structures.EquivariantConfig(3, 8, 1))
PLACER = structures.StructureNetwork(8, 1)
TABLE = torch.cat([POSITIONS, torch.nn.functional.one_hot(ELEMENTS, 3)], dim=2)
TABLE = TABLE * MASK[..., None]
RELATIONS = ints(2, 5, 5, below=4)


def molecule_step(model, x, mask, generator):
    def loss(m, x, mask):
        return structures.molecule_loss(m, x, mask, generator=generator)

    return step(model, loss, x, mask)


def placing_step(model, positions, elements, relations, mask, generator):
    def loss(m, *batch):
        return structures.structure_loss(m, *batch, generator=generator)

    return step(model, loss, positions, elements, relations, mask)


def placed(model, elements, relations, mask, generator):
    graphs = structures.Graphs(elements, relations, mask)
    return list(structures.place_atoms(model, graphs, 2, generator))


SMILES = molecules.SmilesTokenizer.from_smiles(["CCO", "c1ccccc1Cl"])
MOLECULE_LM = DecoderLM(DecoderConfig.llama(SMILES.vocab_size, 16, 16, 1, 2, 1, 24))


def steered_molecules(decoder):
    found = molecules.steer(
        molecules.MoleculeModel(decoder, SMILES),
        lambda samples: torch.tensor([sample.count("C") / 9 for sample in samples]),
        molecules.SteeringSettings(steps=2, batch_size=4),
    )
    return found.model.decoder


CASES |= {
    "AtomTransformer": (molecule_step, ATOMS, TABLE, MASK, seeded()),
    "EquivariantNetwork": (molecule_step, EQUIVARIANT, TABLE, MASK, seeded()),
    "sample_molecules": (
        lambda m, sizes, g: structures.sample_molecules(m, sizes, 2, g),
        structures.AtomTransformer(8, 8, 1), torch.tensor([5, 3]), seeded(),
    ),
    "StructureNetwork": (
        placing_step, PLACER, POSITIONS, ELEMENTS, RELATIONS, MASK, seeded(),
    ),
    "place_atoms": (placed, PLACER, ELEMENTS, RELATIONS, MASK, seeded()),
    "equivariance_error": (
        lambda m, x, mask, matrices, t: structures.equivariance_error(
            m, structures.MoleculeTable(x, mask), matrices, t
        ), EQUIVARIANT, TABLE, MASK, structures.random_rotations(2, seeded()),
        torch.tensor([5.0, 20.0]),
    ),
    "geometry": (
        lambda x, y, mask: (
            structures.aligned_rmsd(x, y, mask),
            structures.kabsch(x, y, mask.float()),
            structures.remove_mean(x, mask),
        ), POSITIONS, rand(2, 5, 3, seed=1), MASK,
    ),
    "steer": (steered_molecules, MOLECULE_LM),
    "augmented_likelihood_loss": (
        partial(molecules.augmented_likelihood_loss, sigma=20),
        *rand(3, 4),
    ),
}  # fmt: skip

# --- worldmodels ----------------------------------------------------------------------

TINY = worldmodels.WorldModelConfig(groups=3, codes=4, hidden=16, memory=12)
WORLD = worldmodels.WorldModel(TINY, seed=1)
PLAYED = worldmodels.record_games(
    paddle_game.PaddleWorld(4), paddle_game.RandomPlayer(0), 30
)
STATE = worldmodels.DreamState(rand(2, 12), rand(2, 12, seed=1))
BUTTONS = torch.tensor([0, 2])
AGENT = worldmodels.ActorCritic(24)


def trained_world(model, frames):
    settings = worldmodels.WorldModelTraining(steps=2, batch_size=4, length=4)
    history = worldmodels.train_world_model(model, PLAYED, settings, progress=False)
    return history.losses, model, model.decode(model.codes(frames))


def dreamt(model, state, agent, generator):
    policy = agent.sampling(generator)
    imagined = worldmodels.imagine(model, state, policy, 3, generator=generator)
    rewards = worldmodels.learn_in_dreams(
        agent,
        lambda policy: worldmodels.imagine(
            model, state, policy, 3, generator=generator
        ), 2, generator=generator, progress=False,
    )  # fmt: skip
    return imagined, rewards, agent


def planned(model, state, generator):
    policy = worldmodels.planning_policy(model, generator)
    features = torch.cat([state.memory, state.codes], dim=-1)
    return policy(features)


def played_by_models(model, agent, frames, first):
    pixels = worldmodels.PixelPlayer(worldmodels.PixelAgent().to(frames.device))
    player = worldmodels.ModelPlayer(model, agent.greedy)
    return [player(frames, first), player(frames, ~first), pixels(frames, first)]


FRAMES = PLAYED.frames[0].float()
CASES |= {
    "WorldModel": (trained_world, WORLD, FRAMES),
    "state_after": (
        lambda m, starts: worldmodels.state_after(m, PLAYED, starts, 3), WORLD,
        torch.tensor([[4, 0], [9, 2]]),
    ),
    "dream_starts": (lambda m: worldmodels.dream_starts(m, PLAYED, 3), WORLD),
    "dream_step": (
        lambda m, state, actions, g: worldmodels.dream_step(
            m, state, actions, generator=g
        ), WORLD, STATE, BUTTONS, seeded(),
    ),
    "Dream": (
        lambda m, state, actions: worldmodels.Dream(m, state).step(actions), WORLD,
        STATE, BUTTONS,
    ),
    "learn_in_dreams": (dreamt, WORLD, STATE, AGENT, seeded()),
    "planning_policy": (planned, WORLD, STATE, seeded()),
    "Players": (played_by_models, WORLD, AGENT, FRAMES, torch.ones(4).bool()),
    "best_renaming": (
        lambda found: worldmodels.best_renaming(found, found.flip(0)),
        torch.tensor([2, 2, 0, 1]),
    ),
    "TableWorld": (
        lambda world, states, actions, g: (
            world.step(states, actions, g),
            worldmodels.action_values(world),
        ), worldmodels.five_places(), torch.tensor([0, 3]), torch.tensor([1, 0]),
        seeded(),
    ),
    "ForesightPlayer": (
        lambda a, b, first: (
            player := paddle_game.ForesightPlayer(), player(a, first),
            player(b, ~first),
        ), FRAMES, PLAYED.frames[1].float(), torch.ones(4).bool(),
    ),
    "lambda_returns": (worldmodels.lambda_returns, rand(4), rand(5), torch.ones(4)),
    "categorical_kl": (
        worldmodels.categorical_kl, rand(2, 3, 4).softmax(dim=-1),
        rand(2, 3, 4, seed=1).softmax(dim=-1),
    ),
    "straight_through": (
        worldmodels.straight_through_sample, rand(2, 4).softmax(dim=-1), seeded(),
    ),
    "ReturnScale": (lambda x: worldmodels.ReturnScale().update(x), rand(9)),
    "latent_action_loss": (worldmodels.latent_action_loss, rand(2, 3).log()),
    "read_positions": (paddle_game.read_positions, FRAMES),
    "reflex_player": (paddle_game.reflex_player, FRAMES, torch.ones(4).bool()),
    "PaddleWorld": (
        lambda a: paddle_game.PaddleWorld(2).step(a).rewards.tolist(),
        BUTTONS,
    ),
}  # fmt: skip

# --- policies -------------------------------------------------------------------------

POLICY = policies.InstructedPolicy(
    policies.InstructedPolicyConfig(words=3, chunk=2, channels=4, context=8), 0
)
SEEN = rand(2, 3, 8, 8), torch.eye(3)[:2], 8 * rand(2, 2)
TOKENS = policies.ActionTokenPolicy(8, 3, 3, seed=0)
HEADS = policies.RegressionHead, policies.MixtureHead, policies.FlowHead


def policy_step(model, images, words, gripper, chunks, generator):
    def loss(model, *batch):
        return model.loss(*batch, generator)

    return step(model, loss, images, words, gripper, chunks)


CASES |= {
    "InstructedPolicy": (policy_step, POLICY, *SEEN, rand(2, 2, 2), seeded()),
    "InstructedPolicy.act": (
        lambda model, *seen: [model.act(name, *seen, seeded()) for name in model.heads],
        POLICY, *SEEN,
    ),
    "heads": (
        lambda heads, context, x: [
            (head.loss(context, x, seeded()), head.sample(context, seeded()))
            for head in heads
        ],
        [head(3, 4) for head in HEADS], rand(5, 3), rand(5, 4),
    ),
    "FlowHead.complete": (
        lambda head, context, first: head.complete(context, first, seeded()),
        policies.FlowHead(3, 4), rand(5, 3), rand(5, 2),
    ),
    "ActionTokenPolicy": (
        lambda model, images, words: step(
            model, lambda model, *seen: model(*seen).logsumexp(1).sum(), images, words
        ),
        TOKENS, rand(2, 3, 8, 8), torch.eye(3)[:2],
    ),
    "ActionTokenPolicy.act": (
        lambda model, *seen: model.act(*seen, seeded()),
        TOKENS, rand(2, 3, 8, 8), torch.eye(3)[:2],
    ),
    "make_chunks": (lambda moves: policies.make_chunks(moves, 2), rand(3, 2)),
    "temporal_ensemble": (policies.temporal_ensemble, [rand(2, 3, 1), rand(2, 3, 1)]),
}  # fmt: skip

# --- retrieval and safety -------------------------------------------------------------

VECTORS, QUERIES = rand(40, 4), rand(3, 4, seed=1)
LOSSES = rand(4, 6)


BYTES = train_bpe(" he she nurse king" * 9, 275)
BYTES_LM = DecoderLM(DecoderConfig.llama(BYTES.vocab_size, 96, 16, 1, 2, 1, 24))


def inverted(vectors, queries, generator):
    index = retrieval.InvertedFileIndex.fit(vectors, 4, generator, steps=2)
    return index.search(queries, k=3, probes=2)


def product(vectors, queries, generator):
    quantizer = retrieval.ProductQuantizer.fit(vectors, 2, generator, codes=4, steps=2)
    codes = quantizer.encode(vectors)
    return codes, quantizer.decode(codes), quantizer.distances(queries, codes)


def small_world(vectors, queries):
    return retrieval.SmallWorldGraph(vectors, links=4, width=6).search(queries, 3, 6)


def stored(vectors):
    store = retrieval.PassageStore(":memory:", width=4)
    store.add([retrieval.Passage("It rains.", "diary")], vectors[:1])
    found = store.search_vectors(vectors[1], k=1)[0].passage.text
    store.close()
    return found


def steered(model, ids, direction):
    with safety.direction_ablated(model, direction):
        logits = model(ids)
    return logits, safety.orthogonalized(model, direction)


CASES |= {
    "SentenceEncoder": (
        lambda m, ids, lengths: m(ids, lengths),
        retrieval.SentenceEncoder(
            retrieval.SentenceEncoderConfig(13, 8, 1, 2, feed_forward_width=16)
        ), IDS, torch.tensor([8, 3, 5]),
    ),
    "InvertedFileIndex": (inverted, VECTORS, QUERIES, seeded()),
    "ProductQuantizer": (product, VECTORS, QUERIES, seeded()),
    "SmallWorldGraph": (small_world, VECTORS, QUERIES),
    "PassageStore": (stored, VECTORS),
    "late_interaction": (
        lambda query, a, b: retrieval.late_interaction(query, [a, b]), QUERIES,
        VECTORS[:5], VECTORS[5:9],
    ),
    "recall_of_neighbours": (
        retrieval.recall_of_neighbours,
        torch.tensor([[4, 2, 7]]),
        torch.tensor([[4, 7, 9]]),
    ),
    "association_test": (safety.association_test, *rand(4, 3, 5).unbind()),
    "associations": (safety.associations, rand(3, 5), rand(2, 5), rand(2, 5, seed=1)),
    "direction_ablated": (steered, LM, IDS, rand(16)),
    "last_token_states": (
        lambda m: (
            safety.last_token_states(m, [[2, 3], [4]]),
            safety.mean_difference(m, [[2, 3], [4]], [[5, 6, 7], [8]]),
        ),
        LM,
    ),
    "readings of texts": (
        lambda m: (
            safety.pronoun_log_odds(m, BYTES, ["nurse", "king"]),
            safety.windowed_surprise(m, BYTES, ["a king", "xq"]),
            retrieval.query_likelihood(m, BYTES, "Who?", ["A king.", "Rain."]),
        ),
        BYTES_LM,
    ),
    "token_losses": (safety.token_losses, LM, IDS),
    "loss_attack": (safety.loss_attack, LOSSES),
    "min_k_attack": (safety.min_k_attack, LOSSES),
    "zlib_attack": (
        lambda losses: safety.zlib_attack(losses, [b"a", b"bc", b"aaa", b"d"]),
        LOSSES,
    ),
    "unlabelled_verdicts": (safety.unlabelled_verdicts, rand(9)),
}  # fmt: skip

# --- edge -----------------------------------------------------------------------------


def federated(model, tokens):
    batches = TokenBatches(tokens.cpu(), 8, 2, seed=0)
    update, _ = edge.local_update(model, batches, 2, edge.sgd(0.1))
    row = edge.encode_update(update, 2**16)
    seeds = torch.tensor([[0, 9], [9, 0]])
    masked = torch.stack([edge.mask_update(row, n, seeds) for n in (0, 1)])
    return (
        edge.federated_average([update, update], [1, 2]),
        edge.decode_update(edge.secure_sum(masked), 2**16, update),
    )


def personal(model, tokens):
    settings = edge.PersonalSettings(
        lora=LoRAConfig(rank=2), steps=2, batch_size=2, context_length=8, old_share=0.5
    )
    own, old = tokens[:30], tokens[30:]
    after = edge.personalize(model, own, settings, old=old, progress=False)
    return after, edge.loss_change(model, after, own, 8)._asdict()


def one_step(model, ids):
    walker = edge.DecoderStep(model)
    return walker(ids[:1, :1], *walker.first_state())


CASES |= {
    "federated": (federated, LM, ints(60, below=13)),
    "personalize": (personal, LM, ints(60, below=13)),
    "DecoderStep": (one_step, LM, IDS),
    "best_match": (
        lambda m, ids: edge.best_match(m, ids, edge.gradient_of(m, ids[1])),
        LM,
        IDS,
    ),
}

# --- data and tasks -------------------------------------------------------------------

SHAPES = shapes.load_shapes(2, seed=0, objects=(2,))
INSTRUCTIONS = shapes.random_instructions(2, seed=0)
DESCRIBED = [shapes.describe(scene) for scene in SHAPES.scenes]
CLIPS = motion.load_clips(2, seed=0)

CASES |= {
    "levels": (
        lambda x, g: (
            data.to_levels(x), data.from_levels(data.to_levels(x)),
            data.requantize(data.dequantize(data.to_levels(x), g)),
        ),
        rand(2, 4, 4), seeded(),
    ),
    "random_affine": (data.random_affine, rand(2, 28, 28), seeded()),
    "caption_accuracy": (
        lambda x: vars(shapes.caption_accuracy(SHAPES.captions, x)),
        SHAPES.images,
    ),
    "Latin squares": (
        lambda m, x, g: (
            latin.CountingDenoiser(3)(x[:, :9].clamp(max=3)), latin.is_latin(x),
            latin.fill_single_candidates(x), latin.backtrack(x[0]),
            latin.solve_left_to_right(m, x, g),
            latin.left_to_right_loss(m, x.clamp(min=1), g),
        ),
        recipes.LATIN_LEFT_TO_RIGHT.build(),
        recipes.held_out_puzzles(12)[:3], seeded(),
    ),
    "outlines": (
        lambda x: (
            shapes.outlines(x), shapes.silhouettes(x), shapes.ink_colour(x),
            [str(score) for score in shapes.layout_scores(SHAPES.scenes, x)],
        ),
        SHAPES.images,
    ),
    "instruction_scores": (
        lambda x: [str(s) for s in shapes.instruction_scores(INSTRUCTIONS, x)],
        SHAPES.images,
    ),
    "read_scenes": (lambda x: [str(r) for r in shapes.read_scenes(x)], SHAPES.images),
    "motion_accuracy": (
        lambda x: (
            str(motion.track(x)),
            vars(motion.motion_accuracy(CLIPS.captions, x)),
        ),
        CLIPS.films,
    ),
    "judged pictures": (
        lambda x, maps: (
            [str(score) for score in shapes.caption_scores(SHAPES.captions, x)],
            str(shapes.colour_binding(DESCRIBED, x)),
            shapes.attention_binding(DESCRIBED[0], x[:1], maps),
        ),
        SHAPES.images, rand(1, 17, 8, 8),
    ),
    "shown": (
        lambda x: (
            image_grid(x) is not None,
            Sound(x.flatten() * 0.5, 8000, "name", "a hiss").to_text(),
            str(
                claim("It is small", measured=x.mean(), holds=x.max() <= 1, exact=True)
            ),
        ),
        rand(2, 8, 8),
    ),
    "detour": (
        lambda states, paths: (
            detour.correct_moves(states), detour.correct_moves(states, states[:, 0]),
            detour.crashes(paths),
        ),
        rand(4, 3), rand(4, 5, 2),
    ),
    "fit_line": (motion.fit_line, rand(4, 2)),
    "babyai_images": (babyai.babyai_images, ints(2, 7, 7, below=22).byte()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    check(*CASES[name])
