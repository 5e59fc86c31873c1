"""The models that the server offers: their tokenizers, templates and defaults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genai_tutorial.cli.chat_models import CHAT_PROFILES, ChatProfile
from genai_tutorial.efficiency import Engine, quantized
from genai_tutorial.pretrained import find_smollm2, load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.tokenization import (
    BPETokenizer,
    CharacterTokenizer,
    Message,
    StreamDecoder,
)
from genai_tutorial.transformer import DecoderLM

MODELS = ("smollm2", "factbook-sft", "factbook-ppo", "factbook-base", "shakespeare")
"""The names of all models that can be served."""

MAX_RUNNING = 16
"""The maximum number of requests that a model runs at the same time."""


@dataclass(frozen=True)
class ServedModel:
    """A model that can be asked.

    Attributes:
        name: Its name in requests.
        model: The decoder.
        tokenizer: Its tokenizer.
        profile: Its chat template and defaults; None for a model without one.
        temperature: Default for the temperature.
    """

    name: str
    model: DecoderLM
    tokenizer: BPETokenizer | CharacterTokenizer
    profile: ChatProfile | None
    temperature: float | int

    @property
    def end_tokens(self) -> frozenset[int]:
        """The tokens that end an answer."""
        if isinstance(self.tokenizer, CharacterTokenizer):
            return frozenset()
        return frozenset(self.tokenizer.special_tokens.values())

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text to continue.

        Raises:
            ValueError: If it has characters that the model does not know.
        """
        if isinstance(self.tokenizer, CharacterTokenizer):
            return self.tokenizer.encode(text)
        return self.tokenizer.encode(text, special_as_text=True)

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a conversation; only the last message for a model that
        was trained on single questions.

        Raises:
            ValueError: If the model has no chat template, or was not taught to listen
                to a system message.
        """
        if self.profile is None:
            raise ValueError(
                f"{self.name} continues texts and was not taught to chat: use "
                "/v1/completions."
            )
        if not self.profile.takes_system and messages[0].role == "system":
            raise ValueError(f"{self.name} was not taught to listen to the system.")
        kept = messages if self.profile.remembers else messages[-1:]
        return self.profile.template.encode(self.tokenizer, kept)

    def text_decoder(self) -> StreamDecoder:
        """Return a decoder that turns tokens into text one by one."""
        if isinstance(self.tokenizer, CharacterTokenizer):
            return StreamDecoder([c.encode() for c in self.tokenizer.characters])
        return self.tokenizer.stream()

    def make_engine(self) -> Engine:
        """Return an engine with room for a few texts of a whole context window, or for
        several times as many shorter ones.
        """
        window = self.model.config.context_length
        tokens = max(window + 256, min(MAX_RUNNING * window, 8192))
        return Engine(self.model, blocks=tokens // 16, max_running=MAX_RUNNING)


def load_served(name: str) -> ServedModel:
    """Load a model by the name that requests use.

    Raises:
        FileNotFoundError: If SmolLM2 is not installed.
        ValueError: If a file is damaged.
    """
    if name == "smollm2":
        model, tokenizer = load_smollm2()
        profile = CHAT_PROFILES["smollm2"]
        return ServedModel(name, quantized(model, "int4"), tokenizer, profile, 0.2)
    stage = name.removeprefix("factbook-")
    profile = CHAT_PROFILES[stage] if stage in ("sft", "ppo") else None
    return ServedModel(name, *load(name), profile, 0.8 if profile is None else 0)


def available_models(find: Callable[[], object] = find_smollm2) -> list[str]:
    """Return the names of the models that are installed: SmolLM2 may be missing."""
    try:
        find()
    except (ImportError, OSError):
        return [name for name in MODELS if name != "smollm2"]
    return list(MODELS)
