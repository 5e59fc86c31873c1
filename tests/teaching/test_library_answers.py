"""Exercises that ask for a calculation by hand refuse a library call that does it."""

import copy
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.submission import read_submission

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

_DECODERS = {
    "codecs": """import codecs

def stream(chunks):
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [decoder.decode(chunk) for chunk in chunks]""",
    "decode": """def stream(chunks):
    texts, shown = [], ""
    for count in range(1, len(chunks) + 1):
        text = b"".join(chunks[:count]).decode("utf-8", "ignore")
        texts.append(text[len(shown) :])
        shown = text
    return texts""",
    "str in a helper": """def whole(data):
    return str(data, "utf-8", "ignore")

def stream(chunks):
    sums = [b"".join(chunks[:count]) for count in range(len(chunks) + 1)]
    return [whole(b)[len(whole(a)) :] for a, b in zip(sums, sums[1:])]""",
    "another name": """from codecs import utf_8_decode as u

def stream(chunks):
    sums = [b"".join(chunks[:count]) for count in range(len(chunks) + 1)]
    return [u(b)[0][len(u(a)[0]) :] for a, b in zip(sums, sums[1:])]""",
    "json": """import json

def whole(data):
    for cut in range(4):
        try:
            return json.loads(b'"' + data[: len(data) - cut] + b'"')
        except ValueError:
            pass
    return ""

def stream(chunks):
    sums = [b"".join(chunks[:count]) for count in range(len(chunks) + 1)]
    return [whole(b)[len(whole(a)) :] for a, b in zip(sums, sums[1:])]""",
    "the book's": """from genai_tutorial.tokenization import GPT4_PATTERN, BPETokenizer

def stream(chunks):
    alphabet = [bytes([byte]) for byte in range(256)]
    tokenizer = BPETokenizer.from_parts(
        alphabet, merges=[], special_tokens={}, pattern=GPT4_PATTERN
    )
    texts = tokenizer.stream()
    return ["".join(texts.push(byte) for byte in chunk) for chunk in chunks]""",
}
_ATTENTION = {
    "fused kernel": """import torch

def masked_attention(query, key, value, mask):
    found = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask
    )
    return found.masked_fill(~mask.any(dim=-1, keepdim=True), 0.0)""",
    "under another name": """import torch

sdpa = getattr(torch.nn.functional, "scaled_dot_" + "product_atten" + "tion")

def masked_attention(query, key, value, mask):
    return sdpa(query, key, value, attn_mask=mask)""",
    "the book's": """import torch

from genai_tutorial.transformer import attention as by_book

def masked_attention(query, key, value, mask):
    return by_book(query, key, value, mask)""",
}
_CROSS_ATTENTION = {
    "fused kernel": """def cross_attention(image, words, mask, a_q, a_k, a_v):
    return functional.scaled_dot_product_attention(
        image @ a_q, words @ a_k, words @ a_v, attn_mask=mask[:, None, :]
    )""",
    "under another name": """from torch.nn.functional import (
    scaled_dot_product_attention as average,
)

def cross_attention(image, words, mask, a_q, a_k, a_v):
    return average(
        image @ a_q, words @ a_k, words @ a_v, attn_mask=mask[:, None, :]
    )""",
    "the book's": """def cross_attention(image, words, mask, a_q, a_k, a_v):
    from genai_tutorial.transformer import attention as average

    return average(image @ a_q, words @ a_k, words @ a_v, mask[:, None, :])""",
}
_DDPM_STEP = {
    "the book's": """from genai_tutorial.diffusion import NoiseLevel, NoiseSchedule
from genai_tutorial.diffusion import posterior as of_both

def ddpm_step(x, predicted_noise, fresh_noise, betas, t):
    schedule = NoiseSchedule(torch.cumprod(1 - betas.double(), dim=0))
    now = schedule.level(t)
    q = of_both(now, schedule.level(t - 1) if t > 0 else NoiseLevel(1.0, 0.0))
    x0 = (x - now.noise * predicted_noise) / now.signal
    return q.x0_coefficient * x0 + q.x_coefficient * x + q.deviation * fresh_noise"""
}
_DIVERGENCE = {
    "torch.distributions": """import torch

def code_price(mean, log_variance):
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    p = torch.distributions.Normal(0.0, 1.0)
    return torch.distributions.kl_divergence(q, p).sum(dim=1)""",
    "under another name": """from torch.distributions import Normal as N
from torch.distributions import kl_divergence as price

def code_price(mean, log_variance):
    return price(N(mean, (log_variance / 2).exp()), N(0.0, 1.0)).sum(dim=1)""",
    "the book's": """from genai_tutorial.vae import LatentGaussian, gaussian_kl

def code_price(mean, log_variance):
    prior = LatentGaussian(0 * mean, 0 * mean)
    return gaussian_kl(LatentGaussian(mean, log_variance), prior).sum(dim=1)""",
}
CASES = [
    pytest.param(chapter, grade_id, source, id=f"{grade_id}-{name}")
    for chapter, grade_id, sources in (
        ("02_tokens", "ex-2-5", _DECODERS),
        ("03_embeddings_and_attention", "ex-3-2", _ATTENTION),
        ("06_variational_autoencoders", "ex-6-1", _DIVERGENCE),
        ("08_diffusion", "ex-8-2", _DDPM_STEP),
        ("09_text_to_image", "ex-9-2", _CROSS_ATTENTION),
    )
    for name, source in sources.items()
]


@pytest.fixture(scope="module")
def graders():
    started: dict[str, Grader] = {}

    def grader(chapter: str) -> Grader:
        if chapter not in started:
            path = NOTEBOOKS / f"{chapter}.ipynb"
            started[chapter] = Grader(read_chapter(path)).__enter__()
        return started[chapter]

    yield grader
    for one in started.values():
        one.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.parametrize(("chapter", "grade_id", "source"), CASES)
def test_library_answer_gets_no_points(graders, tmp_path, chapter, grade_id, source):
    grader = graders(chapter)
    notebook = copy.deepcopy(grader.chapter.notebook)
    cell = next(
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )
    cell.source = source
    nbformat.write(notebook, tmp_path / "ada.ipynb")
    report = grader.report(read_submission("ada", tmp_path / "ada.ipynb"))
    number = grade_id.removeprefix("ex-").replace("-", ".")
    result = next(result for result in report.results if number in result.exercise)
    assert result.points == 0
    assert "yourself" in result.comment
    others = [r for r in report.results if r is not result and r.points is not None]
    assert all(other.points == other.max_points for other in others)
