"""The schematics of chapter 5."""

from book.schematics.kit import Node, Point, Schematic


def llama() -> Schematic:
    """Return SmolLM2 with one of its blocks."""
    drawing = Schematic(
        "llama_block",
        272,
        "A Llama block with SmolLM2's sizes",
        """The stream of 576 features goes from the embedding through 30 blocks.
        In a block, attention with 9 query and 3 key-value heads, rotated by position,
        and SwiGLU each read an RMSNorm and add. A last RMSNorm precedes the output.""",
    )
    stream = 212
    embedding = drawing.box(
        "embedding", 8, stream - 26, 98, 52, "train", note="no positions"
    )
    drawing.text("tokens", 57, 268, "s")
    drawing.arrow((57, 255), embedding.bottom)
    drawing.group("one block of 30", 120, 8, 416, 250)
    before = embedding.right
    parts = (
        (136, "attention", "9 query heads\n3 key-value heads", 126, 72),
        (344, "SwiGLU", "576 → 1,536 → 576", 124, 54),
    )
    for left, name, note, width, height in parts:
        drawing.box("RMSNorm", left, 138, 72, 32, "train", face="")
        layer = drawing.box(
            name, left + 60, 112 - height, width, height, "train", note=note
        )
        middle = left + 30
        plus = drawing.operation("+", layer.bottom[0] + 18, stream)
        drawing.arrow(before, plus.left, kind="skip")
        drawing.branch(middle, stream)
        drawing.arrow((middle, stream), (middle, 170))
        drawing.arrow((middle, 138), layer.left, via=[(middle, layer.left[1])])
        drawing.arrow((plus.top[0], 112), plus.top)
        before = plus.right
    rotary = drawing.box("rotary positions", 384, 18, 138, 28, face="")
    drawing.arrow(rotary.left, (322, 62), via=[(350, 32), (350, 62)])
    final = drawing.box("RMSNorm", 546, stream - 17, 70, 34, "train", face="")
    drawing.arrow(before, final.left, kind="skip")
    output = drawing.box("output", 620, stream - 78, 56, 36, "train", face="")
    drawing.arrow(final.right, output.bottom, via=[(648, stream)])
    drawing.text("49,152 logits", 642, 94, "s")
    drawing.arrow(output.top, (648, 102))
    drawing.text("residual stream: 576 features per position", 330, 248, "s")
    return drawing


def cache() -> Schematic:
    """Return attention of one new token over the KV cache."""
    drawing = Schematic(
        "kv_cache",
        232,
        "Attention with a KV cache",
        """The third token gives a query, a key and a value. Key and value are appended
        to the cache, which holds those of tokens 1 and 2. The query gives the keys the
        weights 1/4, 1/4, 1/2, and the values 10, 20, 40 average to 27.5.""",
    )
    token = drawing.box("token 3", 8, 90, 84, 44, note="new")
    parts = []
    for name, y in (("query", 24), ("key", 97), ("value", 173)):
        part = drawing.box(name, 140, y, 70, 30)
        middle = (116, 112)
        via = [middle, (116, y + 15)] if y != 97 else []
        drawing.arrow(token.right, part.left, via=via)
        parts.append(part)
    drawing.branch(116, 112)
    query, key, value = parts
    drawing.group("KV cache", 262, 62, 232, 162)
    keys: list[Node] = []
    values: list[Node] = []
    for index, number in enumerate((10, 20, 40)):
        x, kind = 276 + 70 * index, "data" if index < 2 else "copy"
        keys.append(drawing.box(f"key {index + 1}", x, 94, 62, 36, kind, face=""))
        values.append(drawing.box(str(number), x, 170, 62, 36, kind, face=""))
    drawing.text("value 1", 307, 165, "s")
    drawing.text("value 2", 377, 165, "s")
    drawing.text("value 3", 447, 165, "s")
    drawing.arrow(key.right, (262, 112), "append", "skip")
    drawing.arrow(value.right, (262, 188), "append", "skip")
    weights = drawing.box("softmax", 540, 19, 124, 40, note="¼, ¼, ½")
    drawing.arrow(query.right, weights.left, "compared with every key")
    drawing.arrow((494, 112), (580, 59), via=[(580, 112)])
    average = drawing.box("average", 540, 166, 124, 44, note="27.5")
    drawing.arrow((494, 188), average.left)
    drawing.arrow((630, 59), (630, 166), "weights", at=0.8, shift=(-8, 4), side="R")
    return drawing


