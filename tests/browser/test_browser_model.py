"""The boxes as HTML and text. How they work in a browser is tested in
tests/book/test_browser_boxes.py.
"""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from genai_tutorial.browser import (
    Answerer,
    BrowserChat,
    BrowserModel,
    BrowserNextToken,
    BrowserTokens,
    pack_published,
)
from genai_tutorial.edge import PackedModel, pack_model
from genai_tutorial.tokenization import (
    GPT4_PATTERN,
    CharacterTokenizer,
    ChatTemplate,
    Message,
    train_bpe,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHAT = ChatTemplate()
SPECIAL = ["<|endoftext|>", CHAT.start, CHAT.end]
TEXT = "what is the capital of Kenya? user assistant " * 9
WORDS = train_bpe(TEXT, 290, GPT4_PATTERN, SPECIAL)


def random_model(vocab_size: int, seed: int = 0) -> DecoderLM:
    config = DecoderConfig.llama(vocab_size, 64, 16, 1, 2, 2, 24, tied_embeddings=True)
    model = DecoderLM(config, seed)
    with torch.no_grad():
        model.token_embedding.weight *= 20  # clear preferences
    return model.eval()


@pytest.fixture(scope="module")
def letters() -> PackedModel:
    return pack_model("letters", random_model(5), CharacterTokenizer(" <abc"))


@pytest.fixture(scope="module")
def words() -> PackedModel:
    return pack_model("words", random_model(WORDS.vocab_size), WORDS)


def settings_of(html: str) -> dict:
    (text,) = re.findall(
        r'<script type="application/json">(.*?)</script>', html, re.DOTALL
    )
    return json.loads(text)


def test_box_is_byte_stable_and_small_and_loads_nothing(letters):
    first, second = (BrowserModel(letters, "ab", "A box").to_html() for _ in range(2))
    assert first == second
    assert len(first) < 25_000
    assert letters.base64 not in first
    for word in ("src=", "http", "<link", "<img"):
        assert word not in re.sub(r"<script.*?</script>", "", first, flags=re.DOTALL)


def test_model_box_records_a_text_that_begins_with_the_prompt(letters):
    box = BrowserModel(letters, "a<b", 'Box "1"', tokens=20)
    assert box.sample.startswith("a<b")
    assert len(box.sample) == 23
    html = box.to_html()
    assert box.sample.replace("<", "&lt;") in html
    assert 'role="group" aria-label="Box &quot;1&quot;"' in html
    settings = settings_of(html)
    assert (settings["prompt"], settings["tokens"]) == ("a<b", 20)
    assert settings["models"][0]["digest"] == letters.digest
    data, metadata = box._repr_mimebundle_()
    assert data["text/plain"].endswith(box.sample)
    assert metadata == {
        "genai_tutorial": {"browser_models": {"letters": letters.digest}}
    }


def test_model_box_samples_differ_by_seed_only(letters):
    samples = [
        BrowserModel(letters, "a", tokens=60, seed=seed).sample for seed in (0, 0, 1)
    ]
    assert samples[0] == samples[1] != samples[2]


def test_chat_box_records_the_greedy_answer_of_each_model(words):
    other = pack_model("others", random_model(WORDS.vocab_size, 1), WORDS)
    question = "what is the capital?"
    box = BrowserChat(
        {"chat": Answerer(words, CHAT), "base <b>": Answerer(other, None)},
        [question, "is the user?"],
        tokens=6,
    )
    for name, packed, ids in (
        ("chat", words, CHAT.encode(WORDS, [Message("user", question)])),
        ("base <b>", other, WORDS.encode(question)),
    ):
        model, expected = packed.unpack()[0], []
        for _ in range(6):
            with torch.no_grad():
                best = int(model(torch.tensor([ids + expected]))[0, -1].argmax())
            if best in WORDS.special_tokens.values():
                break
            expected.append(best)
        assert box.answers[question][name] == WORDS.decode(expected).strip()
    html = box.to_html()
    assert "<dt>base &lt;b&gt;</dt>" in html
    chat, base = settings_of(html)["models"]
    assert chat["template"] == {"start": CHAT.start, "end": CHAT.end}
    assert base["template"] is None
    assert chat["stop"] == sorted(WORDS.special_tokens.values())


def test_next_token_box_records_probabilities_and_cross_entropy(letters):
    box = BrowserNextToken(letters, "abca", unit="character", shown=5)
    model, tokenizer = letters.unpack()
    ids = torch.tensor([tokenizer.encode("abca")])
    with torch.no_grad():
        logits = model(ids)[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]).item()
    assert f"{loss:.2f} nats per character" in box.to_html()
    assert list(box.probabilities.values()) == sorted(
        logits[-1].softmax(0).tolist(), reverse=True
    )
    assert sum(box.probabilities.values()) == pytest.approx(1)


