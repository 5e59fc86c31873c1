"""Generation speed of SmolLM2: the book's decoder in 32, 16, 8 and 4 bits, next to
transformers and, if it is installed, llama.cpp.

All of them generate 128 new tokens greedily in one conversation, from the same weights.
They alternate, so that other load on the machine slows all of them alike; compare the
ratios, not the seconds. The limit is memory bandwidth, because each token reads all
weights. It is measured at the same time, by summing a large tensor.

    # about four minutes on two quiet cores
    OMP_NUM_THREADS=2 python benchmarks/decoding.py
    # to see that it works
    OMP_NUM_THREADS=2 python benchmarks/decoding.py --rounds 1 --tokens 16 --no-save
"""

import argparse
import ctypes
import gc
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import load_wikipedia
from genai_tutorial.efficiency import Int4Linear, TransposedLinear, quantized
from genai_tutorial.pretrained.smollm2 import find_smollm2, load_smollm2
from genai_tutorial.runtime import describe_machine, write_atomically
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import AttentionContext, DecoderLM

RESULTS = Path(__file__).parent / "results" / "decoding.json"
QUESTION = (
    "Explain in a few sentences how a bicycle stays upright, and why it falls when it "
    "stands still."
)
KINDS = {
    "transformers float32": torch.float32,
    "transformers bfloat16": torch.bfloat16,
    "ours float32": torch.float32,
    "ours bfloat16": torch.bfloat16,
    "ours float32 fused": torch.float32,
    "ours int8": torch.float32,
    "ours int4": torch.float32,
    "llama.cpp": None,
}
BASE = "transformers float32"
Write = Callable[[list[int], int], tuple[list[int], list[float]]]
"""A function of a prompt and a number of tokens that returns the new tokens and the
time of each.
"""


