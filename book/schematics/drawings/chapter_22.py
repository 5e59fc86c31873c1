"""The schematics of chapter 22."""

from book.schematics.kit import Schematic


def blockwise_softmax() -> Schematic:
    """Return the online softmax over two blocks, with the numbers of the example."""
    drawing = Schematic(
        "blockwise_softmax",
        250,
        "Blockwise attention with an online softmax",
        """Two blocks of two scores and values arrive one after the other. The state of
        the query, m, l and o, is updated with each: 0, then 1.5 and 16, then 2 and 18
        after the old sums were halved. At the end the output is 18 / 2 = 9.""",
    )
    drawing.text("keys and values, block by block", 12, 22, "h", "L")
    drawing.text("state of one query", 12, 142, "h", "L")
    states = [
        drawing.box("start", 12, 156, 96, 74, note="m = −∞\nl = 0,  o = 0"),
        drawing.box(
            "block 1 read", 208, 156, 118, 74, note="m = ln 4\nl = 1.5,  o = 16"
        ),
        drawing.box("block 2 read", 424, 156, 118, 74, note="m = ln 8\nl = 2,  o = 18"),
    ]
    rows = (
        (158, "block 1", "scores  ln 4,  ln 2\nvalues  8,  16", "× 0"),
        (375, "block 2", "scores  ln 8,  ln 2\nvalues  4,  24", "× ½"),
    )
    for index, (x, name, note, shrink) in enumerate(rows):
        block = drawing.box(name, x - 70, 34, 140, 72, note=note)
        before, after = states[index], states[index + 1]
        plus = drawing.operation("+", x, 193)
        drawing.arrow(before.right, plus.left, shrink)
        drawing.arrow(plus.right, after.left)
        drawing.arrow(block.bottom, plus.top)
    output = drawing.box("output", 590, 163, 80, 60, "ok", note="o / l = 9")
    drawing.arrow(states[2].right, output.left)
    return drawing


def sink_cache() -> Schematic:
    """Return a stream of tokens and the cache that keeps sinks and a window."""
    drawing = Schematic(
        "sink_cache",
        256,
        "The cache of a stream with attention sinks",
        """At token 512 of a stream, the cache keeps the first 4 tokens, the sinks, and
        the last 124. Tokens 5 to 388 are evicted. In the cache the kept keys lie next
        to each other and are rotated by their positions there, 1 to 128.""",
    )
    drawing.text("stream", 12, 24, "h", "L")
    drawing.text("cache", 12, 172, "h", "L")
    top, low, side = 52, 190, 28
    sinks = [drawing.box("", 12 + side * n, top, side, side, "ok") for n in range(4)]
    for n, box in enumerate(sinks):
        drawing.text(f"{n + 1}", box.top[0], top + 19, "s")
    evicted = drawing.box("5 to 388", 136, top, 250, side, "no", face="s")
    window = drawing.box(
        "389 to 511", 398, top, 210, side, "map", face="s", shape="map"
    )
    now = drawing.box("512", 614, top, 54, side, "op", face="b")
    drawing.text("4 sinks", 68, 44, "b")
    drawing.text("evicted", evicted.top[0], 44, "b")
    drawing.text("the last 124 tokens", 533, 44, "b")
    kept = drawing.box("1 to 4", 168, low, 112, side, "ok", face="s")
    near = drawing.box("5 to 127", 284, low, 210, side, "map", face="s", shape="map")
    last = drawing.box("128", 498, low, 54, side, "op", face="b")
    drawing.arrow((68, top + side), kept.top, via=[(68, 132), (224, 132)])
    drawing.arrow(window.bottom, near.top, via=[(503, 110), (389, 110)])
    drawing.arrow(now.bottom, last.top, via=[(641, 132), (525, 132)])
    drawing.text("positions in the cache, which rotate the keys", 360, low + 48, "s")
    return drawing


