"""An assembler for the part of WebAssembly that the engine's kernel needs.

WebAssembly has a text form for people and a binary form for browsers. In the text, an
instruction is written before its operands, in parentheses; in the binary form, operands
come first and leave their values on a stack:

    (i32.add (local.get $a) (i32.const 2))   ->   20 00   41 02   6a

Only what `matvec.wat` uses is understood: one memory, functions without results,
`loop` and `br_if`, and the instructions in `OPCODES`.
"""

import re
import struct

# The opcode of each instruction; 0xfd begins those on four numbers at once.
OPCODES = {
    "local.get": b"\x20",
    "local.set": b"\x21",
    "br_if": b"\x0d",
    "i32.const": b"\x41",
    "i32.add": b"\x6a",
    "i32.shl": b"\x74",
    "i32.lt_u": b"\x49",
    "f32.add": b"\x92",
    "f32.store": b"\x38",
    "v128.load": b"\xfd\x00",
    "v128.const": b"\xfd\x0c",
    "f32x4.extract_lane": b"\xfd\x1f",
    "f32x4.add": b"\xfd\xe4\x01",
    "f32x4.mul": b"\xfd\xe6\x01",
}
TYPES = {"i32": b"\x7f", "f32": b"\x7d", "v128": b"\x7b"}
ALIGNMENTS = {"f32.store": 2, "v128.load": 4}  # as powers of two: 4 and 16 bytes
LOOP, NO_RESULT, END = b"\x03", b"\x40", b"\x0b"
TOKEN = re.compile(r'\s+|;;[^\n]*|(?P<token>[()]|"[^"]*"|[^\s()";]+)|(?P<wrong>.)')

Expression = list
"""An expression in parentheses: words, as strings, and further expressions."""


def assemble(text: str) -> bytes:
    """Return the binary form of a WebAssembly module.

    Args:
        text: The module in the text format, within the limits of this assembler.

    Raises:
        ValueError: If the text is not such a module.

    Source: WebAssembly Core Specification, chapter 5 (binary format),
        https://webassembly.github.io/spec/core/binary/

    >>> assemble('(module (memory (export "memory") 1))').hex(" ", 4)
    '00 61736d01 00000005 03010001 070a0106 6d656d6f 72790200'
    """
    module = parse(text)
    if module[:1] != ["module"]:
        raise ValueError(f"The text must be one (module ...), got {str(module)[:60]}.")
    types, exports, bodies, memories = [], [], [], []
    for field in module[1:]:
        match field:
            case ["memory", ["export", str(name)], str(pages)]:
                exports.append(_string(name) + b"\x02" + unsigned(len(memories)))
                memories.append(b"\x00" + unsigned(_number(pages, 0, 2**16)))
            case ["func", ["export", str(name)], *rest]:
                exports.append(_string(name) + b"\x00" + unsigned(len(bodies)))
                parameters, body = _function(rest)
                types.append(b"\x60" + _vector(parameters) + unsigned(0))
                bodies.append(body)
            case _:
                raise ValueError(f"This is no memory or function: {str(field)[:60]}.")
    sections = {
        1: types,
        3: [unsigned(number) for number in range(len(bodies))],
        5: memories,
        7: exports,
        10: [unsigned(len(body)) + body for body in bodies],
    }
    return b"\x00asm\x01\x00\x00\x00" + b"".join(
        bytes([number]) + unsigned(len(_vector(items))) + _vector(items)
        for number, items in sections.items()
        if items
    )


def parse(text: str) -> Expression:
    """Return the expression in a text as nested lists of words."""
    stack: list[Expression] = [[]]
    for match in TOKEN.finditer(text):
        token = match["token"]
        if match["wrong"]:
            raise ValueError(f"Character {match.start()} begins no word: {match[0]!r}.")
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise ValueError(f"The parenthesis at {match.start()} closes nothing.")
            inner = stack.pop()
            stack[-1].append(inner)
        elif token:
            stack[-1].append(token)
    if len(stack) != 1 or len(stack[0]) != 1 or isinstance(stack[0][0], str):
        raise ValueError(
            f"The text must be one expression in parentheses; {len(stack) - 1} "
            f"parentheses stay open and {len(stack[0])} expressions are complete."
        )
    return stack[0][0]