class Clock:
    """A streamer that records times: transformers calls it with each new token, and
    with the prompt first.
    """

    def __init__(self):
        self.times: list[float] = []

    def put(self, value: Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


def transformers_writer(model: DecoderLM, dtype: torch.dtype) -> Write:
    import transformers

    config = model.config
    theirs = transformers.LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        intermediate_size=config.hidden_width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.attention.heads,
        num_key_value_heads=config.attention.key_value_heads,
        max_position_embeddings=config.context_length,
        rms_norm_eps=config.norm.epsilon,
        rope_theta=float(config.attention.rotary_base),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(config.attention.rotary_base),
        },
        tie_word_embeddings=True,
        eos_token_id=None,
        bos_token_id=None,
    )
    llama = transformers.LlamaForCausalLM(theirs)
    names = {
        "attention_norm": "input_layernorm",
        "feed_forward_norm": "post_attention_layernorm",
    }
    names |= {
        f"attention.{ours}": f"self_attn.{ours[0]}_proj"
        for ours in ("query", "key", "value", "output")
    }
    names |= {"feed_forward.gate": "mlp.gate_proj", "feed_forward.widen": "mlp.up_proj"}
    names |= {"feed_forward.output": "mlp.down_proj"}
    state = {
        "model.embed_tokens.weight": model.token_embedding.weight,
        "model.norm.weight": model.final_norm.weight,
    }
    for layer, block in enumerate(model.blocks):
        parts = block.state_dict()
        state |= {
            f"model.layers.{layer}.{new}.weight": parts[f"{old}.weight"]
            for old, new in names.items()
        }
    state["lm_head.weight"] = model.token_embedding.weight
    llama.load_state_dict(state)
    llama = llama.to(dtype).eval()

    def write(prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        clock, ids = Clock(), torch.tensor([prompt])
        settings = {
            "max_new_tokens": tokens,
            "do_sample": False,
            "attention_mask": torch.ones_like(ids),
        }
        out = llama.generate(ids, streamer=clock, **settings)
        return out[0, len(prompt) :].tolist(), clock.times[1:]

    return write


def our_writer(model: DecoderLM) -> Write:
    def write(prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        cache, ids, new, times = (
            model.make_cache(1, len(prompt) + tokens),
            torch.tensor([prompt]),
            [],
            [],
        )
        for _ in range(tokens):
            hidden = model.read(ids, AttentionContext.cached(cache))
            ids = model.logits(hidden[:, -1:]).argmax(dim=-1)
            new.append(int(ids))
            times.append(time.perf_counter())
        return new, times

    return write


def llama_cpp_writer() -> Write:
    from llama_cpp import Llama

    llama = Llama(
        str(find_smollm2()),
        n_ctx=1024,
        n_threads=torch.get_num_threads(),
        verbose=False,
    )

    def write(prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        new, times = [], []
        for token in llama.generate(prompt, temp=0.0, repeat_penalty=1.0):
            new.append(token)
            times.append(time.perf_counter())
            if len(new) == tokens:
                return new, times
        return new, times

    return write


def make_writer(kind: str, model: DecoderLM | None = None) -> Write:
    """Build one of `KINDS`, from the float32 model if it is already loaded."""
    if kind == "llama.cpp":
        return llama_cpp_writer()
    if kind == "ours bfloat16":
        return our_writer(load_smollm2(torch.bfloat16)[0])
    model = load_smollm2()[0] if model is None else model
    if kind.startswith("transformers"):
        return transformers_writer(model, KINDS[kind])
    precision = {
        "ours float32 fused": "float32",
        "ours int8": "int8",
        "ours int4": "int4",
    }.get(kind)
    return our_writer(model if precision is None else quantized(model, precision))


def megabytes_per_token(kind: str, model: DecoderLM) -> float:
    """Return the megabytes read per token: all weights including the head, but only
    one row of the embedding.
    """
    if kind == "llama.cpp":
        return find_smollm2().stat().st_size / 1e6
    if kind in ("ours int8", "ours int4"):
        fast = quantized(model, kind.removeprefix("ours "))
        tensors = [
            *fast.blocks.parameters(),
            *fast.blocks.buffers(),
            *fast.head.buffers(),
        ]
        # without rotary angles
        own = {
            id(one): one
            for one in tensors
            if one.shape[:1] != (model.config.context_length,)
        }
        return sum(one.nbytes for one in own.values()) / 1e6
    return (
        sum(parameter.numel() for parameter in model.parameters())
        * KINDS[kind].itemsize
        / 1e6
    )


def read_bandwidth() -> float:
    """Return the best read bandwidth of all threads together in GB/s, for a tensor too
    large for the CPU caches.
    """
    buffer = torch.ones(135_000_000)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        buffer.sum()
        best = min(best, time.perf_counter() - start)
    return buffer.nbytes / best / 1e9


def measure_speed(
    writers: dict[str, Write], prompt: list[int], tokens: int, rounds: int
) -> dict:
    speeds: dict[str, list[float]] = {kind: [] for kind in writers}
    prompts: dict[str, list[float]] = {kind: [] for kind in writers}
    texts, bandwidths, load = {}, [], []
    for write in writers.values():
        write(prompt, 4)  # the first steps of a process are slow
    for _ in range(rounds):
        bandwidths.append(read_bandwidth())
        load.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
        for kind, write in writers.items():
            start = time.perf_counter()
            texts[kind], times = write(prompt, tokens)
            prompts[kind].append(len(prompt) / (times[0] - start))
            speeds[kind].append((len(times) - 1) / (times[-1] - times[0]))
    return {
        "speeds": speeds,
        "prompts": prompts,
        "texts": texts,
        "bandwidths": bandwidths,
        "load": load,
    }


def resident_memory(kind: str) -> int:
    """Return the memory in MB of a process that has loaded one kind and generated with
    it.
    """
    program = [sys.executable, __file__, "--memory-of", kind]
    return int(
        subprocess.run(
            program, capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
    )


def print_own_memory(kind: str, prompt: list[int]) -> None:
    write = None if kind == "nothing" else make_writer(kind)
    if write is not None:
        write(prompt, 8)
    gc.collect()
    try:
        # return freed memory that the C library keeps
        ctypes.CDLL(None).malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        print(round(pages * resource.getpagesize() / 1e6))
    except (OSError, AttributeError):  # not Linux: peak memory, reached while loading
        print(
            round(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                * (1 if sys.platform == "darwin" else 1024)
                / 1e6
            )
        )


@torch.no_grad()
def measure_quality(
    model: DecoderLM, tokenizer: BPETokenizer, rows: int = 4, length: int = 512
) -> dict:
    """Compare next-token predictions with float32 on Wikipedia articles."""
    ids = tokenizer.encode(
        load_wikipedia().text[: 12 * rows * length], special_as_text=True
    )[: rows * length + 1]
    inputs, targets = (
        torch.tensor(part).view(rows, length) for part in (ids[:-1], ids[1:])
    )

    def log_probabilities(model: DecoderLM) -> Tensor:
        return torch.cat(
            [model(row[None]).float().log_softmax(dim=-1) for row in inputs]
        )

    exact = log_probabilities(model)

    def compare(other: DecoderLM) -> dict:
        found = log_probabilities(other)
        loss = functional.nll_loss(found.flatten(0, 1), targets.flatten())
        return {
            "perplexity": round(loss.exp().item(), 3),
            "kl_nats": round(
                (exact.exp() * (exact - found)).sum(dim=-1).mean().item(), 6
            ),
            "same_best_token": round(
                (exact.argmax(dim=-1) == found.argmax(dim=-1)).float().mean().item(), 4
            ),
        }

    int4 = quantized(model, "int4")
    results = {"tokens": rows * length, "float32": compare(model)}
    results["bfloat16"] = compare(load_smollm2(torch.bfloat16)[0])
    results["float32 fused"] = compare(quantized(model, "float32"))
    results["int8"] = compare(quantized(model, "int8"))
    results["int4"] = compare(int4)
    int4.head = TransposedLinear(model.token_embedding.weight)
    results["int4 with a float32 head"] = compare(int4)
    int4.head = Int4Linear(model.token_embedding.weight)
    results["int4 with an int4 head"] = compare(int4)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument(
        "--no-save",
        action="store_true",
        help="print only, and leave out memory and quality",
    )
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    model, tokenizer = (None, None) if arguments.memory_of else load_smollm2()
    if arguments.memory_of:
        print_own_memory(arguments.memory_of, list(range(100, 150)))
        return
    prompt = SMOLLM2_CHAT.encode(tokenizer, [Message("user", QUESTION)])
    kinds = [
        kind
        for kind in KINDS
        if kind != "llama.cpp" or importlib.util.find_spec("llama_cpp")
    ]
    writers = {kind: make_writer(kind, model) for kind in kinds}
    measured = measure_speed(writers, prompt, arguments.tokens, arguments.rounds)
    del writers
    bandwidth = max(measured["bandwidths"])
    rows = {}
    for kind in kinds:
        # The median of the ratios within rounds, because other load slows whole rounds.
        paired = zip(measured["speeds"][kind], measured["speeds"][BASE], strict=True)
        speed, read = (
            statistics.median(measured["speeds"][kind]),
            megabytes_per_token(kind, model),
        )
        rows[kind] = {
            "tokens_a_second": round(speed, 1),
            "of_each_round": [round(one, 1) for one in measured["speeds"][kind]],
            "times_transformers_float32": round(
                statistics.median(ours / base for ours, base in paired), 2
            ),
            "prompt_tokens_a_second": round(
                statistics.median(measured["prompts"][kind])
            ),
            "megabytes_read_a_token": round(read, 1),
            "share_of_the_bandwidth": round(speed * read / 1000 / bandwidth, 3),
            "same_text_as_transformers": measured["texts"][kind]
            == measured["texts"][BASE],
        }
    print(
        f"memory bandwidth {bandwidth:.1f} GB/s; load of the machine {measured['load']}"
    )
    print(f"{'':24}{'tokens/s':>10}{'ratio':>8}{'MB/token':>12}{'of bandwidth':>14}")
    for kind, row in rows.items():
        print(
            f"{kind:24}{row['tokens_a_second']:10.1f}{row['times_transformers_float32']:8.2f}"
            f"{row['megabytes_read_a_token']:12.1f}{row['share_of_the_bandwidth']:14.1%}"
        )
    if arguments.no_save:
        return
    base = resident_memory("nothing")
    for kind in kinds:
        rows[kind]["megabytes_held_above_the_libraries"] = resident_memory(kind) - base
    quality = measure_quality(model, tokenizer)
    print(json.dumps(quality, indent=1))
    results = {
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "load_average": [round(one, 2) for one in measured["load"] if one is not None],
        "prompt_tokens": len(prompt),
        "new_tokens": arguments.tokens,
        "gigabytes_read_a_second": [round(one, 1) for one in measured["bandwidths"]],
        "llama.cpp": "measured"
        if "llama.cpp" in kinds
        else "not installed here, so not measured",
        "speed": rows,
        "quality_on_wikipedia": quality,
    }
    with write_atomically(RESULTS, "w") as file:
        file.write(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