def ring_attention() -> Schematic:
    """Return four devices on a ring, and the keys that each has after each hop."""
    drawing = Schematic(
        "ring_attention",
        300,
        "Ring attention on four devices",
        """Left: four devices on a ring hold the queries of a block each and pass keys
        and values on to a neighbour. Right: after three hops each device has had all
        four blocks. Causal attention: device 1 uses one block, device 4 all four.""",
    )
    drawing.text("queries stay, keys and values travel", 12, 22, "h", "L")
    drawing.text("block of keys on each device", 372, 22, "h", "L")
    places = ((12, 44), (212, 44), (212, 196), (12, 196))
    devices = [
        drawing.box(f"device {n + 1}", x, y, 116, 66, note=f"queries of\nblock {n + 1}")
        for n, (x, y) in enumerate(places)
    ]
    one, two, three, four = devices
    for start, end, text, shift, side in (
        (two.left, one.right, "K, V 2", (0, -8), ""),
        (three.top, two.bottom, "K, V 3", (-8, 4), "R"),
        (four.right, three.left, "K, V 4", (0, -8), ""),
        (one.bottom, four.top, "K, V 1", (8, 4), "L"),
    ):
        drawing.arrow(start, end, text, "skip", shift=shift, side=side)
    for device in range(4):
        drawing.text(f"{device + 1}", 476 + 54 * device, 50, "b")
    for hop in range(4):
        y = 62 + 46 * hop
        drawing.text("start" if hop == 0 else f"hop {hop}", 436, y + 22, "s", "R")
        for device in range(4):
            block = (device + hop) % 4
            kind = "map" if block <= device else "no"
            drawing.box(f"{block + 1}", 456 + 54 * device, y, 40, 34, kind)
    drawing.legend(372, 268, ("map", "computed"), ("no", "skipped by a causal mask"))
    return drawing


def reading_in_parts() -> Schematic:
    """Return map-reduce, refine and retrieval over a text in four parts."""
    drawing = Schematic(
        "reading_in_parts",
        352,
        "Map-reduce, refine and retrieval",
        """Three ways through a text of four parts. Map-reduce: each part gives an
        answer, and these give the last one. Refine: each part corrects the answer so
        far. Retrieval: a search picks two passages, and only they are read.""",
    )
    columns = (150, 242, 334, 426)
    for y, name, tokens in (
        (38, "map-reduce", "2,334 tokens"),
        (166, "refine", "2,332 tokens"),
        (282, "retrieval", "294 tokens"),
    ):
        drawing.text(name, 12, y + 14, "b", "L")
        drawing.text(tokens, 12, y + 32, "s", "L")
    ends = [drawing.box("answer", 570, y, 98, 36, "ok") for y in (62, 190, 280)]
    for y, end in ((16, ends[0]), (144, ends[1])):
        before = None
        for number, x in enumerate(columns, start=1):
            part = drawing.box(
                f"part {number}", x, y, 64, 28, "map", face="s", shape="map"
            )
            if end is ends[1] and number == len(columns):
                drawing.arrow(part.right, end.top, via=[(619, y + 14)])
                drawing.arrow(before.right, end.left)
                continue
            answer = drawing.box("answer", x, y + 50, 64, 28, face="s")
            drawing.arrow(part.bottom, answer.top)
            if end is ends[0]:
                corners = [(answer.bottom[0], 114), (619, 114)]
                drawing.arrow(answer.bottom, end.bottom, via=corners)
            elif before:
                drawing.arrow(before.right, answer.left)
            before = answer
    for number in range(16):
        found = number in (5, 12)
        x = 150 + 21.5 * number
        drawing.box("", x, 276, 17, 44, "ok" if found else "no", shape="map")
        if found:
            drawing.arrow((x + 8.5, 276), ends[2].top, via=[(x + 8.5, 258), (619, 258)])
    drawing.text("passages, two of them retrieved", 320, 342, "s")
    return drawing


DRAWINGS = (blockwise_softmax, sink_cache, ring_attention, reading_in_parts)
