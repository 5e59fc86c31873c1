"""The schematics of chapter 33."""

from book.schematics.kit import Schematic


def memories() -> Schematic:
    """Return a cache that grows beside a state that is rewritten."""
    drawing = Schematic(
        "fixed_memory",
        286,
        "A cache that grows, and a state that is rewritten",
        """Left: attention keeps a row with key and value for every token; the fifth
        token adds a fifth row and reads all. Right: a state of fixed size is decayed,
        gets the new pair, and is read with the query.""",
    )
    drawing.group("softmax attention: a cache", 8, 8, 316, 270)
    drawing.text("key", 92, 50, "s")
    drawing.text("value", 186, 50, "s")
    for row in range(5):
        y = 58 + 26 * row
        kind = "ok" if row == 4 else "data"
        drawing.text(f"token {row + 1}", 20, y + 14, "s", "L")
        drawing.box("", 70, y, 46, 20, kind, shape="map")
        last = drawing.box("", 140, y, 92, 20, kind, shape="map")
    drawing.text("one row more per token", 150, 206, "s")
    read = drawing.box("output", 248, 224, 66, 36)
    query = drawing.box("query", 20, 224, 66, 36)
    drawing.arrow(query.right, read.left, "compares with every key", shift=(0, -7))
    drawing.arrow(last.right, read.top, via=[(281, last.right[1])])
    drawing.group("a memory of fixed size: a state", 340, 8, 332, 270)
    state = drawing.box(
        "state S", 446, 82, 112, 78, "ok", note="key features\nby value features"
    )
    key = drawing.box("key, value", 354, 40, 84, 32)
    drawing.arrow(key.bottom, state.left, via=[(396, 121)])
    drawing.text("writes", 402, 140, "s", "L")
    drawing.arrow((558, 104), (558, 138), kind="back", via=[(606, 104), (606, 138)])
    drawing.text("decays", 616, 125, "s", "L")
    query = drawing.box("query", 356, 224, 78, 36)
    read = drawing.box("output", 582, 224, 78, 36)
    drawing.arrow(state.bottom, read.left, via=[(502, 242)])
    drawing.arrow(query.right, (502, 242), "", "")
    drawing.text("the same size", 514, 188, "s", "L")
    drawing.text("after every token", 514, 205, "s", "L")
    return drawing


def hybrid() -> Schematic:
    """Return what each layer of a hybrid keeps after n tokens."""
    drawing = Schematic(
        "hybrid_memory",
        250,
        "What each layer of a hybrid keeps",
        """Four layers in a row: three with a gated delta rule, each with a state of
        524,288 numbers, and one with attention, whose cache has 1,024 numbers for each
        token. One line compares both at 512 tokens.""",
    )
    previous = None
    for layer in range(4):
        full = layer == 3
        x = 22 + 166 * layer
        box = drawing.box(
            "attention" if full else "gated delta",
            x,
            20,
            138,
            44,
            "train",
            note=f"layer {layer + 1}",
        )
        if previous is not None:
            drawing.arrow(previous.right, box.left)
        previous = box
        if full:
            for row in range(4):
                cache = drawing.box("", x + 24, 100 + 18 * row, 90, 14, shape="map")
            drawing.text("1,024 numbers", x + 69, 192, "s")
            drawing.text("for each token", x + 69, 208, "s")
            top = (x + 69, 100.0)
        else:
            cache = drawing.box("S", x + 35, 100, 68, 68, "ok")
            drawing.text("524,288 numbers", x + 69, 192, "s")
            drawing.text("at any length", x + 69, 208, "s")
            top = cache.top
        drawing.arrow(box.bottom, top)
    drawing.text(
        "one state is as large as the cache of 512 tokens; at 131,072 tokens the "
        "cache is 256 times as large",
        340,
        238,
        "s",
    )
    return drawing


def latent() -> Schematic:
    """Return multi-head latent attention: what is cached, and what is absorbed."""
    drawing = Schematic(
        "latent_attention",
        268,
        "Multi-head latent attention",
        """A token is mapped down to a latent vector and to one rotated key; only these
        two are cached. Left, for training: all heads compute keys and values from the
        latent vector. Right, with a cache: queries and outputs are mapped instead.""",
    )
    token = drawing.box("token", 300, 14, 84, 34)
    small = drawing.box("latent vector c", 196, 92, 132, 34, "ok")
    turned = drawing.box("rotated key", 356, 92, 132, 34, "ok")
    drawing.arrow(token.bottom, small.top, via=[(342, 70), (262, 70)])
    drawing.arrow(token.bottom, turned.top, via=[(342, 70), (422, 70)])
    drawing.text("the cache: both,", 508, 104, "s", "L")
    drawing.text("once for all heads", 508, 120, "s", "L")
    drawing.group("in training", 8, 150, 316, 108)
    keys = drawing.box("keys", 112, 180, 92, 50, "train", note="of all heads")
    values = drawing.box("values", 216, 180, 92, 50, "train", note="of all heads")
    drawing.text("then attention", 18, 202, "s", "L")
    drawing.text("as before", 18, 218, "s", "L")
    drawing.arrow(small.bottom, keys.top, via=[(262, 140), (158, 140)])
    drawing.arrow(small.bottom, values.top)
    drawing.group("with a cache", 340, 150, 332, 108)
    query = drawing.box("query", 350, 180, 116, 50, "train", note="times key matrix")
    output = drawing.box(
        "output", 546, 180, 118, 50, "train", note="times value matrix"
    )
    mixed = drawing.box("mean", 478, 186, 56, 38)
    drawing.arrow(query.right, mixed.left)
    drawing.arrow(mixed.right, output.left)
    drawing.arrow(turned.bottom, mixed.top, via=[(422, 140), (506, 140)])
    drawing.text("keys and values are never built", 506, 250, "s")
    return drawing


DRAWINGS = (memories, hybrid, latent)
