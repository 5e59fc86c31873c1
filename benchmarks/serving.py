"""The throughput of three servers of SmolLM2 on one core: `genai-tutorial serve`,
`transformers serve`, and llama.cpp's `llama-server`, with one client and with eight.

Each client asks for 48 tokens, one answer after the other, greedily. The servers run
one at a time, in turns, and the processor time of the server's process is measured
besides the wall time, because other work on the machine disturbs it less. All three
read the same file with four bits per weight; transformers turns it into float32.

    # about 20 CPU minutes; a server that is not installed is left out
    python benchmarks/serving.py --llama-server build/bin/llama-server

Tokens per processor second in one run with `--rounds 1 --answers 8` on a busy machine
(`results/serving.json`), and how many times as many `genai-tutorial serve` makes:

    clients   genai-tutorial   transformers   llama.cpp
    1         40               13 (3.0)       90 (0.45)
    8         123              12 (10.4)      233 (0.53)

transformers runs without its `--continuous-batching`, which is not its default.

`transformers serve` needs `pip install "transformers[serving]"`. llama.cpp has to be
compiled, for example from the source distribution of llama-cpp-python.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from finished import script_parser

from genai_tutorial.pretrained import find_smollm2
from genai_tutorial.runtime import describe_machine, keep_record

RECORD = Path(__file__).parent / "results" / "serving.json"
TOKENS, PROMPT = 48, "Write a long letter to a friend about the sea, number {}."


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def save_for_transformers(folder: Path) -> None:
    """Write SmolLM2 as a folder, since `transformers serve` does not load its file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = find_smollm2()
    source = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    model = AutoModelForCausalLM.from_pretrained(**source)
    model.hf_quantizer = None  # its weights are ordinary numbers already
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


def commands(llama_server: Path | None, folder: Path) -> dict[str, list[str]]:
    """Return the command of each server that is installed, without the port."""
    file = find_smollm2()
    program = [sys.executable, "-m"]
    found = {"genai-tutorial": [*program, "genai_tutorial", "serve"]}
    found["genai-tutorial"] += ["--model", "smollm2"]
    if find_spec("fastapi"):
        save_for_transformers(folder)
        found["transformers"] = [*program, "transformers.cli.transformers", "serve"]
        found["transformers"] += [str(folder), "--device", "cpu"]
    if llama_server is not None:
        found["llama.cpp"] = [str(llama_server), "-m", str(file), "-t", "1"]
        found["llama.cpp"] += ["-np", "8", "-c", "8192"]
    return found


def ask(port: int, model: str, number: int) -> int:
    """Return the number of tokens of an answer."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT.format(number)}],
        "max_tokens": TOKENS,
        "temperature": 0,
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)["usage"]["completion_tokens"]


def processor_seconds(process: int) -> float:
    """Return the processor time of a process and its threads so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_ready(port: int, server: subprocess.Popen, model: str) -> None:
    for _ in range(600):
        try:
            ask(port, model, 0)  # loads the model, and warms it up
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                raise SystemExit(f"{server.args} ended with {server.poll()}.") from None
            time.sleep(0.5)
    raise SystemExit(f"{server.args} does not answer.")


def measure(command: list[str], clients: tuple[int, ...], answers: int) -> dict:
    """Return tokens per processor second and per second for each number of clients."""
    port = free_port()
    model = command[4] if "transformers.cli.transformers" in command else "smollm2"
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    found = {}
    try:
        wait_until_ready(port, server, model)
        for count in clients:
            start, used = time.perf_counter(), processor_seconds(server.pid)
            with ThreadPoolExecutor(count) as pool:
                numbers = range(1, answers + 1)
                tokens = sum(pool.map(lambda n: ask(port, model, n), numbers))
            seconds = time.perf_counter() - start
            used = processor_seconds(server.pid) - used
            found[str(count)] = {
                "per_processor_second": round(tokens / used, 2),
                "per_second": round(tokens / seconds, 2),
            }
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
    return found


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--llama-server", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answers", type=int, default=16)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    settings = parser.parse_args()
    with TemporaryDirectory() as folder:
        servers = commands(settings.llama_server, Path(folder))
        runs: dict[str, list[dict]] = {name: [] for name in servers}
        for _ in range(settings.rounds):
            for name, command in servers.items():
                runs[name].append(measure(command, settings.clients, settings.answers))
                print(name, json.dumps(runs[name][-1]), flush=True)
    ratios = {}
    for count in map(str, settings.clients):
        rates = {
            name: median(run[count]["per_processor_second"] for run in found)
            for name, found in runs.items()
        }
        ours = rates["genai-tutorial"]
        ratios[count] = {name: round(ours / rate, 2) for name, rate in rates.items()}
    print(json.dumps(ratios))
    record = {"machine": describe_machine(), "runs": runs, "ours_to_theirs": ratios}
    keep_record(RECORD.stem, record, RECORD.parent)


if __name__ == "__main__":
    main()
