"""Policies that generate actions: imitate demonstrations, one chunk of moves at a time.

Read `heads`, chunks and three ways from what a policy sees to its moves; `instructed`
puts them on a network that sees an image and reads an instruction; `tokens` is such a
network for a few actions to choose from.
"""

from .heads import FlowHead, MixtureHead, RegressionHead, make_chunks, temporal_ensemble
from .instructed import InstructedPolicy, InstructedPolicyConfig
from .tokens import ActionTokenPolicy
