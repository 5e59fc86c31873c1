"""The compiled code, and the order in which it reads weights."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    NativeBuildError,
    find_compiler,
    kernel_source,
    quantize_affine,
    quantize_symmetric,
)
from genai_tutorial.efficiency.native import build as module
from genai_tutorial.efficiency.native.build import build_native, pack


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def fake_compiler(tmp_path_factory, monkeypatch):
    """Make a compiler out of a shell script, so that nothing is compiled."""

    def make(script):
        path = tmp_path_factory.mktemp("bin") / "fake-cc"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))
        return path

    return make


WRITES_LIBRARY = """
while [ "$1" != "-o" ]; do shift; done
echo compiled > "$2"
"""


def test_build_writes_one_file_and_finds_it_again(cache, fake_compiler):
    fake_compiler(WRITES_LIBRARY)
    library = build_native("lanes", "native")
    assert library.read_text() == "compiled\n"
    library.write_text("from the cache")
    assert build_native("lanes", "native") == library
    assert library.read_text() == "from the cache"
    assert os.listdir(cache / "native") == [library.name]


def test_build_has_a_file_per_kernel_flags_and_compiler(cache, fake_compiler):
    fake_compiler(WRITES_LIBRARY)
    names = {build_native("lanes", "native"), build_native("rows", "native")}
    names |= {build_native("lanes", "avx2"), build_native("lanes", "sse4.2")}
    fake_compiler(WRITES_LIBRARY)
    names.add(build_native("lanes", "native"))
    assert len(names) == 5


def test_build_makes_a_folder_for_this_user_only(cache, fake_compiler):
    fake_compiler(WRITES_LIBRARY)
    library = build_native("lanes", "native")
    assert library.parent.stat().st_mode & 0o777 == 0o700
    assert library.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["folder", "file"])
def test_build_refuses_what_others_can_write(cache, fake_compiler, part):
    """Another user could put a library there that then runs with this user's rights."""
    fake_compiler(WRITES_LIBRARY)
    library = build_native("lanes", "native")
    (library if part == "file" else library.parent).chmod(0o722)
    with pytest.raises(NativeBuildError, match="can be written by other users"):
        build_native("lanes", "native")


def test_build_refuses_a_library_of_another_user(cache, fake_compiler, monkeypatch):
    fake_compiler(WRITES_LIBRARY)
    library = build_native("lanes", "native")
    owner = library.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(NativeBuildError, match="can be written by other users"):
        build_native("lanes", "native")


def test_build_does_without_openmp(cache, fake_compiler):
    fake_compiler(f'case "$*" in *-fopenmp*) exit 1;; esac\n{WRITES_LIBRARY}')
    assert build_native("lanes", "native").read_text() == "compiled\n"


def test_build_reports_the_compilers_first_error(cache, fake_compiler):
    fake_compiler('echo "a.c:1: error: one" >&2; echo "a.c:2: error: two" >&2; exit 1')
    with pytest.raises(NativeBuildError, match=r"matvec_lanes.c for .* error: one$"):
        build_native("lanes", "native")
    assert not (cache / "native").exists()


def test_build_reports_a_compiler_that_does_not_run(cache, fake_compiler):
    path = fake_compiler("")
    path.write_bytes(b"\x7fELF")
    with pytest.raises(NativeBuildError, match="did not run"):
        build_native("lanes", "native")


def test_build_reports_a_folder_that_cannot_be_written(cache, fake_compiler):
    fake_compiler(WRITES_LIBRARY)
    (cache / "native").write_text("a file in place of the folder")
    with pytest.raises(NativeBuildError, match="could not be written"):
        build_native("lanes", "native")


def test_load_reports_a_library_that_is_none(cache, fake_compiler):
    fake_compiler(WRITES_LIBRARY)
    with pytest.raises(NativeBuildError, match="could not be loaded"):
        module.load_native("lanes", "native")


def test_no_compiler_is_reported_with_the_remedy(cache, monkeypatch):
    monkeypatch.setenv("PATH", str(cache))
    monkeypatch.delenv("CC", raising=False)
    assert find_compiler() is None
    with pytest.raises(NativeBuildError, match=r"There is no C compiler.*quantized"):
        build_native("lanes", "native")


