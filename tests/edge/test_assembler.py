"""The assembler, against bytes that were looked up in the specification. The kernel
itself runs in tests/book/test_browser_engine.py.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.edge import assemble, engine_source, kernel_code
from genai_tutorial.edge.assembler import parse, signed, unsigned

HEAD = "0061736d01000000"


def body_of(instruction: str) -> str:
    """Return the code of a function with one instruction, in hexadecimal."""
    text = f'(module (func (export "f") (param $a i32) (local $v v128) {instruction}))'
    code = assemble(text).hex()
    return code[code.index("01017b") + 6 : -2]


@pytest.mark.parametrize(
    ("instruction", "code"),
    [
        ("(local.set $a (i32.const 64))", "41c0002100"),
        ("(local.set $v (v128.load (local.get $a)))", "2000fd0004002101"),
        ("(local.set $v (v128.load offset=16 (local.get $a)))", "2000fd0004102101"),
        ("(local.set $v (f32x4.mul (local.get $v) (local.get $v)))",
         "20012001fde6012101"),
        ("(f32.store (local.get $a) (f32x4.extract_lane 3 (local.get $v)))",
         "20002001fd1f03380200"),
        ("(local.set $v (v128.const f32x4 1 0 0 0))",
         "fd0c0000803f" + "00" * 12 + "2101"),
        ("(loop $out (loop $in (br_if $out (local.get $a))))", "0340034020000d010b0b"),
    ],
)  # fmt: skip
def test_instruction_has_the_code_of_the_specification(instruction, code):
    assert body_of(instruction) == code


def test_module_has_its_sections_in_order():
    code = assemble('(module (func (export "f")) (memory (export "m") 2))').hex()
    assert code == (
        HEAD
        + "010401600000"  # one type without parameters and results
        + "03020100"  # one function, of that type
        + "0503010002"  # one memory of two pages
        + "0709020166000001" + "6d0200"  # exports: function f and memory m
        + "0a040102000b"  # one body: no locals, end
    )  # fmt: skip


@given(st.integers(0, 2**32 - 1))
def test_unsigned_numbers_are_sums_of_seven_bits(number):
    content = unsigned(number)
    assert (
        sum((byte & 127) << 7 * place for place, byte in enumerate(content)) == number
    )
    assert [byte >> 7 for byte in content] == [1] * (len(content) - 1) + [0]


@given(st.integers(-(2**31), 2**31 - 1))
def test_signed_numbers_carry_their_sign_in_bit_six(number):
    content = signed(number)
    value = sum((byte & 127) << 7 * place for place, byte in enumerate(content))
    negative = content[-1] >> 6 & 1
    assert value - (negative << 7 * len(content)) == number


def test_kernel_fits_into_a_quarter_of_a_kilobyte():
    assert len(kernel_code()) < 256
    assert kernel_code() == assemble(engine_source("matvec.wat"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(module", "1 parentheses stay open"),
        ("(module))", "closes nothing"),
        ("(module) (module)", "2 expressions"),
        ("(func)", "one \\(module"),
        ("(module (table 1))", "no memory or function"),
        ('(module (func (export "f") (f64.add)))', "does not know the instruction"),
        ('(module (func (export "f") (local.get $a)))', "cannot have the values"),
        ('(module (func (export "f") (br_if $a)))', "cannot have the values"),
        ('(module (func (export "f") (v128.const f32x4 1)))', "cannot have"),
        ('(module (func (export "f") (param $a i64)))', "one of the types i32, f32"),
        ('(module (func (export "f") (param $a i32) (param $a i32)))', "of its own"),
        ('(module (func (export "f") (i32.const 99999999999)))', "cannot have"),
        ('(module (func (export "f") ((i32.const 1))))', "does not know"),
        ('(module (memory (export "m") 65537))', "not from 0 to 65536"),
    ],
)
def test_assembler_refuses_what_it_does_not_know(text, reason):
    with pytest.raises(ValueError, match=reason):
        assemble(text)


def test_comments_and_strings_are_read_as_such():
    assert parse('(a "b;;c" ;; d)\n e)') == ["a", '"b;;c"', "e"]


def test_constants_above_the_signed_range_are_the_same_bits_as_negative_ones():
    module = '(module (func (export "f") (local $a i32) (local.set $a (i32.const {}))))'
    assert assemble(module.format(2**32 - 1)) == assemble(module.format(-1))
