"""The set-ups that are compared: a language model with and without tools, examples and
constraints.
"""

from dataclasses import replace
from functools import partial

from genai_tutorial.agents import (
    ModelPolicy,
    Toolbox,
    call_pattern,
    copying_grammar,
    copying_pattern,
    free_grammar,
)
from genai_tutorial.generation import TokenMask
from genai_tutorial.tasks.agent.agent_tasks import taught_tasks
from genai_tutorial.tasks.agent.traces import AGENT_CHAT, example_messages
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

MESSAGE_TOKENS = 64
"""The largest number of tokens in a message of the agent."""


def plain_policy(
    model: DecoderLM, tokenizer: BPETokenizer, examples: int = 0
) -> ModelPolicy:
    """Return a policy that answers without tools.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        examples: The number of questions with their answers before the task.
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
    system = Message("system", tool_description(toolbox))
    return ModelPolicy(model, tokenizer, SMOLLM2_CHAT, (system,), MESSAGE_TOKENS)


def example_policy(
    model: DecoderLM, tokenizer: BPETokenizer, examples: int = 6, seed: int = 0
) -> ModelPolicy:
    """Return a policy with solved tasks before the task.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        examples: The number of solved tasks.
        seed: The same seed draws the same solved tasks.
    """
    context = example_messages(examples, seed)
    return ModelPolicy(model, tokenizer, AGENT_CHAT, context, MESSAGE_TOKENS)


def tuned_policy(model: DecoderLM, tokenizer: BPETokenizer) -> ModelPolicy:
    """Return a policy with nothing before the task, for a model that is fine-tuned on
    traces.
    """
    return ModelPolicy(model, tokenizer, AGENT_CHAT, (), MESSAGE_TOKENS)


def constrained(policy: ModelPolicy, toolbox: Toolbox, mask: TokenMask) -> ModelPolicy:
    """Return a policy that writes only valid calls of the tools, and answers in words
    only when it has a result.

    Args:
        policy: The policy.
        toolbox: The tools.
        mask: The masks of its vocabulary; see `agent_mask`.
    """
    grammar = free_grammar(call_pattern(toolbox.schemas))
    return replace(policy, grammar=grammar, mask=mask)


def copying(policy: ModelPolicy, toolbox: Toolbox, mask: TokenMask) -> ModelPolicy:
    """Return a policy that copies arguments from the task and the results, and answers
    with the last result.

    Args:
        policy: The policy.
        toolbox: The tools.
        mask: The masks of its vocabulary; see `agent_mask`.
    """
    grammar = copying_grammar(partial(copying_pattern, toolbox.schemas))
    return replace(policy, grammar=grammar, mask=mask)


def agent_mask(tokenizer: BPETokenizer) -> TokenMask:
    """Return the masks for the messages of an agent; they are filled as they are used,
    so keep them.
    """
    end = tokenizer.special_tokens[AGENT_CHAT.end]
    return TokenMask.from_tokenizer(tokenizer, end)


def tool_description(toolbox: Toolbox) -> str:
    """Return what a system turn says about tools.

    >>> print(tool_description(Toolbox(())))
    Answer the task. You can call these tools:
    To call one, write {"name":"TOOL","arguments":{...}} and nothing else.
    """
    lines = ["Answer the task. You can call these tools:"]
    for tool in toolbox.tools:
        names = ", ".join(tool.parameters.get("properties", {}))
        lines.append(f"{tool.name}({names}): {tool.description}")
    lines.append(
        'To call one, write {"name":"TOOL","arguments":{...}} and nothing else.'
    )
    return "\n".join(lines)
