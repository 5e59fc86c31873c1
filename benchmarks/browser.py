"""Chapter 28's engine in the page: its speed beside PyTorch, and its agreement with it.

    speed        tokens per second in Chromium, with the kernel and in plain JavaScript,
                 and of the book's PyTorch with a cache
    agreement    the largest difference of a logit, the greedy text, the requests

    OMP_NUM_THREADS=1 python benchmarks/browser.py --folder runs --parts speed

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. Speeds are tokens per CPU second, side
by side in one run: of this process, and of all threads of the page's process. Chromium
has to be installed.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from genai_tutorial.edge import PackedModel, engine_script, model_script, pack_model
from genai_tutorial.generation import generate
from genai_tutorial.recipes import load
from genai_tutorial.runtime import keep_record, run_parts

MODELS = ("shakespeare", "factbook-base")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROMPTS = ("The ", "My lord", "In the city", "What is", "She said")
ROUNDS, TEXTS = 5, 2  # of all three ways in turn; texts per round and way
MAKE = """async ([name, plain]) => {
  const { Decoder, fromBase64, kernelCode, models } = genaiEdge;
  const bytes = fromBase64(models[name].content), start = performance.now();
  globalThis.model = await Decoder.create(bytes, plain ? null : kernelCode);
  return performance.now() - start;
}"""
WRITE = """([ids, count, texts]) => {
  let written;
  for (let i = 0; i < texts; i++)
    written = [...genaiEdge.generate(model, ids, count, { temperature: 0 })];
  return written;
}"""
LOGITS = "(ids) => { model.reset(); return ids.map((id) => [...model.step(id)]); }"


class OpenPage:
    """A page that is open in Chromium, from a disk, with the network off.

    Args:
        browser: Playwright's browser.
        packed: The model that the page may use.
        folder: A folder for its files.
    """

    def __init__(self, browser, packed: PackedModel, folder: Path):
        (folder / "engine.js").write_text(engine_script(), "utf8")
        (folder / "model.js").write_text(model_script(packed), "utf8")
        scripts = '<script src="engine.js"></script><script src="model.js"></script>'
        (folder / "page.html").write_text(scripts, "utf8")
        self.page = browser.new_context(offline=True).new_page()
        self.requests = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto((folder / "page.html").as_uri())
        self.session = browser.new_browser_cdp_session()

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all pages so far, with all their threads."""
        processes = self.session.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(
            process["cpuTime"] for process in processes if process["type"] == "renderer"
        )


@contextmanager
def open_page(packed: PackedModel) -> Iterator[OpenPage]:
    """Open a page with a packed model in a fresh Chromium."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("This script needs Chromium: apt-get install chromium.")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield OpenPage(browser, packed, Path(folder))
        browser.close()


def speed(seed: int, small: bool) -> dict:
    """Measure the tokens per CPU second of greedy decoding, up to the end of the
    context window, the three ways in turn.
    """
    measured: dict = {}
    for name in MODELS[:1] if small else MODELS:
        packed = pack_model(name, *load(name))
        model, tokenizer = packed.unpack()
        ids = tokenizer.encode(PROMPTS[seed % len(PROMPTS)])
        count = model.config.context_length - len(ids)
        prompt, rounds = torch.tensor([ids]), 1 if small else ROUNDS
        rates: dict[str, list[float]] = {"PyTorch": [], "kernel": [], "plain": []}
        with open_page(packed) as page:
            for turn in range(rounds + 1):  # the first warms everything up
                start = time.process_time()
                for _ in range(TEXTS):
                    generate(model, prompt, count, temperature=0)
                seconds = {"PyTorch": time.process_time() - start}
                for way in ("kernel", "plain"):
                    page.page.evaluate(MAKE, [name, way == "plain"])
                    page.page.evaluate(WRITE, [ids, count, 1])
                    start = page.cpu_seconds()
                    page.page.evaluate(WRITE, [ids, count, TEXTS])
                    seconds[way] = page.cpu_seconds() - start
                if turn:
                    for way, used in seconds.items():
                        rates[way].append(TEXTS * count / used)
        speeds = {way: median(turns) for way, turns in rates.items()}
        measured[name] = {
            "tokens_per_second": {way: round(rate) for way, rate in speeds.items()},
            "kernel_over_plain": round(speeds["kernel"] / speeds["plain"], 2),
            "kernel_over_pytorch": round(speeds["kernel"] / speeds["PyTorch"], 2),
        }
    return measured


def agreement(seed: int, small: bool) -> dict:
    """Compare the page with PyTorch with the same weights, over a whole context window
    of the model's own text.
    """
    measured: dict = {}
    for name in MODELS[:1] if small else MODELS:
        loaded = load(name)
        packed = pack_model(name, *loaded)
        model, tokenizer = packed.unpack()
        ids = tokenizer.encode(PROMPTS[seed % len(PROMPTS)])
        count = model.config.context_length - len(ids)
        text = generate(model, torch.tensor([ids]), count, temperature=0)[0]
        with torch.no_grad():
            expected = model(text[None])[0]
            before = loaded[0](text[None])[0]
        with open_page(packed) as page:
            loading = page.page.evaluate(MAKE, [name, False])
            asked = len(page.requests)
            logits = torch.tensor(page.page.evaluate(LOGITS, text.tolist()))
            written = page.page.evaluate(WRITE, [ids, count, 1])
            requests = len(page.requests) - asked
        measured[name] = {
            "largest_logit_difference": (logits - expected).abs().max().item(),
            "largest_difference_by_rounding": (before - expected).abs().max().item(),
            "greedy_equal": ids + written == text.tolist(),
            "tokens": len(text),
            "requests_after_loading": requests,
            "loading_milliseconds": round(loading),
            "megabytes": round(len(packed.content) / 1e6, 3),
            "script_megabytes": round(len(model_script(packed)) / 1e6, 3),
        }
    return measured


PARTS = {"speed": speed, "agreement": agreement}

if __name__ == "__main__":
    measured = run_parts("browser", PARTS, __doc__)
    if measured is not None:
        keep_record("browser", measured)
