"""The recipe of the tool-calling agent: a LoRA adapter for SmolLM2, trained on traces.

The file holds the adapter alone, in 16 bits; SmolLM2 comes from its own package.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from genai_tutorial.agents import Agent, Budget, ModelPolicy
from genai_tutorial.alignment import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    lora_layers,
    merge_lora,
)
from genai_tutorial.pretrained import load_smollm2, open_smollm2
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.tool_use import (
    TASK_TOOLS,
    TRACES,
    AgentTask,
    agent_mask,
    agent_tasks,
    agent_toolbox,
    copying,
    encode_traces,
    taught_tasks,
    trace_loss,
    tuned_policy,
    world_of_tasks,
    write_files,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.training import AdamW, in_bfloat16
from genai_tutorial.transformer import DecoderLM

from .recipe import Recipe, RunSettings, Trained, draw_items, mean

BUDGET = Budget(steps=4, seconds=None)
"""The budget of a task when the agent is measured: at most two calls are needed. There
is no limit on time, so that the result does not depend on how busy the machine is.
"""


class Adapter(nn.Module):
    """The LoRA matrices of a model, without the model."""

    def __init__(self, layers: Mapping[str, LoRALinear]) -> None:
        super().__init__()
        for name, layer in layers.items():
            # a parameter's name must not have a dot
            held = nn.ParameterDict({"down": layer.down, "up": layer.up})
            self.add_module(name.replace(".", "-"), held)


@dataclass(frozen=True)
class ToolCaller:
    """SmolLM2 with the adapter."""

    model: Adapter
    decoder: DecoderLM
    tokenizer: BPETokenizer

    def policy(self) -> ModelPolicy:
        """Return the policy of an agent: the most probable message, unconstrained."""
        return tuned_policy(self.decoder, self.tokenizer)


@dataclass(frozen=True, kw_only=True)
class ToolRecipe(Recipe):
    """LoRA on traces of tool calls."""

    config: LoRAConfig
    traces: int
    learning_rate: float

    source = TRACES
    metric = "right"
    in_words = "{right:.0%} of {tasks} tasks solved with tools"

    def build(self) -> Adapter:
        with torch.device("meta"):  # no memory for SmolLM2 itself
            model = DecoderLM(open_smollm2().config, seed=None)
            add_lora(model, self.config)
        adapter = Adapter(dict(lora_layers(model))).to_empty(device="cpu")
        with torch.no_grad():
            for weight in adapter.parameters():
                weight.zero_()
        return adapter

    def wrap(self, model: Adapter, card: dict) -> ToolCaller:
        decoder, tokenizer = load_smollm2()
        add_lora(decoder, self.config)
        attached = Adapter(dict(lora_layers(decoder)))
        attached.load_state_dict(model.state_dict())
        return ToolCaller(attached.eval(), decoder.eval(), tokenizer)

    def fit(self, run: RunSettings) -> Trained:
        decoder, tokenizer = load_smollm2()
        add_lora(decoder, self.config, torch.Generator().manual_seed(self.seed))
        decoder.to(run.device).train()
        adapter = Adapter(dict(lora_layers(decoder)))
        rows = encode_traces(tokenizer, taught_tasks(self.traces, self.seed))
        return run.fit(
            self,
            adapter,
            run.batches(self, *rows.tensors[:2]),
            # of the decoder, with the adapter's matrices in it
            in_bfloat16(lambda adapter, *batch: trace_loss(decoder, *batch)),
            AdamW(adapter.parameters(), lr=self.learning_rate),
            in_parallel=False,
            losses_every=10,
        )

    def measure(self, model: Adapter) -> dict:
        loaded, tasks = self.wrap(model, {}), agent_tasks()
        merge_lora(loaded.decoder)
        return {
            "right": round(mean(right_answers(loaded, tasks)), 4),
            "right_with_copied_arguments": round(
                mean(right_answers(loaded, tasks, copied=True)), 4
            ),
            "tasks": len(tasks),
        }

    def score(self, loaded: ToolCaller, n: int, seed: int) -> list:
        tasks = draw_items(agent_tasks(), n, seed)
        return right_answers(loaded, tasks)


def right_answers(
    loaded: ToolCaller, tasks: Sequence[AgentTask], copied: bool = False
) -> list[bool]:
    """Return which tasks the agent solves."""
    with tempfile.TemporaryDirectory() as folder, ProgramRunner() as runner:
        write_files(Path(folder), world_of_tasks().files)
        toolbox = agent_toolbox(Path(folder), runner).only(TASK_TOOLS)
        policy = loaded.policy()
        if copied:
            policy = copying(policy, toolbox, agent_mask(loaded.tokenizer))
        runs = Agent(policy, toolbox, BUDGET).run_all([task.question for task in tasks])
    return [task.is_right(run.answer) for task, run in zip(tasks, runs, strict=True)]


SMOLLM2_TOOLS = ToolRecipe(
    name="smollm2-tools",
    title="A LoRA adapter with which SmolLM2 calls tools",
    config=LoRAConfig(
        rank=8,
        alpha=16,
        targets=("query", "value", "feed_forward.gate", "feed_forward.widen"),
    ),
    traces=480,
    batch_size=8,
    steps=60,
    warmup_steps=4,
    learning_rate=2e-3,
)
"""The agent of chapter 26."""
