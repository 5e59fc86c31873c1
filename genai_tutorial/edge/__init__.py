"""Models on the reader's own device: a language model as a file of 8-bit rows, and the
engine that runs it in a web page; personal and federated training; export to ONNX.
"""

from .assembler import assemble
from .federated import (
    MakeOptimizer,
    Update,
    adamw,
    federated_average,
    local_update,
    sgd,
)
from .leakage import (
    NGramRows,
    best_match,
    gradient_of,
    ngram_rows_in,
    row_norms,
    texts_from_rows,
)
from .onnx_models import OnnxStep
from .onnx_step import DecoderStep, State, export_step
from .pack import (
    PackedModel,
    engine_script,
    engine_source,
    kernel_code,
    model_script,
    pack_model,
    pack_tokenizer,
    tokenizer_script,
)
from .personal import (
    ALL_MATRICES,
    LossChange,
    OwnText,
    PersonalSettings,
    book_prose,
    loss_change,
    personalize,
    read_own_texts,
)
from .phone import PHONE, PhoneBudget, phone_budget
from .secure_sum import decode_update, encode_update, mask_update, secure_sum
