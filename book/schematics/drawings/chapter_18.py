"""The schematics of chapter 18."""

from book.schematics.kit import Node, Schematic


def residual_quantizer() -> Schematic:
    """Return residual vector quantization of one number."""
    drawing = Schematic(
        "residual_quantizer",
        242,
        "Residual vector quantization with two codebooks",
        """The number 9.2 goes to codebook 1 with entries 0 and 10, which picks 10, code
        1. The residual -0.8 goes to codebook 2 with entries -1 and 1, which picks -1,
        code 0. The sum of both entries is 9; 0.2 is left over.""",
    )
    y = 78
    vector = drawing.box("9.2", 16, y - 20, 58, 40)
    drawing.text("vector", 45, y + 36, "s")
    rest = drawing.box("−0.8", 332, y - 20, 58, 40)
    drawing.text("residual", 361, y + 36, "s")
    last = drawing.box("0.2", 620, y - 20, 44, 40)
    drawing.text("left over", 637, y + 36, "s")
    total = drawing.operation("+", 412, 178)
    for source, goal, entries, entry, code, side in (
        (vector, rest, "0 or 10", "10", "code 1", total.left),
        (rest, last, "−1 or 1", "−1", "code 0", total.right),
    ):
        x = source.right[0]
        number = 1 if source is vector else 2
        book = drawing.box(
            f"codebook {number}", x + 46, y - 26, 100, 52, "train", note=entries
        )
        token = drawing.box(code, x + 64, 134, 64, 24, face="c")
        minus = drawing.operation("−", x + 196, y)
        drawing.branch(x + 22, y)
        drawing.arrow(source.right, book.left)
        drawing.arrow((x + 22, y), minus.top, via=[(x + 22, 26), (x + 196, 26)])
        drawing.arrow(book.bottom, token.top)
        drawing.arrow(book.right, minus.left)
        drawing.text(entry, x + 157, y - 8, "s")
        drawing.arrow(minus.right, goal.left)
        drawing.branch(x + 166, y)
        drawing.arrow((x + 166, y), side, via=[(x + 166, 178)])
    answer = drawing.box("10 − 1 = 9", 364, 206, 96, 28)
    drawing.text("approximation", 352, 225, "s", "R")
    drawing.arrow(total.bottom, answer.top)
    return drawing


def delay_pattern() -> Schematic:
    """Return the parallel and the delay pattern, and what one token sees."""
    drawing = Schematic(
        "delay_pattern",
        222,
        "The parallel and the delay pattern for three streams",
        """Two grids of three streams a, b, c. Parallel: four columns; b2 sees a1, b1,
        c1, but not a2 above it. Delay: six columns, each stream starts one column after
        the stream above; b2 is in column 3 and sees a1, a2 and b1.""",
    )
    for x, title, shifts, seen, same in (
        (16, "parallel pattern", (0, 0, 0), ("a1", "b1", "c1"), ("a2", "c2")),
        (304, "delay pattern", (0, 1, 2), ("a1", "a2", "b1"), ("a3", "c1")),
    ):
        columns = 4 + max(shifts)
        drawing.text(title, x + 74, 18, "b", "L")
        for column in range(columns):
            drawing.text(f"{column + 1}", x + 94 + 48 * column, 42, "s")
        drawing.text("column", x + 62, 42, "s", "R")
        for row, (stream, shift) in enumerate(zip("abc", shifts, strict=True)):
            y = 52 + 42 * row
            drawing.text(f"stream {stream}", x + 62, y + 22, "s", "R")
            for step in range(1, 5):
                token = f"{stream}{step}"
                kind = "data"
                if token in seen:
                    kind = "ok"
                elif token in same:
                    kind = "no"
                elif token == "b2":
                    kind = "train"
                drawing.box(
                    token, x + 74 + 48 * (step - 1 + shift), y, 40, 34, kind, face="c"
                )
    drawing.legend(
        16,
        206,
        ("train", "the token predicted"),
        ("ok", "seen: earlier columns"),
        ("no", "unseen: same column"),
        ("data", "later"),
    )
    return drawing


