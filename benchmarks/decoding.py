"""How fast SmolLM2 generates, engine by engine: transformers, the book's decoder in 32,
16, 8 and 4 bits, its decoding step in C, and llama.cpp; then prompt lookup, and batches
of a smaller model.

All engines continue one conversation greedily for one user, with the same weights. They
alternate, so that other load slows all of them alike; compare the ratios, not the
seconds. An engine's rate is that of the tokens after the first: the time for all of
them less the time for one, which reads the prompt. The limit is the memory bandwidth,
because each token reads all weights; it is measured in each round.

llama.cpp comes as the wheel of xllamacpp (`pip install xllamacpp`), and is left out
where that is missing. Its own description of how it was built is printed and kept: the
wheel for Linux uses AVX2, so the engine to compare with is "C lanes, avx2".

    # under five minutes on two quiet cores
    python benchmarks/decoding.py --threads 1 2
    # to see that it works
    python benchmarks/decoding.py --threads 1 --rounds 1 --tokens 8 --no-save
"""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
from finished import script_parser
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import load_wikipedia
from genai_tutorial.efficiency import (
    NativeBuildError,
    find_compiler,
    generate_natively,
    memory_bandwidth,
    native,
    quantized,
)
from genai_tutorial.generation import generate_with_lookup
from genai_tutorial.pretrained import find_smollm2, load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.runtime import describe_machine, keep_record, write_atomically
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import AttentionContext, DecoderLM

RESULTS = Path(__file__).parent / "results" / "decoding.json"
QUESTION = (
    "Explain in a few sentences how a bicycle stays upright, and why it falls when it "
    "stands still."
)
COPY = "Repeat this text word for word, and nothing else:\n\n"
BASE, RIVAL = "transformers float32", "llama.cpp"
C_ENGINES = {
    "C rows": ("rows", "native"),
    "C lanes, sse4.2": ("lanes", "sse4.2"),
    "C lanes, avx2": ("lanes", "avx2"),
    "C lanes": ("lanes", "native"),
    "C vnni": ("vnni", "native"),
}
SLOW = "C rows"  # a tenth of the tokens are enough
STEPPED = ", step by step"  # called from Python once per token
BATCHES = (1, 2, 4, 8, 16, 32, 64)
Write = Callable[[list[int], int], list[int]]
"""A function of a prompt and a number of tokens that returns the new tokens."""


# --- The engines -------------------------------------------------------------------


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

    def write(prompt: list[int], tokens: int) -> list[int]:
        ids = torch.tensor([prompt])
        out = llama.generate(
            ids,
            max_new_tokens=tokens,
            do_sample=False,
            attention_mask=torch.ones_like(ids),
        )
        return out[0, len(prompt) :].tolist()

    return write


def our_writer(model: DecoderLM) -> Write:
    def write(prompt: list[int], tokens: int) -> list[int]:
        cache = model.make_cache(1, len(prompt) + tokens)
        ids, new = torch.tensor([prompt]), []
        for _ in range(tokens):
            hidden = model.read(ids, AttentionContext.cached(cache))
            ids = model.logits(hidden[:, -1:]).argmax(dim=-1)
            new.append(int(ids))
        return new

    return write


class LlamaCpp:
    """llama.cpp, as the wheel of xllamacpp brings it."""

    def __init__(self, threads: int):
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(find_smollm2())
        settings.n_ctx, settings.n_parallel, settings.verbosity = 1024, 1, -1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        self.server = xllamacpp.Server(settings)

    def complete(self, prompt: list[int], tokens: int, **options: object) -> dict:
        request = {"prompt": prompt, "n_predict": tokens, "temperature": 0.0}
        request |= {"ignore_eos": True} | options
        return self.server.handle_completions(request)

    def write(self, prompt: list[int], tokens: int) -> list[int]:
        answer = self.complete(prompt, tokens, cache_prompt=False)
        # It returns no ids, so there is nothing to compare.
        assert answer["usage"]["completion_tokens"] == tokens
        return []

    def log_probabilities(self, ids: list[int], known: int = 2000) -> dict[int, float]:
        """Return the log-probability of each next token, by position, where it is among
        the `known` most probable ones.
        """
        found = {}
        for position in range(1, len(ids)):
            answer = self.complete(
                ids[:position], 1, n_probs=known, cache_prompt=True, ignore_eos=False
            )
            logprobs = answer["choices"][0]["logprobs"]
            if not logprobs:  # where it would write part of a character, or the end
                continue
            first = logprobs["content"][0]
            of_token = {one["id"]: one["logprob"] for one in first["top_logprobs"]}
            if ids[position] in of_token:
                found[position - 1] = of_token[ids[position]]
        return found


