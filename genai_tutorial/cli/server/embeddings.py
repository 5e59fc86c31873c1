"""The endpoint for embeddings: the vectors of MiniLM, which is loaded when the first
request comes.
"""

import base64
from functools import cache
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from genai_tutorial.pretrained import find_minilm, load_minilm
from genai_tutorial.retrieval import SentenceVectors

from .requests import NonEmpty, StrictBody, as_list, parse_body
from .worker import ApiError

EMBEDDER = "minilm"
MAX_TEXTS = 256


class EmbeddingRequest(StrictBody):
    """The body of a request to `/v1/embeddings`."""

    model: NonEmpty
    input: Annotated[list[NonEmpty], BeforeValidator(as_list)] = Field(
        min_length=1, max_length=MAX_TEXTS
    )
    encoding_format: Literal["float", "base64"] = "float"


def has_embedder() -> bool:
    try:
        find_minilm()
    except (ImportError, OSError):
        return False
    return True


@cache
def _encoder() -> SentenceVectors:
    return load_minilm()


def embed(text: bytes) -> dict:
    """Return the answer to a request, in OpenAI's form."""
    body = parse_body(EmbeddingRequest, text)
    if body.model != EMBEDDER or not has_embedder():
        message = f"{body.model!r} makes no embeddings; {EMBEDDER} does, if installed."
        raise ApiError(404, message, "model", "model_not_found")
    encoder = _encoder()
    data = []
    for index, vector in enumerate(encoder.encode(body.input)):
        numbers = vector.tolist()
        if body.encoding_format == "base64":
            raw = vector.numpy().astype("<f4").tobytes()
            numbers = base64.b64encode(raw).decode()
        data.append({"object": "embedding", "index": index, "embedding": numbers})
    rows = (encoder.tokenizer.encode(one, encoder.max_length) for one in body.input)
    tokens = sum(map(len, rows))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": EMBEDDER, "usage": usage}
