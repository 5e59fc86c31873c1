"""Interactive figures that need no kernel: all frames are drawn in advance, and a
slider selects one of them.

On a page, the figure is HTML with a few lines of JavaScript and nothing from another
host. Without JavaScript, it shows the first frame. With a live kernel, it is an
ipywidgets slider.
"""

import base64
import html
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from PIL import Image

from .environment import executed_for_the_book
from .figures import as_picture, checked_alt, png
from .sound import Sound

if TYPE_CHECKING:
    from ipywidgets import VBox
    from matplotlib.figure import Figure

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Frames:
    """Images with a slider. Make it the last expression of a cell, or `display` it.

    Args:
        frames: Matplotlib figures (which are closed) or Pillow images, all of the same
            size.
        labels: The slider's value for each frame.
        alt: Description in at most 250 characters, either one for all frames or one per
            frame.
        name: Name of the quantity that the slider varies.
        captions: Text below each frame, such as generated text; line breaks are kept.
        sounds: A clip for each frame, played by the reader; its name and transcript
            are above the player.

    Raises:
        ValueError: If the numbers of frames, labels, texts and clips differ, a label
            occurs twice, or the sizes differ.
    """

    def __init__(
        self,
        frames: "Sequence[Figure | Image.Image]",
        labels: Sequence[object],
        alt: str | Sequence[str],
        name: str,
        captions: Sequence[str] | None = None,
        sounds: Sequence[Sound] | None = None,
    ) -> None:
        self._fill(frames, {name: labels}, alt, captions, sounds)

    @classmethod
    def grid(
        cls,
        frames: "Sequence[Figure | Image.Image]",
        sliders: Mapping[str, Sequence[object]],
        alt: str | Sequence[str],
        captions: Sequence[str] | None = None,
        sounds: Sequence[Sound] | None = None,
    ) -> "Frames":
        """Create a figure with several sliders.

        Args:
            frames: One frame per combination, in the order of
                `itertools.product(*sliders.values())`: the last slider varies fastest.
            sliders: From the name of each slider to its values.
            alt: As for one slider.
            captions: As for one slider.
            sounds: As for one slider.
        """
        figure = cls.__new__(cls)
        figure._fill(frames, sliders, alt, captions, sounds)
        return figure

    def _fill(
        self,
        frames: Sequence,
        sliders: Mapping,
        alt: str | Sequence[str],
        captions: Sequence | None,
        sounds: Sequence[Sound] | None,
    ) -> None:
        self.sliders = {
            name: [str(label) for label in labels] for name, labels in sliders.items()
        }
        self.combinations = list(itertools.product(*self.sliders.values()))
        count = len(self.combinations)
        for name, labels in self.sliders.items():
            if len(set(labels)) != len(labels):
                raise ValueError(
                    f"Each label of {name!r} must differ from the others, got {labels}."
                )
        alts = [alt] * count if isinstance(alt, str) else list(alt)
        for what, items in (
            ("frames", frames),
            ("alternative texts", alts),
            ("captions", captions),
            ("sounds", sounds),
        ):
            if items is not None and len(items) != count:
                raise ValueError(
                    f"{count} labels (or combinations of labels) need {count} {what}, "
                    f"got {len(items)}."
                )
        if count < 2:
            raise ValueError(
                f"An interactive figure needs at least 2 frames, got {count}; use "
                "show(figure, alt=...)."
            )
        self.alts = [checked_alt(text) for text in alts]
        self.captions = (
            None if captions is None else [text.strip("\n") for text in captions]
        )
        self.sounds = None if sounds is None else list(sounds)
        pictures = [as_picture(frame) for frame in frames]
        sizes = {picture.size for picture in pictures}
        if len(sizes) > 1:
            raise ValueError(
                "All frames must have one size, or the figure jumps; got "
                f"{sorted(sizes)} in pixels."
            )
        (self.size,) = sizes
        self.pngs = [png(picture) for picture in pictures]

    def described(self, index: int) -> str:
        """Return the alternative text of a frame, including the slider positions."""
        where = ", ".join(
            f"{name} {label}"
            for name, label in zip(self.sliders, self.combinations[index], strict=True)
        )
        return f"{self.alts[index].rstrip('.')} ({where})."

    def to_html(self) -> str:
        """Return the figure as self-contained HTML; without JavaScript it shows the
        first frame.
        """
        count = len(self.pngs)
        static = files("genai_tutorial.notebook") / "static"
        first, *others = (base64.b64encode(data).decode() for data in self.pngs)
        data = {
            "sliders": [
                {"name": name, "labels": labels}
                for name, labels in self.sliders.items()
            ],
            "alts": [self.described(index) for index in range(count)],
            "captions": self.captions,
            "frames": others,
        }
        player = ""
        if self.sounds is not None:
            # The player of the first frame is on the page already.
            data["sounds"] = [
                {"name": sound.name, "transcript": sound.transcript}
                | ({"source": sound.source} if index else {})
                for index, sound in enumerate(self.sounds)
            ]
            player = self.sounds[0].to_html() + "\n"
        safe = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
        width = f"max-width: {self.size[0]}px"
        # Without JavaScript there is often no style sheet either; <pre> keeps the line
        # breaks of the first caption.
        caption = None if self.captions is None else html.escape(self.captions[0])
        fallback = (
            ""
            if caption is None
            else f'<pre class="genai-frames-note">{caption}</pre>\n'
        )
        return (
            '<div class="genai-frames" role="group" aria-label="Interactive figure" '
            f'style="{width}">'
            f"<style>{(static / 'frames.css').read_text('utf8')}</style>\n"
            f"{self._image(0, first)}{player}{fallback}"
            f'<p class="genai-frames-note">Frame 1 of {count}. Run this cell, or open '
            "the book, to see them all.</p>"
            f'<script type="application/json">{safe}</script>\n'
            f"<script>{(static / 'frames.js').read_text('utf8')}</script></div>"
        )

    def widget(self) -> "VBox":
        """Return the same figure as ipywidgets, for a live kernel."""
        import ipywidgets

        sliders = [
            ipywidgets.SelectionSlider(
                options=labels, description=name, style={"description_width": "initial"}
            )
            for name, labels in self.sliders.items()
        ]
        view = ipywidgets.HTML()

        def update(change: object = None) -> None:
            index = self.combinations.index(tuple(slider.value for slider in sliders))
            view.value = (
                self._image(index, base64.b64encode(self.pngs[index]).decode())
                + self._player(index)
                + self._caption(index)
            )

        for slider in sliders:
            slider.observe(update, names="value")
        update()
        return ipywidgets.VBox([view, *sliders])

    def _image(self, index: int, content: str) -> str:
        width, height = self.size
        alt = html.escape(self.described(index))
        return (
            f'<img src="data:image/png;base64,{content}" alt="{alt}" width="{width}" '
            f'height="{height}">\n'
        )

    def _player(self, index: int) -> str:
        return "" if self.sounds is None else self.sounds[index].to_html()

    def _caption(self, index: int) -> str:
        if self.captions is None:
            return ""
        style = "white-space: pre-wrap; font-family: monospace; line-height: 1.4"
        return f'<div style="{style}">{html.escape(self.captions[index])}</div>'

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        sliders = "; ".join(
            f"{name}: {', '.join(labels)}" for name, labels in self.sliders.items()
        )
        data: dict[str, Any] = {
            "text/plain": f"[Interactive figure: {self.alts[0]} Sliders: {sliders}]",
            "text/html": self.to_html(),
            "image/png": base64.b64encode(self.pngs[0]).decode(),
        }
        if _has_live_kernel():
            self._live = (
                self.widget()
            )  # keep a reference, or it is collected before it is shown
            data[WIDGET_VIEW] = {
                "model_id": self._live.model_id,
                "version_major": 2,
                "version_minor": 0,
            }
        metadata = {
            "image/png": {"alt": self.described(0)},
            "genai_tutorial": {"frames": len(self.pngs)},
        }
        return data, metadata


def _has_live_kernel() -> bool:
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel") and not executed_for_the_book()


if TYPE_CHECKING:
    from ipywidgets import VBox

Press = Callable[[str], tuple[Image.Image, str]]
"""Called with a button's label; returns the new image and a sentence that describes it.
"""


class Play:
    """An image that buttons change. Make it the last expression of a cell.

    A page has no kernel to call, so it shows `recorded` instead.

    Args:
        recorded: Frames of a recorded game, for pages.
        buttons: Label of each button, in their order. The first is pressed once at the
            start.
        press: Called with a button's label. The sentence that it returns is shown under
            the image, and screen readers read it out.

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
        """Return the image and its buttons as ipywidgets, for a live kernel."""
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
        if _has_live_kernel():
            self._live = self.widget()  # keep a reference until it is shown
            data[WIDGET_VIEW] = {
                "model_id": self._live.model_id,
                "version_major": 2,
                "version_minor": 0,
            }
        return data, metadata