def describe_llama_cpp() -> dict | None:
    try:
        import xllamacpp
    except ImportError:
        return None
    return {
        "xllamacpp": xllamacpp.__version__,
        "system": xllamacpp.get_system_info().strip(),
    }


def natives(model: DecoderLM) -> dict[str, DecoderLM]:
    """Return the decoders in C that this machine can build."""
    found = {}
    for name, (kernel, instructions) in C_ENGINES.items():
        older = instructions != "native"
        if older and platform.machine().lower() not in ("x86_64", "amd64"):
            continue
        try:
            found[name] = native(model, kernel, instructions)
        except NativeBuildError as error:
            print(f"{name} is left out: {error}")
    return found


def megabytes_per_token(decoder: DecoderLM) -> float:
    """Return the megabytes read per token: all weights including the head, but only one
    row of the embedding.
    """
    if decoder.head is None:
        return sum(one.nbytes for one in decoder.parameters()) / 1e6
    if compiled := getattr(decoder.head, "compiled", None):
        arrays = (compiled.weights, compiled.norms, compiled.head)
        return sum(one.nbytes for one in arrays) / 1e6
    tensors = [
        *decoder.blocks.parameters(),
        *decoder.blocks.buffers(),
        *decoder.head.buffers(),
    ]
    angles = decoder.config.context_length  # their first dimension
    own = {id(one): one for one in tensors if one.shape[:1] != (angles,)}
    return sum(one.nbytes for one in own.values()) / 1e6


# --- What is measured ----------------------------------------------------------------


def clocked(write: Write, prompt: list[int], tokens: int) -> tuple[list[int], Tensor]:
    """Return the tokens, and the seconds by the clock and of all processors."""
    start = time.perf_counter(), time.process_time()
    new = write(prompt, tokens)
    end = time.perf_counter(), time.process_time()
    return new, torch.tensor(
        [after - before for after, before in zip(end, start, strict=True)]
    )


