import base64
import json
import re

import pytest

from genai_tutorial.edge import (
    PackedModel,
    engine_script,
    engine_source,
    kernel_code,
    model_script,
    tokenizer_script,
)


def test_engine_script_holds_all_sources_and_the_kernel():
    script = engine_script()
    for name in ("kernel.js", "bpe.js", "sampling.js", "decoder.js"):
        assert engine_source(name) in script
    (kernel,) = re.findall(r'kernelCode = fromBase64\("(.*?)"\)', script)
    assert base64.b64decode(kernel) == kernel_code()
    assert len(script) < 20_000


def test_engine_asks_nothing_of_the_network():
    for word in ("fetch", "XMLHttpRequest", "import(", "http:", "https:", "WebSocket"):
        assert word not in engine_script()


def test_scripts_can_stand_inside_a_page():
    packed = PackedModel("a", b"content")
    for script in (engine_script(), tokenizer_script(), model_script(packed)):
        assert "</script" not in script
        assert "<!--" not in script


def test_model_script_holds_the_content_and_its_digest():
    packed = PackedModel("small-model", b"\x00\xff" * 10)
    (content,) = re.findall(
        r'genaiEdge\.models\["small-model"\] = (.*);', model_script(packed)
    )
    entry = json.loads(content)
    assert base64.b64decode(entry["content"]) == packed.content
    assert entry["digest"] == packed.digest


def test_engine_source_refuses_other_names():
    with pytest.raises(ValueError, match=r"matvec\.wat, not '\.\./pack\.py'"):
        engine_source("../pack.py")
