"""Checked requests to the two completion endpoints."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genai_tutorial.cli.server.body import Body
from genai_tutorial.cli.server.errors import ApiError
from genai_tutorial.cli.server.models import ServedModel
from genai_tutorial.efficiency import Request, SamplingOptions
from genai_tutorial.tokenization import Message

SAMPLING = (
    "model",
    "max_tokens",
    "n",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
)
CHAT_FIELDS = (*SAMPLING, "messages", "max_completion_tokens")
TEXT_FIELDS = (*SAMPLING, "prompt")

MAX_ANSWERS = 16
"""The largest number of answers to one HTTP request."""

TEXT_TOKENS = 16
"""The default of `max_tokens` for continuations, which is OpenAI's."""


@dataclass(frozen=True)
class Completion:
    """A checked request.

    Attributes:
        model: The model.
        requests: The requests to its engine, one per answer.
        stops: Texts to stop at.
        stream: Whether to send the answer piece by piece.
        includes_usage: Whether a stream ends with the token counts.
        is_chat: Whether the answer is a message.
    """

    model: ServedModel
    requests: tuple[Request, ...]
    stops: tuple[str, ...]
    stream: bool
    includes_usage: bool
    is_chat: bool


def read_chat(text: bytes, models: Mapping[str, ServedModel]) -> Completion:
    """Check a request to `/v1/chat/completions`.

    Raises:
        ApiError: If it is wrong or too long.
    """
    body = Body.from_json(text, CHAT_FIELDS)
    model = _model(body, models)
    try:
        prompt = model.encode_chat(_messages(body.fields.get("messages")))
    except ValueError as error:
        param = "model" if model.profile is None else "messages"
        raise ApiError(400, str(error), param, "invalid_value") from error
    limits = {"max_tokens", "max_completion_tokens"} & body.fields.keys()
    if len(limits) == 2:
        raise ApiError(
            400, "Give max_tokens or max_completion_tokens, not both.", "max_tokens"
        )
    limit = next(iter(limits), "max_tokens")
    return _completion(body, model, [prompt], limit, model.profile.max_tokens)


def read_text(text: bytes, models: Mapping[str, ServedModel]) -> Completion:
    """Check a request to `/v1/completions`.

    Raises:
        ApiError: If it is wrong or too long.
    """
    body = Body.from_json(text, TEXT_FIELDS)
    model = _model(body, models)
    try:
        prompts = _prompts(body.fields.get("prompt"), model)
    except ValueError as error:
        raise ApiError(400, str(error), "prompt", "invalid_value") from error
    return _completion(body, model, prompts, "max_tokens", TEXT_TOKENS)


def _model(body: Body, models: Mapping[str, ServedModel]) -> ServedModel:
    name = body.text("model")
    if name not in models:
        raise ApiError(
            404,
            f"There is no model {name!r}. There are: {', '.join(models)}.",
            "model",
            "model_not_found",
        )
    return models[name]


def _completion(
    body: Body,
    model: ServedModel,
    prompts: Sequence[Sequence[int]],
    limit: str,
    usual: int,
) -> Completion:
    prompt_field = "messages" if "messages" in body.fields else "prompt"
    window = model.model.config.context_length
    new = body.whole(limit, 1, 1_000_000, None)
    longest = max(map(len, prompts))
    if new is None:
        new = max(1, min(usual, window - longest))
    if longest + new > window:
        param = limit if longest < window else prompt_field
        raise ApiError(
            400,
            f"{model.name} sees at most {window} tokens at once: the prompt has "
            f"{longest}, and the answer may have {new}. Shorten one of them.",
            param,
            "context_length_exceeded",
        )
    top_p = body.number("top_p", 0, 1, None)
    seed = body.whole("seed", -(2**63), 2**63 - 1, None)
    count = body.whole("n", 1, MAX_ANSWERS, 1)
    if count * len(prompts) > MAX_ANSWERS:
        raise ApiError(
            400,
            f"A request gets at most {MAX_ANSWERS} answers, got {len(prompts)} prompts "
            f"with n={count}.",
            "n",
            "invalid_value",
        )
    seeds = [
        secrets.randbits(63) if seed is None else (seed + index) % 2**63
        for index in range(count)
    ]
    temperature = body.number("temperature", 0, 2, model.temperature)
    requests = tuple(
        Request(
            tuple(prompt),
            SamplingOptions(
                max_new_tokens=new,
                temperature=temperature,
                # zero keeps the best token, as does a number close to it
                top_p=None if top_p is None else max(top_p, 1e-9),
                end_tokens=model.end_tokens,
                seed=number,
            ),
        )
        for prompt in prompts
        for number in seeds
    )
    return Completion(
        model,
        requests,
        tuple(body.stops()),
        body.boolean("stream"),
        body.includes_usage(),
        is_chat=prompt_field == "messages",
    )


def _messages(value: object) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise ValueError("messages must be a list of at least one message.")
    messages = [_message(entry) for entry in value]
    roles = [message.role for message in messages]
    if roles[-1] != "user" or "system" in roles[1:]:
        raise ValueError(
            "The last message must be the user's, and only the first may be the "
            f"system's; the roles are {', '.join(roles)}."
        )
    return messages


def _message(entry: object) -> Message:
    if not isinstance(entry, dict) or not isinstance(entry.get("role"), str):
        raise ValueError("A message is an object with a role and a content.")
    role, content = entry["role"], entry.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) else None for part in content
        ]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("This server reads texts only, no images and no sounds.")
        content = "".join(parts)
    if not isinstance(content, str):
        raise ValueError(f"The content of a {role} message must be a text.")
    return Message("system" if role == "developer" else role, content)


def _prompts(value: object, model: ServedModel) -> list[list[int]]:
    """Return the tokens of a text, of a list of texts, of a list of tokens, or of
    several lists of tokens.
    """
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value and _are_tokens(value):
        value = [value]
    if not isinstance(value, list) or not value:
        raise ValueError("prompt must be a text or a list of texts.")
    if len(value) > MAX_ANSWERS:
        raise ValueError(f"At most {MAX_ANSWERS} prompts, got {len(value)}.")
    prompts = []
    for prompt in value:
        if isinstance(prompt, str):
            prompt = model.encode(prompt)
        if not isinstance(prompt, list) or not prompt or not _are_tokens(prompt):
            raise ValueError("A prompt must be a text of at least one character.")
        if not all(0 <= token < model.tokenizer.vocab_size for token in prompt):
            raise ValueError(
                f"Tokens must be from 0 to {model.tokenizer.vocab_size - 1}."
            )
        prompts.append(prompt)
    return prompts


def _are_tokens(value: list) -> bool:
    return all(isinstance(v, int) and not isinstance(v, bool) for v in value)
