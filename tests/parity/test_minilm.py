"""The book's WordPiece and sentence encoder equal tokenizers and transformers' BERT."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file

from genai_tutorial.data import load_wikipedia
from genai_tutorial.pretrained import find_minilm, load_minilm, load_minilm_tokenizer
from tests.parity.weights import same

pytestmark = pytest.mark.slow

RANGES = ((0x20, 0x17F), (0x300, 0x36F), (0x370, 0x5FF), (0x2000, 0x206F),
          (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0x1F300, 0x1F5FF))  # fmt: skip


def random_text(generator: random.Random) -> str:
    """Return a string of characters from several scripts, with spaces."""
    characters = []
    for _ in range(generator.randint(0, 40)):
        first, last = generator.choice(RANGES)
        characters.append(chr(generator.randint(first, last)))
    return "".join(characters).replace(chr(0x2E), " ")


@pytest.fixture(scope="module")
def library_tokenizer():
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(find_minilm() / "tokenizer.json"))
    tokenizer.no_truncation()  # the file cuts off after 128 tokens, and pads
    tokenizer.no_padding()
    return tokenizer


def test_wordpiece_equals_tokenizers_on_articles(library_tokenizer):
    paragraphs = [
        text for article in load_wikipedia().texts for text in article.split("\n\n")
    ][::4]
    ours = load_minilm_tokenizer()
    theirs = library_tokenizer.encode_batch(paragraphs)
    assert len(paragraphs) > 1000
    for text, encoding in zip(paragraphs, theirs, strict=True):
        assert ours.encode(text) == encoding.ids


def test_wordpiece_equals_tokenizers_on_random_strings(library_tokenizer):
    generator = random.Random(0)
    ours = load_minilm_tokenizer()
    for text in (random_text(generator) for _ in range(3000)):
        assert ours.encode(text) == library_tokenizer.encode(text).ids, repr(text)


def test_sentence_encoder_equals_transformers_bert():
    from transformers import BertConfig, BertModel

    settings = json.loads((find_minilm() / "config.json").read_text())
    names = (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "max_position_embeddings", "layer_norm_eps",
    )  # fmt: skip
    theirs = BertModel(BertConfig(**{name: settings[name] for name in names})).eval()
    weights = load_file(find_minilm() / "model.safetensors")
    weights.pop("embeddings.position_ids")
    theirs.load_state_dict(weights, strict=False)

    minilm = load_minilm()
    texts = load_wikipedia().texts[0].split("\n\n")[:8]
    rows = [minilm.tokenizer.encode(text, 256) for text in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(longest) < lengths[:, None]
    with torch.no_grad():
        expected = theirs(ids, attention_mask=mask.long()).last_hidden_state
        ours = minilm.encoder(ids, lengths)
    torch.testing.assert_close(ours[mask], expected[mask], atol=1e-4, rtol=0)

    # sentence-transformers averages over the mask and divides by the length.
    means = (expected * mask[..., None]).sum(dim=1) / lengths[:, None]
    found = minilm.encode(texts)
    same(found, torch.nn.functional.normalize(means, dim=1), rtol=0)
