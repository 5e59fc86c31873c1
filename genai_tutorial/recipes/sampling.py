"""Sampling from trained models, with options: a small frozen dataclass for each kind of
model, set by `key=value` on the command line or by keyword arguments in Python.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, get_args, get_type_hints

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import stream
from genai_tutorial.tokenization import BPETokenizer, CharacterTokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .recipe import FilmSamples, ImageSamples, Recipe, SoundSamples, TextSamples


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """The options of a language model."""

    prompt: str
    temperature: float | int
    top_p: float | int | None = None
    tokens: int

    def __post_init__(self):
        if not self.prompt:
            raise ValueError(
                "The prompt is empty: start with at least one character, for example a "
                "new line, or ask a question."
            )
        if self.tokens < 1:
            raise ValueError(f"tokens must be at least 1, got {self.tokens}.")


@dataclass(frozen=True, kw_only=True)
class GuidedCaption:
    """The options of a model that draws a caption in one go."""

    prompt: str | None = None
    guidance: float | int

    def required_prompt(self, example: str) -> str:
        """Return the prompt."""
        if self.prompt is None:
            raise ValueError(
                f'What should be drawn? Give a prompt, such as "{example}".'
            )
        return self.prompt


@dataclass(frozen=True, kw_only=True)
class CaptionOptions(GuidedCaption):
    """The options of a text-to-image model that is sampled step by step."""

    steps: int


def set_options(recipe: Recipe, values: Mapping[str, Any]) -> Any:
    """Return a recipe's sampling options with some of them set."""
    for name, value in values.items():
        types = _types(recipe, name)
        if isinstance(value, bool) or not isinstance(value, types):
            raise ValueError(
                f"{name} must be {_kind(types)}, got {value!r}; {_sentence(recipe)}."
            )
    return replace(_options(recipe), **values)


def parse_options(recipe: Recipe, assignments: Iterable[str]) -> Any:
    """Return a recipe's sampling options with some of them set, each written
    `key=value`.

    Raises:
        ValueError: If an assignment is not `key=value`, a key occurs twice, or
            `set_options` rejects a value.

    >>> from genai_tutorial.recipes import recipe
    >>> parse_options(recipe("mnist-diffusion"), ["digit=7", "guidance=2"])
    DigitOptions(digit=7, steps=25, guidance=2.0)
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(
                f"Options are written key=value, got {assignment!r}; "
                f"{_sentence(recipe)}."
            )
        types = _types(recipe, name)
        if name in values:
            raise ValueError(f"The option {name} is given twice.")
        parse = str if str in types else float if float in types else int
        try:
            values[name] = parse(text)
        except ValueError:
            raise ValueError(
                f"{name} must be {_kind(types)}, got {text!r}; {_sentence(recipe)}."
            ) from None
    return set_options(recipe, values)


def _options(recipe: Recipe) -> Any:
    if recipe.options is None:
        recipe.sample(None, None, 1, 0)  # says why not
    return recipe.options


def _types(recipe: Recipe, name: str) -> tuple[type, ...]:
    hints = get_type_hints(type(_options(recipe)))
    if name not in hints:
        raise ValueError(f"{recipe.name} has no option {name}; {_sentence(recipe)}.")
    return get_args(hints[name]) or (hints[name],)


def _kind(types: tuple[type, ...]) -> str:
    return "a text" if str in types else "a number" if float in types else "an integer"


def _sentence(recipe: Recipe) -> str:
    names = ", ".join(option.name for option in fields(_options(recipe)))
    if not names:
        return "it has no options"
    return f"its {'options are' if ',' in names else 'only option is'} {names}"


@torch.no_grad()
def sample(
    recipe: Recipe, loaded: Any, options: Any, count: int, seed: int
) -> TextSamples | ImageSamples | FilmSamples | SoundSamples:
    """Return samples from the result of `load`; their type says what they are.

    Raises:
        ValueError: If an option is out of range, or the samples are not finite.
    """
    made = recipe.sample(loaded, options, count, seed)
    if isinstance(made.items, Tensor) and not made.items.isfinite().all():
        raise ValueError(
            f"With {options} the {recipe.makes} are not finite: ask for something less "
            "extreme."
        )
    return made


class TextRecipe(Recipe):
    """A recipe whose model writes one text at a time."""

    makes = "text"

    def sample(self, loaded: Any, options: Any, count: int, seed: int) -> TextSamples:
        return TextSamples(
            [self.write(loaded, options, seed + i) for i in range(count)]
        )

    @abstractmethod
    def write(self, loaded: Any, options: Any, seed: int) -> str:
        """Return a text, sampled from the result of `load`."""


DrawCaptions = Callable[[Sequence[str]], Float[Tensor, "caption *dimensions"]]
"""Draws an image or a video for each caption."""


@dataclass(frozen=True, kw_only=True)
class CaptionRecipe(Recipe):
    """A recipe whose model draws from captions, with DDIM and guidance."""

    text_dropout: float = 0.1
    sampler_steps: int = 25
    guidance: float = 2.0

    example: ClassVar[str]
    """A caption that the model can draw."""

    @property
    def options(self) -> CaptionOptions:
        return CaptionOptions(steps=self.sampler_steps, guidance=self.guidance)

    @property
    def sampler(self) -> str:
        """The sampler in words, for the card."""
        return f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}"

    def draw(
        self, loaded: Any, captions: Sequence[str], options: CaptionOptions, seed: int
    ) -> Float[Tensor, "caption *dimensions"]:
        """Draw an image or a video for each caption."""
        return loaded.draw(
            captions, steps=options.steps, guidance=options.guidance, seed=seed
        )

    def drawing(self, loaded: Any, seed: int) -> DrawCaptions:
        """Return a function that draws captions with the recipe's own options."""
        return lambda captions: self.draw(loaded, captions, self.options, seed)

    def sample(
        self, loaded: Any, options: CaptionOptions, count: int, seed: int
    ) -> ImageSamples | FilmSamples:
        prompt = options.required_prompt(self.example)
        drawn = self.draw(loaded, [prompt] * count, options, seed)
        return FilmSamples(drawn) if self.makes == "films" else ImageSamples(drawn)


LoadedDecoder = tuple[DecoderLM, BPETokenizer | CharacterTokenizer]
"""A decoder with its tokenizer, as `load` returns it."""


@dataclass(frozen=True, kw_only=True)
class DecoderRecipe(TextRecipe):
    """A recipe whose model is a decoder with a tokenizer."""

    config: DecoderConfig

    network = DecoderLM

    def wrap(self, model: DecoderLM, card: dict) -> LoadedDecoder:
        return model, BPETokenizer.from_dict(card["tokenizer"])


def continue_text(
    loaded: LoadedDecoder,
    ids: Sequence[int],
    options: TextOptions,
    seed: int,
    stop_tokens: Collection[int] = (),
) -> str:
    """Return a model's continuation of some tokens, up to one of `stop_tokens` or the
    maximum length in the options.
    """
    model, tokenizer = loaded
    new_ids = stream(
        model,
        ids,
        options.tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        stop_tokens=stop_tokens,
        generator=torch.Generator().manual_seed(seed),
    )
    return tokenizer.decode(list(new_ids))