def test_find_compiler_prefers_the_users_choice(fake_compiler, monkeypatch):
    path = fake_compiler("")
    assert find_compiler() == str(path)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert find_compiler() not in (None, str(path))


def test_build_rejects_unknown_names():
    with pytest.raises(ValueError, match="kernel must be one of rows, columns, lanes"):
        build_native("fast", "native")
    with pytest.raises(ValueError, match="instructions must be one of native, avx2"):
        build_native("lanes", "mmx")
    with pytest.raises(ValueError, match=r"name must be one of .*decode; got 'fast'"):
        kernel_source("fast")


def test_kernel_source_is_what_is_compiled():
    assert "dpbusd" in kernel_source("vnni")
    assert "dpbusd" not in kernel_source("lanes")
    assert "read_token" in kernel_source("decode")


def random_matrix(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def unpack4(words, rows, columns):
    """Read the words as matvec.h describes them, one weight at a time."""
    blocks = words.reshape(-1, columns // 32, 5)
    header = np.ascontiguousarray(blocks[..., 0]).view(np.float16)
    scale, offset = header[:, 0::2], header[:, 1::2]
    shifts = 4 * np.arange(8, dtype=np.uint32)
    levels = (blocks[..., 1:, None] >> shifts & 15).reshape(*blocks.shape[:2], 32)
    weight = levels * scale[..., None].astype(float) + offset[..., None]
    return torch.tensor(weight.reshape(len(blocks), columns)[:rows]).float()


def unpack8(words, rows, columns):
    blocks = words.reshape(-1, columns // 32, 9)
    scale = np.ascontiguousarray(blocks[..., :1]).view(np.float32)
    levels = np.ascontiguousarray(blocks[..., 1:]).view(np.int8)
    weight = (levels * scale).reshape(len(blocks), columns)
    return torch.tensor(weight[:rows])


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 9))
def test_packed_words_hold_the_quantized_weights(rows, blocks, seed):
    """With 4 bits up to the rounding of scale and offset to half precision: 15 levels
    times 2^-11 of the scale, and as much of the offset.
    """
    weight = random_matrix(rows, 32 * blocks, seed)
    four = quantize_affine(weight, 4, 32)
    bound = (15 * four.scale + four.offset.abs()).max() * 2**-11
    found = unpack4(pack(weight, 4, interleaved=False), rows, 32 * blocks)
    torch.testing.assert_close(found, four.dequantize(), rtol=0, atol=bound.item())
    eight = quantize_symmetric(weight, 8, 32).dequantize()
    found = unpack8(pack(weight, 8, interleaved=False), rows, 32 * blocks)
    torch.testing.assert_close(found, eight)


@pytest.mark.parametrize(("bits", "words"), [(4, 5), (8, 9)])
def test_interleaved_order_has_sixteen_rows_side_by_side(bits, words):
    weight = random_matrix(48, 64)
    plain = pack(weight, bits, interleaved=False).reshape(3, 16, 2, words)
    interleaved = pack(weight, bits, interleaved=True).reshape(3, 2, words, 16)
    for group, row, block, word in np.ndindex(plain.shape):
        assert interleaved[group, block, word, row] == plain[group, row, block, word]


def test_packed_rows_are_filled_up_with_zeros():
    words = pack(random_matrix(17, 32), 4, interleaved=False)
    assert len(words) == 32 * 5
    assert torch.equal(unpack4(words, 32, 32)[17:], torch.zeros(15, 32))


def test_packed_half_precision_grid_is_exact():
    """Weights on a grid whose scale and offset are 16-bit floats, as in a GGUF file."""
    levels = torch.arange(16).repeat(4, 2)
    weight = levels * torch.tensor(0.0123).half().float() - torch.tensor(0.1).half()
    found = unpack4(pack(weight, 4, interleaved=False), 4, 32)
    torch.testing.assert_close(found, weight, rtol=0, atol=1e-7)