def ctc() -> Schematic:
    """Return the states of a CTC transcript over the frames."""
    drawing = Schematic(
        "ctc",
        312,
        "CTC: the paths that read red circle",
        """Five states, blank, red, blank, circle, blank, over six frames. Thin arrows:
        stay, go to the next state, or skip a blank. A thick path reads blank, red, red,
        blank, circle, blank; merged and without blanks, it says red circle.""",
    )
    states = ("blank", "red", "blank", "circle", "blank")
    left, step, top, gap = 150, 92, 56, 42

    def place(frame: int, state: int) -> tuple[float, float]:
        return left + step * frame, top + gap * state

    path = (0, 1, 1, 2, 3, 4)
    drawing.text("frame", 62, 24, "h", "R")
    for frame in range(6):
        drawing.text(str(frame + 1), place(frame, 0)[0], 24, "b")
    for index, state in enumerate(states):
        drawing.text(state, 110, place(0, index)[1] + 5, "b", "R")
    reachable = {
        (frame, state)
        for frame in range(6)
        for state in range(5)
        if state <= 1 + 2 * frame and state >= 3 - 2 * (5 - frame)
    }
    for frame, state in sorted(reachable):
        for ahead in (0, 1, 2):
            if ahead == 2 and state % 2 == 0:
                continue  # only a blank between two words may be skipped
            if (frame + 1, state + ahead) not in reachable:
                continue
            if path[frame] == state and path[min(frame + 1, 5)] == state + ahead:
                continue
            one, two = place(frame, state), place(frame + 1, state + ahead)
            drawing.parts.append(
                '<path class="line ghost" d="M{:g} {:g}L{:g} {:g}"/>'.format(*one, *two)
            )
    for frame in range(5):
        one, two = place(frame, path[frame]), place(frame + 1, path[frame + 1])
        drawing.arrow(_near(one, two), _near(two, one), kind="train")
    for frame, state in sorted(reachable):
        x, y = place(frame, state)
        kind = "train" if path[frame] == state else "data"
        _round(drawing, x, y, kind)
    for frame, state in enumerate(path):
        drawing.text(states[state], place(frame, 0)[0], 262, "s")
    drawing.text("this path", 110, 262, "b", "R")
    drawing.text("its reading", 110, 294, "b", "R")
    drawing.text("red circle", place(0, 0)[0] - 16, 294, "", "L")
    drawing.text("merge equal neighbours, then delete the blanks", 664, 294, "s", "R")
    return drawing


def _near(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    return (
        start[0] + 9 * (end[0] - start[0]) / length,
        start[1] + 9 * (end[1] - start[1]) / length,
    )


def _round(drawing: Schematic, x: float, y: float, kind: str) -> Node:
    return drawing.box("", x - 8, y - 8, 16, 16, kind)


def speech_chain() -> Schematic:
    """Return the chain from speech to text, image and speech."""
    drawing = Schematic(
        "speech_chain",
        236,
        "From speech to text, to an image and back to speech",
        """Speech becomes 100 mel columns per second; a recognizer trained with CTC
        writes the transcript. The model of chapter 9 turns it into an image; a
        synthesizer turns it into phonemes, durations and columns, and Griffin-Lim into
        a wave.""",
    )
    y = 46
    speech = drawing.box("speech", 16, y - 24, 76, 48, note="2.7 s")
    columns = drawing.box("mel columns", 128, y - 24, 112, 48, note="100 per second")
    recognizer = drawing.box(
        "recognizer", 276, y - 26, 136, 52, "train", note="0.7 million, CTC"
    )
    transcript = drawing.box(
        "transcript", 472, y - 26, 192, 52, note="a small red circle below …"
    )
    drawing.arrow(speech.right, columns.left)
    drawing.arrow(columns.right, recognizer.left)
    drawing.arrow(recognizer.right, transcript.left)
    painter = drawing.box(
        "text-to-image", 532, 118, 132, 50, "train", note="model of chapter 9"
    )
    image = drawing.box("image", 556, 196, 84, 30)
    drawing.arrow((598, y + 26), painter.top)
    drawing.arrow(painter.bottom, image.top)
    synthesizer = drawing.box(
        "synthesizer",
        276,
        112,
        136,
        62,
        "train",
        note="phonemes, durations,\nmel columns",
    )
    vocoder = drawing.box("Griffin-Lim", 128, 122, 112, 42, note="finds phases")
    voice = drawing.box("speech", 16, 119, 76, 48, note="new voice")
    drawing.arrow((500, y + 26), synthesizer.right, via=[(500, 143)])
    drawing.arrow(synthesizer.left, vocoder.right)
    drawing.arrow(vocoder.left, voice.right)
    drawing.legend(
        16, 216, ("data", "data or fixed step"), ("train", "trained network")
    )
    return drawing


DRAWINGS = (residual_quantizer, delay_pattern, ctc, speech_chain)