def test_tokens_box_records_the_tokens_at_the_last_stage():
    box = BrowserTokens(WORDS, "the  Kenya<|im_end|>", [0, 10, 20])
    settings = settings_of(box.to_html())
    assert settings["stages"] == [0, 10, 20]
    assert len(settings["tokenizer"]["merges"]) == 20 * 4 * 4 / 3 + 4 / 3
    pieces = box._repr_mimebundle_()[0]["text/plain"].splitlines()[-1]
    assert pieces.replace("|", "").replace("·", " ") == "the  Kenya<im_end>"
    assert box._repr_mimebundle_()[1] == {"genai_tutorial": {"browser_models": {}}}


def test_boxes_draw_none_of_torchs_random_numbers(letters, words):
    before = torch.get_rng_state()
    pack_published("shakespeare")
    BrowserModel(letters, "ab", tokens=5)
    BrowserNextToken(letters, "ab", shown=3)
    BrowserChat({"a": Answerer(words, CHAT)}, ["is the user?"], tokens=2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
def test_boxes_in_the_chapters_hold_the_present_scripts_and_models():
    static = files("genai_tutorial.browser") / "static"
    parts = [(static / f"browser.{kind}").read_text("utf8") for kind in ("js", "css")]
    boxes, models = 0, {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf8"))["cells"]:
            for output in cell.get("outputs", ()):
                html = "".join(output.get("data", {}).get("text/html", ""))
                if 'class="genai-browser"' in html:
                    boxes += 1
                    assert all(part in html for part in parts), f"execute {path.name}"
                    models |= output["metadata"]["genai_tutorial"]["browser_models"]
    assert boxes >= 3
    for name, digest in models.items():
        assert pack_published(name).digest == digest, name


def test_embedded_box_holds_engine_and_weights(letters):
    html = BrowserModel(letters, "a", tokens=1).embedded().to_html()
    assert letters.base64 in html
    assert "class Decoder" in html


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda letters: BrowserModel(letters, ""), "at least one character"),
        (lambda letters: BrowserModel(letters, "z"), "not in the vocabulary"),
        (lambda letters: BrowserModel(letters, "a", ""), "label must be one line"),
        (lambda letters: BrowserNextToken(letters, "a"), "two tokens or more"),
        (lambda letters: BrowserChat({}, ["a"]), "at least one model"),
        (lambda letters: BrowserChat({"a": Answerer(letters, None)}, []), "question"),
        (
            lambda letters: BrowserChat(
                {name: Answerer(letters, None) for name in ("a", "b")}, ["ab"], tokens=1
            ),
            "a name of its own",
        ),
        (lambda letters: BrowserTokens(WORDS, "a", [0]), "two or more increasing"),
        (lambda letters: BrowserTokens(WORDS, "a", [5, 5]), "two or more increasing"),
        (lambda letters: BrowserTokens(WORDS, "a", [0, 999]), "up to 31"),
    ],
)
def test_boxes_refuse_wrong_arguments(letters, make, reason):
    with pytest.raises(ValueError, match=reason):
        make(letters)
