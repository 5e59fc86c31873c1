"""A GPT that computes its own gradients: it reads words, and then it invents some.
Run `python gpt.py my_text.txt`; without a text it reads Python's own manual.
"""

import math
import random
import re
import sys
from operator import mul


class Vector:
    """Numbers, their gradient, and a rule that passes the gradient to the parents."""

    def __init__(self, data, parents=(), pass_on=lambda grad: None):
        self.data, self.parents, self.pass_on = data, parents, pass_on
        self.grad = [0.0] * len(data)

    def backward(self):
        """Add the gradient of this number to all vectors it was computed from."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            vector, after_its_parents = stack.pop()
            if after_its_parents:
                order.append(vector)
            elif vector not in seen:
                seen.add(vector)
                stack += [(vector, True), *((one, False) for one in vector.parents)]
        self.grad = [1.0]
        for vector in reversed(order):
            vector.pass_on(vector.grad)


def dot(a, b):
    return sum(map(mul, a, b))


def increase(grad, factor, numbers):
    grad[:] = [g + factor * number for g, number in zip(grad, numbers)]


def add(a, b):
    def pass_on(grad):
        increase(a.grad, 1.0, grad)
        increase(b.grad, 1.0, grad)

    return Vector([x + y for x, y in zip(a.data, b.data)], (a, b), pass_on)


def linear(rows, x):
    """Multiply a matrix, given as a list of rows, by a vector."""

    def pass_on(grad):
        for g, row in zip(grad, rows):
            increase(row.grad, g, x.data)
        columns = zip(*(row.data for row in rows))
        increase(x.grad, 1.0, [dot(grad, column) for column in columns])

    return Vector([dot(row.data, x.data) for row in rows], (*rows, x), pass_on)


def mix(weights, rows):
    """Add up the rows, each times its weight."""

    def pass_on(grad):
        for weight, row in zip(weights.data, rows):
            increase(row.grad, weight, grad)
        increase(weights.grad, 1.0, [dot(grad, row.data) for row in rows])

    columns = zip(*(row.data for row in rows))
    return Vector([dot(weights.data, c) for c in columns], (weights, *rows), pass_on)


def softmax(x, scale=1.0):
    """Turn numbers into probabilities that are proportional to exp(scale * number)."""
    powers = [math.exp(scale * (number - max(x.data))) for number in x.data]
    p = [power / sum(powers) for power in powers]

    def pass_on(grad):
        mean = dot(grad, p)
        increase(x.grad, scale, [q * (g - mean) for q, g in zip(p, grad)])

    return Vector(p, (x,), pass_on)


def relu(x):
    def pass_on(grad):
        increase(x.grad, 1.0, [g * (number > 0) for g, number in zip(grad, x.data)])

    return Vector([max(0.0, number) for number in x.data], (x,), pass_on)


def normalize(x):
    """Divide a vector by the root of its mean square."""
    n = len(x.data)
    size = math.sqrt(dot(x.data, x.data) / n + 1e-5)
    y = [number / size for number in x.data]

    def pass_on(grad):
        along = dot(grad, y) / n
        increase(x.grad, 1 / size, [g - along * number for g, number in zip(grad, y)])

    return Vector(y, (x,), pass_on)


def cross_entropy(logits, target):
    """Return minus the logarithm of the target's probability."""
    p = softmax(logits).data

    def pass_on(grad):
        increase(logits.grad, grad[0], [q - (i == target) for i, q in enumerate(p)])

    return Vector([-math.log(p[target])], (logits,), pass_on)


def matrix(n, width, spread=1.0):
    return [Vector([random.gauss(0, spread) for _ in range(width)]) for _ in range(n)]


class GPT:
    """A Transformer decoder with one attention head per block."""

    def __init__(self, vocabulary, context=16, width=16, blocks=1):
        shapes = dict.fromkeys(("query", "key", "value", "out"), (width, width))
        shapes |= {"up": (2 * width, width), "down": (width, 2 * width)}
        self.tokens, self.positions = matrix(vocabulary, width), matrix(context, width)
        self.blocks = [
            {name: matrix(*shape, shape[1] ** -0.5) for name, shape in shapes.items()}
            for _ in range(blocks)
        ]
        self.head = matrix(vocabulary, width, 0.02)

    def parameters(self):
        """Return the rows of all matrices."""
        layers = [layer for block in self.blocks for layer in block.values()]
        return sum([self.tokens, self.positions, *layers, self.head], [])

    def logits(self, ids):
        """Return a score for each possible next token, at each position."""
        past = [([], []) for _ in self.blocks]  # each block's keys and values so far
        logits = []
        for token, position in zip(ids, self.positions):
            x = add(self.tokens[token], position)
            for block, (keys, values) in zip(self.blocks, past):
                y = normalize(x)
                keys.append(linear(block["key"], y))
                values.append(linear(block["value"], y))
                scores = linear(keys[:], linear(block["query"], y))
                attention = softmax(scores, scale=len(y.data) ** -0.5)
                x = add(x, linear(block["out"], mix(attention, values[:])))
                hidden = relu(linear(block["up"], normalize(x)))
                x = add(x, linear(block["down"], hidden))
            logits.append(linear(self.head, normalize(x)))
        return logits


def average(losses):
    return mix(Vector([1 / len(losses)] * len(losses)), losses)


def loss_of(model, ids):
    """Return the mean cross-entropy of predicting each token from those before it."""
    return average(list(map(cross_entropy, model.logits(ids[:-1]), ids[1:])))


def learn(model, words, steps, rate=0.02, batch=4):
    """Take steps of Adam with a rate that falls to zero; return the losses."""
    averages, history = [([0.0] * len(row.data),) * 2 for row in model.parameters()], []
    for step in range(1, steps + 1):
        loss = average([loss_of(model, ids) for ids in random.choices(words, k=batch)])
        loss.backward()
        history += loss.data
        size = rate * (1 - step / steps) * math.sqrt(1 - 0.99**step) / (1 - 0.9**step)
        for i, row in enumerate(model.parameters()):
            mean = [0.9 * m + 0.1 * g for m, g in zip(averages[i][0], row.grad)]
            square = [0.99 * s + 0.01 * g * g for s, g in zip(averages[i][1], row.grad)]
            averages[i] = mean, square
            moves = [m / (math.sqrt(s) + 1e-8) for m, s in zip(mean, square)]
            increase(row.data, -size, moves)
            row.grad = [0.0] * len(row.data)
    return history


def write(model, letters):
    """Draw letters until a word ends."""
    ids = [0]
    while len(ids) < len(model.positions) and (len(ids) == 1 or ids[-1] != 0):
        ids += random.choices(range(len(letters)), softmax(model.logits(ids)[-1]).data)
    return "".join(letters[i] for i in ids).strip(".")


if __name__ == "__main__":
    from pydoc_data import topics

    path = sys.argv[1] if sys.argv[1:] else topics.__file__
    words = re.findall(r"\b[a-z]{3,12}\b", open(path, encoding="utf8").read())
    letters = "." + "".join(sorted(set("".join(words))))  # a dot ends each word
    ids = [[letters.index(letter) for letter in f".{word}."] for word in set(words)]
    random.seed(0)
    model = GPT(len(letters))
    losses = learn(model, sorted(ids), steps=1000)
    print(f"loss: {losses[0]:.2f} at first, {sum(losses[-100:]) / 100:.2f} at the end")
    print(" ".join(write(model, letters) for _ in range(24)))
