"""A tokenizer in the page: the reader's own text as tokens."""

import html
from collections.abc import Sequence

from genai_tutorial.edge import pack_tokenizer, tokenizer_script
from genai_tutorial.tokenization import BPETokenizer

from .box import BrowserBox


class BrowserTokens(BrowserBox):
    """A text box that shows the tokens of the reader's text, with a slider for the
    number of merges. It needs no model, so nothing is loaded, and it also works in
    JupyterLab. Make it the last expression of a cell.

    Args:
        text: The text that the box begins with.
        stages: The numbers of merges on the slider, increasing.
        label: The box's title.

    Raises:
        ValueError: If the stages do not increase up to the tokenizer's merges.
    """

    def __init__(
        self,
        tokenizer: BPETokenizer,
        text: str,
        stages: Sequence[int],
        label: str = "Your text as tokens",
    ):
        stages = list(stages)
        if stages != sorted(set(stages)) or not (
            len(stages) > 1 and stages[0] >= 0 and stages[-1] <= len(tokenizer.merges)
        ):
            raise ValueError(
                f"stages must be two or more increasing numbers up to "
                f"{len(tokenizer.merges)}, the merges there are; got {stages}."
            )
        last = len(tokenizer.merges) - stages[-1]
        small = BPETokenizer.from_parts(
            tokenizer.token_bytes[: tokenizer.vocab_size - last],
            tokenizer.merges[: stages[-1]],
            tokenizer.special_tokens,
            tokenizer.pattern,
        )
        ids = small.encode(text, special_as_text=True)
        pieces = [small.decode([index]) for index in ids]
        shown = [piece.replace(" ", "·").replace("\n", "↵") for piece in pieces]
        summary = f"{len(ids)} tokens"
        items = "".join(
            f"<li>{html.escape(piece)}<small>{index}</small></li>"
            for piece, index in zip(shown, ids, strict=True)
        )
        super().__init__(
            "tokens",
            label,
            {"tokenizer": pack_tokenizer(small), "prompt": text, "stages": stages},
            f'<p class="genai-browser-summary">{summary}</p><ol>{items}</ol>',
            f"[Recorded in advance: {label}]\n{summary}\n{'|'.join(shown)}",
            script=tokenizer_script(),
            note="Recorded in advance. Where scripts run, you can type your own text.",
        )
