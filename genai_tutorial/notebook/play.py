"""Buttons that a reader presses in a live kernel; on a page, a recorded film."""

import base64
import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from genai_tutorial.notebook import frames as frames_module

from .frames import WIDGET_VIEW, Frames
from .pictures import as_picture, checked_alt, png

if TYPE_CHECKING:
    from ipywidgets import VBox

Press = Callable[[str], tuple[Image.Image, str]]
"""Called with a button's label; returns the new picture and a sentence that describes
it."""


class Play:
    """A picture that buttons change. Make it the last expression of a cell.

    A page has no kernel to call, so it shows `recorded` instead.

    Args:
        recorded: Frames of a recorded game, for pages.
        buttons: Label of each button, in their order. The first is pressed once at the
            start.
        press: What a button does. The sentence that it returns is shown under the
            picture, and screen readers read it out.

    Raises:
        ValueError: If there is no button, or a label occurs twice.
    """

    def __init__(self, recorded: Frames, buttons: Sequence[str], press: Press) -> None:
        if not buttons or len(set(buttons)) != len(buttons):
            raise ValueError(
                "Play needs one or more buttons with different labels, got "
                f"{list(buttons)}."
            )
        self.recorded, self.buttons, self.press = recorded, list(buttons), press

    def widget(self) -> "VBox":
        """Return the picture and its buttons as ipywidgets, for a live kernel."""
        import ipywidgets

        view = ipywidgets.HTML()

        def pressed(label: str) -> None:
            picture, sentence = self.press(label)
            content = base64.b64encode(png(as_picture(picture))).decode()
            text = html.escape(checked_alt(sentence))
            view.value = (
                f'<img src="data:image/png;base64,{content}" alt="{text}">'
                f'<p role="status">{text}</p>'
            )

        row = [ipywidgets.Button(description=label) for label in self.buttons]
        for button in row:
            button.on_click(lambda button: pressed(button.description))
        pressed(self.buttons[0])
        return ipywidgets.VBox([view, ipywidgets.HBox(row)])

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        data: dict[str, Any]
        data, metadata = self.recorded._repr_mimebundle_(include, exclude)
        if frames_module._has_live_kernel():
            self._live = self.widget()  # keep a reference until it is shown
            data[WIDGET_VIEW] = {
                "model_id": self._live.model_id,
                "version_major": 2,
                "version_minor": 0,
            }
        return data, metadata
