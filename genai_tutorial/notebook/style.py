"""The book's plotting style: a colour-blind-safe palette on a white background."""

from typing import NamedTuple


class Palette(NamedTuple):
    """Colours by name (`COLORS.blue`) and by index (`COLORS[0]`).

    Source: Okabe and Ito, "Color Universal Design" (2008),
        https://jfly.uni-koeln.de/color/.
    """

    blue: str = "#0072B2"
    vermillion: str = "#D55E00"
    green: str = "#009E73"
    purple: str = "#CC79A7"
    black: str = "#333333"
    orange: str = "#E69F00"
    sky: str = "#56B4E9"


COLORS = Palette()

INK, FAINT = "#222222", "#E4E4E4"
DOTS_PER_INCH = 100


def use_style() -> None:
    """Apply the book's style to all matplotlib figures drawn from now on: 640 by 360
    pixels by default.
    """
    import matplotlib

    matplotlib.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": "#777777",
            "axes.facecolor": "white",
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.prop_cycle": matplotlib.cycler(color=COLORS),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            # Dark mode shows figures unchanged, so the background must not be
            # transparent.
            "figure.facecolor": "white",
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": DOTS_PER_INCH,
            "figure.constrained_layout.use": True,
            "figure.titlesize": 12,
            "figure.titleweight": "bold",
            # The font that comes with matplotlib, so that text looks the same on every
            # machine.
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "grid.color": FAINT,
            "image.cmap": "viridis",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.dpi": DOTS_PER_INCH,
            "savefig.facecolor": "white",
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
