"""Counts of the cost of serving requests, the same for every kind of batching."""

from dataclasses import dataclass


@dataclass
class Statistics:
    """Counts of a run. A pass is one forward pass of the model.

    Attributes:
        prefill_passes: Passes that read a prompt, beside one token of other texts.
        decode_passes: Passes that read one new token of each text.
        row_steps: Texts in a pass, summed over all passes.
        wasted_row_steps: Those whose answers were finished already.
        tokens_read: Tokens that went through the model, without padding and finished
            rows; those read again after a preemption count again.
        positions: Positions that went through the model, with padding and finished
            rows.
        prefix_tokens: Prompt tokens found in the prefix cache instead of read.
        slots_reserved: Slots that were reserved for running requests' keys and values,
            summed over all passes.
        slots_used: Slots that held those of a token, summed over all passes.
        most_slots_reserved: The largest number of slots reserved in a pass.
        preemptions: The number of times that a running request lost its blocks.
        evictions: Blocks that the prefix cache released.
        copies: Blocks copied on write.
    """

    prefill_passes: int = 0
    decode_passes: int = 0
    row_steps: int = 0
    wasted_row_steps: int = 0
    tokens_read: int = 0
    positions: int = 0
    tokens_drawn: int = 0
    prefix_tokens: int = 0
    slots_reserved: int = 0
    slots_used: int = 0
    most_slots_reserved: int = 0
    preemptions: int = 0
    evictions: int = 0
    copies: int = 0

    @property
    def passes(self) -> int:
        """The number of forward passes."""
        return self.prefill_passes + self.decode_passes

    @property
    def waste(self) -> float:
        """The share of the reserved slots that held nothing; 0 before the first
        pass.
        """
        return 1 - self.slots_used / self.slots_reserved if self.slots_reserved else 0.0

    def count_pass(self, new: list[int], rows: int, positions: int) -> None:
        """Count a forward pass.

        Args:
            new: The number of new tokens of each unfinished answer.
            rows: The number of all answers in the pass.
        """
        if max(new) > 1:
            self.prefill_passes += 1
        else:
            self.decode_passes += 1
        self.row_steps += rows
        self.wasted_row_steps += rows - len(new)
        self.tokens_read += sum(new)
        self.positions += positions

    def count_slots(self, reserved: int, used: int) -> None:
        """Count the memory that a forward pass finds reserved and used."""
        self.slots_reserved += reserved
        self.slots_used += used
        self.most_slots_reserved = max(self.most_slots_reserved, reserved)