def queries() -> Schematic:
    """Return heads that share keys and values."""
    drawing = Schematic(
        "grouped_queries",
        176,
        "Multi-head, grouped-query and multi-query attention",
        """Nine query heads in three panels. Multi-head: each has its own head of keys
        and values. Grouped queries, as in SmolLM2: three heads of keys and values, each
        for three queries. Multi-query: one for all nine.""",
    )
    panels = (("multi-head", 9), ("grouped queries", 3), ("multi-query", 1))
    for number, (name, shared) in enumerate(panels):
        left = 86 + 204 * number
        drawing.text(name, left + 92, 20, "b")
        size = 2 * 64 * shared  # SmolLM2: 64 features of a key and of a value
        for head in range(9):
            group = head * shared // 9
            middle = left + (group + 0.5) * 184 / shared
            x = left + 10 + 20.5 * head
            _line(drawing, (x, 64), (middle, 110))
        for head in range(9):
            drawing.box("", left + 2 + 20.5 * head, 48, 16, 16, "data", shape="map")
        for group in range(shared):
            middle = left + (group + 0.5) * 184 / shared
            drawing.box("", middle - 8, 110, 16, 16, "train", shape="map")
        plural = "heads" if shared > 1 else "head"
        drawing.text(f"{shared} {plural} of keys and values", left + 92, 150, "s")
        drawing.text(f"{size:,} numbers per token and layer", left + 92, 168, "s")
    drawing.text("queries", 76, 61, "s", "R")
    drawing.text("keys, values", 76, 123, "s", "R")
    return drawing


def _line(drawing: Schematic, start: Point, end: Point) -> None:
    """Draw a thin line without a tip."""
    drawing.parts.append(
        '<path class="line ghost" d="M{:g} {:g}L{:g} {:g}"/>'.format(*start, *end)
    )


def router() -> Schematic:
    """Return a mixture of four experts."""
    drawing = Schematic(
        "expert_router",
        262,
        "A mixture of experts with four experts, of which two are chosen",
        """A token goes to the router, which gives four experts the probabilities 4/8,
        2/8, 1/8 and 1/8. Experts 1 and 2 are chosen and output 3 and 6; the other two
        compute nothing. With weights 2/3 and 1/3 the sum is 4.""",
    )
    token = drawing.box("token", 8, 108, 66, 44)
    route = drawing.box("router", 120, 104, 86, 52, "train", note="softmax")
    drawing.arrow(token.right, route.left)
    plus = drawing.operation("+", 560, 65)
    rows = (("4/8", "3", "2/3"), ("2/8", "6", "1/3"), ("1/8", "", ""), ("1/8", "", ""))
    for index, (probability, result, weight) in reversed(list(enumerate(rows))):
        y = 12 + 63 * index
        chosen = index < 2
        expert = drawing.box(
            f"expert {index + 1}", 330, y, 110, 44, "train" if chosen else "no",
            note=f"outputs {result}" if chosen else "not used",
        )  # fmt: skip
        drawing.arrow(
            route.right,
            expert.left,
            kind="" if chosen else "ghost",
            via=[(256, 130), (256, y + 22)],
        )
        drawing.text(probability, 300, y + 16, "s", halo=True)
        if chosen:
            end = plus.top if index == 0 else plus.bottom
            drawing.arrow(
                expert.right, end, f"weight {weight}", via=[(560, y + 22)], at=0.4
            )
    result = drawing.box("4", 610, 45, 60, 40)
    drawing.arrow(plus.right, result.left)
    drawing.legend(462, 190, ("train", "computes"))
    drawing.legend(462, 214, ("no", "costs memory only"))
    return drawing


DRAWINGS = (llama, cache, queries, router)