def unsigned(number: int) -> bytes:
    """Return a number in LEB128: seven bits per byte, the lowest first, and the eighth
    bit where more follow.
    """
    content = b""
    while number > 127:
        content += bytes([number & 127 | 128])
        number >>= 7
    return content + bytes([number])


def signed(number: int) -> bytes:
    """Return a number in signed LEB128, in which the last byte's bit 6 is the sign."""
    content = b""
    while not -64 <= number < 64:
        content += bytes([number & 127 | 128])
        number >>= 7
    return content + bytes([number & 127])


def _function(fields: Expression) -> tuple[list[bytes], bytes]:
    """Return a function's parameter types, and its body with the other locals."""
    names: dict[str, int] = {}
    parameters, local_types, code = [], [], []
    for field in fields:
        match field:
            case ["param" | "local" as place, str(name), str(kind)]:
                if kind not in TYPES or name in names:
                    raise ValueError(
                        f"Each parameter and local needs a name of its own and one of "
                        f"the types {', '.join(TYPES)}; got {' '.join(field)}."
                    )
                names[name] = len(names)
                if place == "param":
                    parameters.append(TYPES[kind])
                else:
                    local_types.append(unsigned(1) + TYPES[kind])
            case _:
                code.append(_instruction(field, names, []))
    return parameters, _vector(local_types) + b"".join(code) + END


def _instruction(
    expression: Expression, names: dict[str, int], labels: list[str]
) -> bytes:
    """Return the operands' code and then the instruction."""
    name, *rest = expression
    if name == "loop" and rest:
        label, *body = rest
        inner = [_instruction(part, names, [*labels, label]) for part in body]
        return LOOP + NO_RESULT + b"".join(inner) + END
    if not isinstance(name, str) or name not in OPCODES:
        raise ValueError(f"This assembler does not know the instruction {name!r}.")
    values = [part for part in rest if isinstance(part, str)]
    operands = [part for part in rest if not isinstance(part, str)]
    code = b"".join(_instruction(part, names, labels) for part in operands)
    return code + OPCODES[name] + _immediate(name, values, names, labels)


def _immediate(
    name: str, values: list[str], names: dict[str, int], labels: list[str]
) -> bytes:
    """Return the values that are part of the instruction itself."""
    try:
        match name, values:
            case (("local.get" | "local.set"), [variable]):
                return unsigned(names[variable])
            case "br_if", [label]:  # how many loops to leave before that one
                return unsigned(labels[::-1].index(label))
            case "i32.const", [number]:
                value = _number(number, -(2**31), 2**32 - 1)
                return signed(value - 2**32 if value >= 2**31 else value)
            case (("v128.load" | "f32.store"), [] | [_]):
                offset = values[0].removeprefix("offset=") if values else "0"
                return unsigned(ALIGNMENTS[name]) + unsigned(
                    _number(offset, 0, 2**32 - 1)
                )
            case "v128.const", ["f32x4", *numbers]:
                return struct.pack("<4f", *map(float, numbers))
            case "f32x4.extract_lane", [lane]:
                return unsigned(_number(lane, 0, 3))
            case _, []:
                return b""
    except (KeyError, ValueError, struct.error):
        pass
    raise ValueError(f"{name} cannot have the values {values}.")


def _number(text: str, least: int, most: int) -> int:
    if not least <= (number := int(text)) <= most:
        raise ValueError(f"{text} is not from {least} to {most}.")
    return number


def _vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def _string(quoted: str) -> bytes:
    content = quoted.strip('"').encode("utf-8")
    return unsigned(len(content)) + content
