"""The JSON objects that answer a request."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from genai_tutorial.cli.server.completions import Completion

FINISH_REASONS = {"stop": "stop", "length": "length"}


@dataclass(frozen=True)
class Replies:
    """Builds the objects of one answer, which share an id and a time.

    Attributes:
        completion: The request.
        id: The answer's id.
        created: The time of the request, in seconds since 1970.
    """

    completion: Completion
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, texts: Sequence[str], reasons: Sequence[str], tokens: Sequence[int]
    ) -> dict:
        """Return the answer in one piece.

        Args:
            texts: The text of each answer.
            reasons: Why each has ended, "stop" or "length".
            tokens: The number of tokens of each.
        """
        choices = [
            self._choice(index, reason)
            | (
                {"message": {"role": "assistant", "content": text, "refusal": None}}
                if self.completion.is_chat
                else {"text": text}
            )
            for index, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        ]
        kind = "chat.completion" if self.completion.is_chat else "text_completion"
        return self._object(kind, choices) | {"usage": self.usage(tokens)}

    def opening(self, index: int) -> dict:
        """Return the first part of a streamed message, which names its role."""
        delta = {"role": "assistant", "content": ""}
        return self._part([self._choice(index, None) | {"delta": delta}])

    def piece(self, index: int, text: str) -> dict:
        """Return a part with new text."""
        content = {"delta": {"content": text}} if self.completion.is_chat else None
        return self._part(
            [self._choice(index, None) | (content or {"text": text})],
        )

    def closing(self, index: int, reason: str) -> dict:
        """Return the last part of an answer, which holds its finish reason."""
        content = {"delta": {}} if self.completion.is_chat else {"text": ""}
        return self._part([self._choice(index, reason) | content])

    def counts(self, tokens: Sequence[int]) -> dict:
        """Return the part after all answers, with the counts of tokens."""
        return self._part([]) | {"usage": self.usage(tokens)}

    def usage(self, tokens: Sequence[int]) -> dict:
        """Return the counts of tokens; a prompt with several answers counts once."""
        prompts = {request.prompt for request in self.completion.requests}
        read, drawn = sum(map(len, prompts)), sum(tokens)
        return {
            "prompt_tokens": read,
            "completion_tokens": drawn,
            "total_tokens": read + drawn,
        }

    def _part(self, choices: list[dict]) -> dict:
        chat = self.completion.is_chat
        return self._object(
            "chat.completion.chunk" if chat else "text_completion", choices
        )

    def _object(self, kind: str, choices: list[dict]) -> dict:
        prefix = "chatcmpl" if self.completion.is_chat else "cmpl"
        return {
            "id": f"{prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.completion.model.name,
            "choices": choices,
        }

    def _choice(self, index: int, reason: str | None) -> dict:
        return {"index": index, "finish_reason": reason, "logprobs": None}


def server_sent(data: dict | str) -> bytes:
    """Return an event in the format of server-sent events.

    >>> server_sent("[DONE]")
    b'data: [DONE]\\n\\n'
    """
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def model_object(name: str, created: int) -> dict:
    """Return the object that describes a model."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "genai-tutorial",
    }
