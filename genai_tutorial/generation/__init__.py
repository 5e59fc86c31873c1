"""Generation: sampling text from a language model's predictions."""

from genai_tutorial.generation.beam import Hypothesis, beam_search
from genai_tutorial.generation.choosing import (
    ChosenAnswer,
    ComputePoint,
    SampledAnswer,
    accuracy_per_tokens,
    best_of_samples,
    self_consistency,
    weighted_vote,
)
from genai_tutorial.generation.constrained import (
    ConstrainedText,
    TokenMask,
    VocabularyTrie,
)
from genai_tutorial.generation.constraint import (
    Constraint,
    ForbiddenTokens,
    mask_logits,
)
from genai_tutorial.generation.generate import draw, generate, next_token_logits, stream
from genai_tutorial.generation.json_schema import regex_from_schema
from genai_tutorial.generation.options import option_log_likelihoods
from genai_tutorial.generation.penalties import (
    LogitsProcessor,
    frequency_penalty,
    no_repeat_ngram,
    repetition_penalty,
)
from genai_tutorial.generation.prefix import (
    copy_rows,
    generate_all,
    read_prefix,
    read_rows,
    shared_length,
)
from genai_tutorial.generation.prompt_lookup import (
    copying_draft,
    find_continuation,
    generate_with_lookup,
)
from genai_tutorial.generation.regular import advance, derivative, matches
from genai_tutorial.generation.regular_nodes import EMPTY, NOTHING, Regex
from genai_tutorial.generation.regular_parser import parse_regex
from genai_tutorial.generation.rollout_rows import join_rollouts, select_rollouts
from genai_tutorial.generation.rollouts import Rollouts, Score, generate_rollouts
from genai_tutorial.generation.sampling import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    next_token_probabilities,
)
from genai_tutorial.generation.speculative import (
    Draft,
    Sampling,
    Speculation,
    generate_speculatively,
    model_draft,
    speculate,
)
from genai_tutorial.generation.speculative_rule import (
    Accepted,
    acceptance_rate,
    expected_tokens,
    residual_probabilities,
    speculative_accept,
    speculative_speedup,
)
from genai_tutorial.generation.stopping import Stop, StopAtText
from genai_tutorial.generation.tournament import TournamentSampling, tournament
from genai_tutorial.generation.watermark import (
    Detection,
    GreenListWatermark,
    detection_z_score,
    green_list,
    tokens_needed,
)

__all__ = [
    "EMPTY",
    "NOTHING",
    "Accepted",
    "ChosenAnswer",
    "ComputePoint",
    "ConstrainedText",
    "Constraint",
    "Detection",
    "Draft",
    "ForbiddenTokens",
    "GreenListWatermark",
    "Hypothesis",
    "LogitsProcessor",
    "Regex",
    "Rollouts",
    "SampledAnswer",
    "Sampling",
    "Score",
    "Speculation",
    "Stop",
    "StopAtText",
    "TokenMask",
    "TournamentSampling",
    "VocabularyTrie",
    "acceptance_rate",
    "accuracy_per_tokens",
    "advance",
    "beam_search",
    "best_of_samples",
    "copy_rows",
    "copying_draft",
    "derivative",
    "detection_z_score",
    "draw",
    "expected_tokens",
    "find_continuation",
    "frequency_penalty",
    "generate",
    "generate_all",
    "generate_rollouts",
    "generate_speculatively",
    "generate_with_lookup",
    "green_list",
    "join_rollouts",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "mask_logits",
    "matches",
    "model_draft",
    "next_token_logits",
    "next_token_probabilities",
    "no_repeat_ngram",
    "option_log_likelihoods",
    "parse_regex",
    "read_prefix",
    "read_rows",
    "regex_from_schema",
    "repetition_penalty",
    "residual_probabilities",
    "select_rollouts",
    "self_consistency",
    "shared_length",
    "speculate",
    "speculative_accept",
    "speculative_speedup",
    "stream",
    "tokens_needed",
    "tournament",
    "weighted_vote",
]