def measure_speed(
    writers: dict[str, Write], prompt: list[int], tokens: int, rounds: int
) -> dict:
    """Return each engine's rates, round by round."""
    names = ("rates", "processor_rates", "prompt_rates")
    found = {kind: {name: [] for name in names} for kind in writers}
    texts, bandwidths, load = {}, [], []
    for write in writers.values():
        write(prompt[:4], 2)  # the first steps of a process are slow
    for _ in range(rounds):
        bandwidths.append(memory_bandwidth(repeats=3))
        load.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
        for kind, write in writers.items():
            count = max(tokens // 10, 4) if kind == SLOW else tokens
            part = prompt[: len(prompt) // 4] if kind == SLOW else prompt
            _, first = clocked(write, part, 1)
            texts[kind], whole = clocked(write, part, count)
            rate, processor_rate = ((count - 1) / (whole - first)).tolist()
            found[kind]["rates"].append(rate)
            found[kind]["processor_rates"].append(processor_rate)
            found[kind]["prompt_rates"].append(len(part) / first[0].item())
    return {"engines": found, "texts": texts, "bandwidths": bandwidths, "load": load}


def summarize(measured: dict, megabytes: dict[str, float]) -> dict:
    """Return a row per engine, with the medians of the ratios within rounds, because
    other load slows whole rounds.
    """
    engines, bandwidth = measured["engines"], max(measured["bandwidths"])
    rows = {}
    for kind, found in engines.items():
        rate = statistics.median(found["rates"])
        row = {
            "tokens_per_second": round(rate, 1),
            "of_each_round": [round(one, 1) for one in found["rates"]],
            "tokens_per_processor_second": round(
                statistics.median(found["processor_rates"]), 1
            ),
            "prompt_tokens_per_second": round(statistics.median(found["prompt_rates"])),
            "megabytes_per_token": round(megabytes[kind], 1),
            "share_of_bandwidth": round(rate * megabytes[kind] * 1e6 / bandwidth, 3),
        }
        for name, other in (("times_transformers", BASE), ("times_llama_cpp", RIVAL)):
            if other in engines:
                row[name] = ratio(found["rates"], engines[other]["rates"])
                row[f"{name}_by_processor_time"] = ratio(
                    found["processor_rates"], engines[other]["processor_rates"]
                )
        if kind not in (RIVAL, SLOW):
            row["same_text"] = measured["texts"][kind] == measured["texts"][BASE]
        rows[kind] = row
    return rows


def ratio(ours: list[float], theirs: list[float]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return round(statistics.median(one / other for one, other in pairs), 2)


def measure_lookup(
    model: DecoderLM, tokenizer: BPETokenizer, tokens: int, rounds: int
) -> dict:
    """Return what prompt lookup gains on a text that copies its prompt, and in a chat;
    with float32 weights, of which one reading serves all copied tokens.
    """
    article = load_wikipedia().text[:400]
    plain, found = our_writer(model), {}
    for name, question in (("copy", COPY + article), ("chat", QUESTION)):
        prompt = SMOLLM2_CHAT.encode(tokenizer, [Message("user", question)])
        for drafted in (4, 8):
            times, passes, same = [], 0, True
            for _ in range(rounds):
                expected, slow = clocked(plain, prompt, tokens)
                start = time.perf_counter()
                looked_up = generate_with_lookup(
                    model, torch.tensor([prompt]), tokens, drafted=drafted
                )
                times.append(slow[0].item() / (time.perf_counter() - start))
                passes = looked_up.passes
                same &= looked_up.ids[0, len(prompt) :].tolist() == expected
            found[f"{name}, {drafted} drafted"] = {
                "times_as_fast": round(statistics.median(times), 2),
                "tokens_per_pass": round(tokens / passes, 2),
                "same_text": same,
            }
    return found


def measure_batches(tokens: int, rounds: int) -> dict:
    """Return the tokens per second of factbook-base, for batches of different sizes
    that alternate.
    """
    model, _ = load("factbook-base")
    rates: dict[int, list[float]] = {size: [] for size in BATCHES}
    for _ in range(rounds + 1):
        for size in BATCHES:
            ids = torch.arange(16).repeat(size, 1)
            cache = model.make_cache(size, 16 + tokens)
            hidden = model.read(ids, AttentionContext.cached(cache))
            start = time.perf_counter()
            for _ in range(tokens):
                ids = model.logits(hidden[:, -1:]).argmax(dim=-1)
                hidden = model.read(ids, AttentionContext.cached(cache))
            rates[size].append(size * tokens / (time.perf_counter() - start))
    rates = {size: found[1:] for size, found in rates.items()}  # the first warms up
    return {
        str(size): {
            "tokens_per_second": round(statistics.median(found)),
            "times_one_row": ratio(found, rates[1]),
        }
        for size, found in rates.items()
    }


def measure_quality(
    model: DecoderLM, others: dict[str, DecoderLM], ids: list[int]
) -> dict:
    """Compare the predictions of the next token with float32, on one text."""
    inputs, targets = torch.tensor([ids[:-1]]), torch.tensor(ids[1:])
    exact = model(inputs)[0]
    log_exact = exact.log_softmax(dim=-1)
    rows = {}
    for name, other in {"ours float32": model, **others}.items():
        logits = other(inputs)[0].float()
        found = logits.log_softmax(dim=-1)
        loss = functional.nll_loss(found, targets)
        kl = (log_exact.exp() * (log_exact - found)).sum(dim=-1).mean()
        agree = (found.argmax(dim=-1) == exact.argmax(dim=-1)).float().mean()
        rows[name] = {
            "perplexity": round(loss.exp().item(), 3),
            "kl_nats": round(kl.item(), 6) + 0.0,  # no -0.0
            "same_best_token": round(agree.item(), 4),
            "largest_logit_difference": float(f"{(logits - exact).abs().max():.2g}"),
        }
    return rows


def compare_perplexity(model: DecoderLM, llama: LlamaCpp, ids: list[int]) -> dict:
    """Return both perplexities, at the positions whose next token is among the 2,000
    that llama.cpp returns.
    """
    theirs = llama.log_probabilities(ids)
    positions = torch.tensor(sorted(theirs))
    found = model(torch.tensor([ids[:-1]]))[0].log_softmax(dim=-1)
    ours = found[positions, torch.tensor(ids[1:])[positions]].mean().neg().exp().item()
    mean = statistics.mean(theirs.values())
    llama_cpp = torch.tensor(-mean).exp().item()
    return {
        "positions": len(positions),
        "perplexity": {"ours float32": round(ours, 3), RIVAL: round(llama_cpp, 3)},
        "ratio": round(llama_cpp / ours, 4),
    }


# --- The script ----------------------------------------------------------------------


def show(threads: int, measured: dict, rows: dict) -> None:
    bandwidth = max(measured["bandwidths"]) / 1e9
    load = [round(one, 1) for one in measured["load"] if one is not None]
    print(f"\n{threads} threads, {bandwidth:.1f} GB/s; load of the machine {load}")
    heads = ("tok/s", "processor", "x transf.", "x llama", "(proc.)", "of bandwidth")
    print(f"{'':28}" + "".join(f"{head:>13}" for head in heads))
    for kind, row in rows.items():
        numbers = (
            row["tokens_per_second"],
            row["tokens_per_processor_second"],
            row["times_transformers"],
            row.get("times_llama_cpp", float("nan")),
            row.get("times_llama_cpp_by_processor_time", float("nan")),
            row["share_of_bandwidth"],
        )
        print(f"{kind:28}" + "".join(f"{number:13.2f}" for number in numbers))


def compiler_version() -> str | None:
    if (compiler := find_compiler()) is None:
        return None
    command = [compiler, "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.partition("\n")[0]


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--no-save", action="store_true")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    model, tokenizer = load_smollm2()
    prompt = SMOLLM2_CHAT.encode(tokenizer, [Message("user", QUESTION)])
    text = tokenizer.encode(load_wikipedia().text[:3000], special_as_text=True)[:301]
    llama_cpp, c_decoders = describe_llama_cpp(), natives(model)
    print("llama.cpp:", llama_cpp or "not installed, so left out")
    decoders = {
        "ours float32": model,
        "ours bfloat16": load_smollm2(torch.bfloat16)[0],
        "ours float32 fused": quantized(model, "float32"),
        "ours int8": quantized(model, "int8"),
        "ours int4": quantized(model, "int4"),
    }
    writers: dict[str, Write] = {
        BASE: transformers_writer(model, torch.float32),
        "transformers bfloat16": transformers_writer(model, torch.bfloat16),
    }
    writers |= {kind: our_writer(decoder) for kind, decoder in decoders.items()}
    megabytes = {
        kind: megabytes_per_token(decoder) for kind, decoder in decoders.items()
    }
    megabytes[BASE] = megabytes["ours float32"]
    megabytes["transformers bfloat16"] = megabytes["ours bfloat16"]
    megabytes[RIVAL] = find_smollm2().stat().st_size / 1e6
    for kind, decoder in c_decoders.items():
        writers[kind] = lambda ids, count, d=decoder: generate_natively(d, ids, count)
        megabytes[kind] = megabytes[kind + STEPPED] = megabytes_per_token(decoder)
    best = list(c_decoders)[-1:]
    writers |= {kind + STEPPED: our_writer(c_decoders[kind]) for kind in best}
    results = {
        "machine": describe_machine(),
        "llama.cpp": llama_cpp,
        "compiler": compiler_version(),
        "prompt_tokens": len(prompt),
        "new_tokens": arguments.tokens,
        "rounds": arguments.rounds,
        "threads": {},
    }
    del results["machine"]["threads"]
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        if llama_cpp:
            llama = LlamaCpp(threads)
            writers[RIVAL] = llama.write
        measured = measure_speed(writers, prompt, arguments.tokens, arguments.rounds)
        rows = summarize(measured, megabytes)
        show(threads, measured, rows)
        lookup = measure_lookup(model, tokenizer, arguments.tokens, 1)
        batches = measure_batches(arguments.tokens, 2)
        print(json.dumps({"lookup": lookup, "batches": batches}, indent=1))
        results["threads"][str(threads)] = {
            "load_average": [round(one, 2) for one in measured["load"] if one],
            "gigabytes_per_second": [
                round(one / 1e9, 1) for one in measured["bandwidths"]
            ],
            "engines": rows,
            "lookup": lookup,
            "batches": batches,
        }
    others = {
        kind: one for kind, one in (decoders | c_decoders).items() if kind != SLOW
    }
    results["quality"] = measure_quality(model, others, text)
    if llama_cpp:
        results["same_model"] = compare_perplexity(model, llama, text)
    print(json.dumps({key: results[key] for key in list(results)[7:]}, indent=1))
    if not arguments.no_save:
        with write_atomically(RESULTS, "w") as file:
            file.write(json.dumps(results, indent=1) + "\n")
        keep_record("decoding", results)
    if llama_cpp and abs(results["same_model"]["ratio"] - 1) > 0.01:
        raise SystemExit("llama.cpp's perplexity differs by over 1%: another model?")


if __name__ == "__main__":
    main()
