"""Traces, which are solved tasks as conversations to show in a prompt or to fine-tune
on, and the set-ups that are compared: with and without tools, examples, constraints.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.agents import (
    ModelPolicy,
    Toolbox,
    call_pattern,
    copying_grammar,
    copying_pattern,
    free_grammar,
    result_message,
    write_call,
)
from genai_tutorial.alignment import Rows
from genai_tutorial.data import Source
from genai_tutorial.generation import TokenMask
from genai_tutorial.tokenization import (
    PADDING,
    SMOLLM2_CHAT,
    BPETokenizer,
    ChatTemplate,
    Message,
)
from genai_tutorial.transformer import DecoderLM

from .tasks import FAMILIES, AgentTask, taught_tasks

AGENT_CHAT = ChatTemplate()  # no system turn, which would cost tokens at every step


def trace(task: AgentTask) -> list[Message]:
    """Return the conversation that solves a task: the question, each call with its
    result, and the answer.

    >>> from genai_tutorial.agents import ToolCall
    >>> task = AgentTask("2 + 2?", "", ((ToolCall("add", {"a": 2}), "4"),), False)
    >>> for message in trace(task):
    ...     print(message.role, "|", message.content)
    user | 2 + 2?
    assistant | {"name":"add","arguments":{"a":2}}
    user | Result: 4
    assistant | 4
    """
    messages = [Message("user", task.question)]
    for call, result in task.steps:
        messages += [Message("assistant", write_call(call)), result_message(result)]
    return [*messages, Message("assistant", task.answer)]


def encode_traces(tokenizer: BPETokenizer, tasks: Sequence[AgentTask]) -> Rows:
    """Return traces as rows for `supervised_loss`; the agent's turns are learned, and
    the question and the results are not.

    Raises:
        ValueError: If there are no tasks, or the tokenizer lacks the template's special
            tokens.
    """
    if not tasks:
        raise ValueError("There must be at least one trace, got none.")
    encoded = [_encode(tokenizer, trace(task)) for task in tasks]
    ids = [torch.tensor(tokens) for tokens, _ in encoded]
    learned = [torch.tensor(marks) for _, marks in encoded]
    documents = [torch.zeros_like(one) for one in ids]
    return Rows(
        pad_sequence(ids, batch_first=True, padding_value=PADDING),
        pad_sequence(learned, batch_first=True),
        pad_sequence(documents, batch_first=True, padding_value=-1),
    )


def _encode(
    tokenizer: BPETokenizer, messages: Sequence[Message]
) -> tuple[list[int], list[bool]]:
    """Return the tokens of a conversation, exactly as the agent will see them, and
    which of them it writes.
    """
    end = tokenizer.special_tokens[AGENT_CHAT.end]
    ids: list[int] = []
    learned: list[bool] = []
    for place, message in enumerate(messages):
        if message.role != "assistant":
            continue
        prompt = AGENT_CHAT.encode(tokenizer, messages[:place])
        written = [*tokenizer.encode(message.content, special_as_text=True), end]
        learned += [False] * (len(prompt) - len(ids)) + [True] * len(written)
        ids = [*prompt, *written]
    return ids, learned


def trace_loss(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    is_learned: Bool[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Return the mean of -log p(token) over the tokens that the agent writes, in nats
    per token: `supervised_loss`, but logits are computed for those tokens only. They
    are less than half, and the vocabulary is large.
    """
    longest = int(is_learned.any(dim=0).nonzero()[-1]) + 1  # the rest is padding
    ids, learned = ids[:, :longest], is_learned[:, 1:longest]
    hidden = model.read(ids)[:, :-1][learned]
    logits = model.logits(hidden[None])[0]
    return functional.cross_entropy(logits.float(), ids[:, 1:][learned])


def families(tasks: Sequence[AgentTask], right: Sequence[bool]) -> dict[str, int]:
    """Return the number of correct answers in each family."""
    pairs = list(zip(tasks, right, strict=True))
    return {
        family: sum(ok for task, ok in pairs if task.family == family)
        for family in FAMILIES
    }


TRACES = Source(
    name="Traces of tool calls",
    loader="taught_tasks",
    contents="as many solved tasks in six families as wanted, a test world apart",
    package="genai_tutorial",
    extra="text",
    url="https://github.com/genai-tutorial/genai-tutorial",
    licence="MIT, as the code that writes them; the facts are in the public domain",
    attribution="The Generative AI Explained authors, The World Factbook",
)


MESSAGE_TOKENS = 64
"""The largest number of tokens in a message of the agent."""


def plain_policy(
    model: DecoderLM, tokenizer: BPETokenizer, examples: int = 0
) -> ModelPolicy:
    """Return a policy that answers without tools, with so many questions and their
    answers before the task.
    """
    context = tuple(
        message
        for task in (taught_tasks(examples) if examples else ())
        for message in (
            Message("user", task.question),
            Message("assistant", task.answer),
        )
    )
    return ModelPolicy(model, tokenizer, SMOLLM2_CHAT, context, 40)


def described_policy(
    model: DecoderLM, tokenizer: BPETokenizer, toolbox: Toolbox
) -> ModelPolicy:
    """Return a policy that reads in its system turn what the tools are, and has no
    example.
    """
    lines = ["Answer the task. You can call these tools:"]
    for tool in toolbox.tools:
        names = ", ".join(tool.parameters.get("properties", {}))
        lines.append(f"{tool.name}({names}): {tool.description}")
    lines.append(
        'To call one, write {"name":"TOOL","arguments":{...}} and nothing else.'
    )
    system = Message("system", "\n".join(lines))
    return ModelPolicy(model, tokenizer, SMOLLM2_CHAT, (system,), MESSAGE_TOKENS)


def example_policy(
    model: DecoderLM, tokenizer: BPETokenizer, seed: int = 0
) -> ModelPolicy:
    """Return a policy with six solved tasks before the task."""
    context = tuple(
        message for task in taught_tasks(6, seed) for message in trace(task)
    )
    return ModelPolicy(model, tokenizer, AGENT_CHAT, context, MESSAGE_TOKENS)


def tuned_policy(model: DecoderLM, tokenizer: BPETokenizer) -> ModelPolicy:
    """Return a policy with nothing before the task, for a model that is fine-tuned on
    traces.
    """
    return ModelPolicy(model, tokenizer, AGENT_CHAT, (), MESSAGE_TOKENS)


def constrained(policy: ModelPolicy, toolbox: Toolbox, mask: TokenMask) -> ModelPolicy:
    """Return a policy that writes only valid calls of the tools, and answers in words
    only when it has a result; the masks come from `agent_mask`.
    """
    grammar = free_grammar(call_pattern(toolbox.schemas))
    return replace(policy, grammar=grammar, mask=mask)


def copying(policy: ModelPolicy, toolbox: Toolbox, mask: TokenMask) -> ModelPolicy:
    """Return a policy that copies arguments from the task and the results, and answers
    with the last result; the masks come from `agent_mask`.
    """
    grammar = copying_grammar(partial(copying_pattern, toolbox.schemas))
    return replace(policy, grammar=grammar, mask=mask)


def agent_mask(tokenizer: BPETokenizer) -> TokenMask:
    """Return the masks for the messages of an agent; they are filled as they are used,
    so keep them.
    """
    end = tokenizer.special_tokens[AGENT_CHAT.end]
    return TokenMask.from_tokenizer(tokenizer, end)
