"""Requests to the two completion endpoints, checked with pydantic."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

import torch
from jaxtyping import Float
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, from_json
from torch import Tensor

from genai_tutorial.efficiency import Request, SamplingOptions
from genai_tutorial.generation import (
    ConstrainedText,
    mask_row,
    regex_from_schema,
    repetition_penalty,
)
from genai_tutorial.tokenization import Message

from .worker import ApiError, ServedModel

MAX_ANSWERS = 16
"""The largest number of answers to one HTTP request."""

TEXT_TOKENS = 16
"""The default of `max_tokens` for continuations, which is OpenAI's."""

NEUTRAL = {
    "best_of": (1,),
    "echo": (False,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False, 0),
    "modalities": (["text"],),
    "parallel_tool_calls": (True, False),
    "reasoning_effort": ("none",),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}
"""Fields that the server cannot follow, and the values that ask for nothing."""

NO_EFFECT = {
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
}
"""Fields that change nothing about an answer."""


def as_list(value: Any) -> Any:
    """Return a single text, or a single prompt of tokens, as a list of one."""
    is_tokens = isinstance(value, list) and value and isinstance(value[0], int)
    return [value] if isinstance(value, str) or is_tokens else value


def _joined(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    texts = [part.get("text") if isinstance(part, dict) else None for part in content]
    if not all(isinstance(text, str) for text in texts):
        message = "This server reads texts only, no images and no sounds"
        raise PydanticCustomError("text_only", message)
    return "".join(texts)


NonEmpty = Annotated[str, Field(min_length=1)]
Tokens = Annotated[list[int], Field(min_length=1)]
Limit = Annotated[int | None, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


class StrictBody(BaseModel, strict=True, extra="forbid", allow_inf_nan=False):
    """Fields of a request; those that are not known are refused."""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_asks_for_nothing(cls, fields: Any) -> Any:
        """Drop fields that are null, as OpenAI does, and those without effect."""
        if not isinstance(fields, dict):
            return fields
        kept = {}
        for name, value in fields.items():
            if value is None or name in NO_EFFECT or value in NEUTRAL.get(name, ()):
                continue
            if name in NEUTRAL:
                message = f"This server has no {name}; leave it out."
                raise ApiError(400, message, name, "unsupported_parameter")
            kept[name] = value
        return kept


class _StreamOptions(StrictBody):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Sampling(StrictBody):
    """The fields that both kinds of requests have."""

    model: NonEmpty
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    max_tokens: Limit = None
    n: int = Field(1, ge=1, le=MAX_ANSWERS)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[list[NonEmpty], BeforeValidator(as_list)] = Field([], max_length=4)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @model_validator(mode="after")
    def _stream_options_need_a_stream(self) -> "_Sampling":
        if self.stream_options is not None and not self.stream:
            raise ApiError(400, "Set stream to true as well.", "stream_options")
        return self


class _ChatMessage(BaseModel, strict=True):
    """A turn; what clients add to it beside these two fields has no effect."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)]


class _JSONSchema(BaseModel):
    """A schema in `response_format`; its name and description have no effect."""

    body: dict = Field(alias="schema")


class _ResponseFormat(StrictBody):
    type: Literal["text", "json_schema"]
    json_schema: _JSONSchema | None = None

    @model_validator(mode="after")
    def _json_needs_a_schema(self) -> "_ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            message = "Give json_schema with the type json_schema, and only with it."
            raise ApiError(400, message, "response_format")
        return self


class ChatRequest(_Sampling):
    """The body of a request to `/v1/chat/completions`."""

    messages: list[_ChatMessage] = Field(min_length=1)
    max_completion_tokens: Limit = None
    response_format: _ResponseFormat | None = None

    @property
    def limit(self) -> int | None:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            message = "Give max_tokens or max_completion_tokens, not both."
            raise ApiError(400, message, "max_tokens")
        return self.max_tokens or self.max_completion_tokens

    def prompts(self, model: ServedModel) -> list[list[int]]:
        roles = [turn.role.replace("developer", "system") for turn in self.messages]
        if roles[-1] != "user" or "system" in roles[1:]:
            raise ValueError(
                "The last message must be the user's, and only the first may be the "
                f"system's; the roles are {', '.join(roles)}."
            )
        turns = zip(roles, self.messages, strict=True)
        return [model.encode_chat([Message(role, m.content) for role, m in turns])]


class TextRequest(_Sampling):
    """The body of a request to `/v1/completions`."""

    prompt: Annotated[list[NonEmpty | Tokens], BeforeValidator(as_list)] = Field(
        min_length=1, max_length=MAX_ANSWERS
    )

    @property
    def limit(self) -> int | None:
        return self.max_tokens

    def prompts(self, model: ServedModel) -> list[list[int]]:
        size = model.tokenizer.vocab_size
        prompts = [model.encode(p) if isinstance(p, str) else p for p in self.prompt]
        if not all(0 <= token < size for prompt in prompts for token in prompt):
            raise ValueError(f"Tokens must be from 0 to {size - 1}.")
        return prompts


_Body = ChatRequest | TextRequest
_Anything = TypeVar("_Anything", bound=StrictBody)


@dataclass(frozen=True)
class Completion:
    """A checked HTTP request, with one request to the engine for each answer."""

    body: _Body
    model: ServedModel
    requests: tuple[Request, ...]

    @property
    def is_chat(self) -> bool:
        return isinstance(self.body, ChatRequest)


def read_completion(
    kind: type[_Body], text: bytes, models: Mapping[str, ServedModel]
) -> Completion:
    """Check the body of a request; an `ApiError` says what is wrong with it."""
    body = parse_body(kind, text)
    model = models.get(body.model)
    if model is None:
        message = f"There is no model {body.model!r}. There are: {', '.join(models)}."
        raise ApiError(404, message, "model", "model_not_found")
    is_chat = kind is ChatRequest
    field = "messages" if is_chat else "prompt"
    try:
        prompts = body.prompts(model)
    except ValueError as error:
        param = "model" if is_chat and model.profile is None else field
        raise ApiError(400, str(error), param, "invalid_value") from error
    if body.n * len(prompts) > MAX_ANSWERS:
        got = f"{len(prompts)} prompts with n={body.n}"
        message = f"A request gets at most {MAX_ANSWERS} answers, got {got}."
        raise ApiError(400, message, "n", "invalid_value")
    window, longest = model.model.config.context_length, max(map(len, prompts))
    if longest >= window:
        sees = f"{model.name} sees at most {window} tokens at once"
        message = f"{sees}, and the prompt has {longest}. Shorten it."
        raise ApiError(400, message, field, "context_length_exceeded")
    usual = model.profile.max_tokens if is_chat else TEXT_TOKENS
    limit = min(body.limit or usual, window - longest)
    options = SamplingOptions(
        max_new_tokens=limit,
        temperature=model.temperature if body.temperature is None else body.temperature,
        # zero keeps the best token, as does a number close to it
        top_p=None if body.top_p is None else max(body.top_p, 1e-9),
        end_tokens=model.end_tokens,
        processor=_processor(body, model, limit),
    )
    requests = []
    for prompt in prompts:
        for number in range(body.n):
            seed = secrets.randbits(63) if body.seed is None else body.seed + number
            sampling = replace(options, seed=seed % 2**63)
            requests.append(Request(tuple(prompt), sampling))
    return Completion(body, model, tuple(requests))


@dataclass(frozen=True)
class AnswerLogits:
    """Changes the logits of an answer before each draw: applies penalties and then a
    constraint, given the answer's tokens so far.

    >>> logits = AnswerLogits(frequency=0.5, presence=1.0)
    >>> logits(torch.tensor([3.0, 3.0, 3.0]), [1, 2, 2])
    tensor([3.0000, 1.5000, 1.0000])
    """

    frequency: float = 0.0
    presence: float = 0.0
    repetition: float = 1.0
    constraint: ConstrainedText | None = None
    limit: int = 0

    def __call__(
        self, logits: Float[Tensor, "vocab"], drawn: Sequence[int]
    ) -> Float[Tensor, "vocab"]:
        if drawn:
            tokens, counts = torch.tensor(drawn).unique(return_counts=True)
            logits = repetition_penalty(logits[None], tokens[None], self.repetition)[0]
            logits[tokens] -= self.presence + self.frequency * counts
        if self.constraint is None:
            return logits
        return mask_row(logits, self.constraint, drawn, self.limit - len(drawn))


def _processor(body: _Body, model: ServedModel, limit: int) -> AnswerLogits | None:
    """Return what changes the logits of the answers, if the request asks for it."""
    form = body.response_format if isinstance(body, ChatRequest) else None
    constraint, usual = None, 1.0
    if form is not None and form.json_schema is not None:
        try:
            pattern = regex_from_schema(form.json_schema.body)
            constraint = ConstrainedText(pattern, model.token_mask)
            constraint.allowed([], limit)  # whether the shortest text fits
        except ValueError as error:
            raise ApiError(400, str(error), "response_format") from error
    elif isinstance(body, ChatRequest):
        usual = model.profile.penalty
    repetition = body.repetition_penalty or usual
    penalties = body.frequency_penalty, body.presence_penalty, repetition
    if constraint is None and penalties == (0, 0, 1):
        return None
    return AnswerLogits(*penalties, constraint, limit)


def parse_body(kind: type[_Anything], text: bytes) -> _Anything:
    try:
        fields = from_json(text, allow_inf_nan=False)
        if not isinstance(fields, dict):
            raise ValueError(f"it is {type(fields).__name__}")
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _api_error(error) from error
    except ValueError as error:
        raise ApiError(400, f"The body must be a JSON object: {error}.") from error


def _api_error(error: ValidationError) -> ApiError:
    """Return the first of pydantic's errors in OpenAI's form."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][-1 if first["type"] == "extra_forbidden" else 0])
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"There is no field {name!r}.", name, "unknown_parameter")
    place = ".".join(map(str, first["loc"]))
    got = "" if first["type"] == "missing" else f", got {_shown(first['input'])}"
    return ApiError(400, f"{place}: {first['msg']}{got}.", name, "invalid_value")


def _shown(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
