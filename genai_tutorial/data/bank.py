"""Forty-eight sentences that end in the word "bank": of a river, or of money."""

from dataclasses import dataclass
from typing import Literal

Sense = Literal["river", "money"]


@dataclass(frozen=True)
class Sentence:
    """A sentence about one of the two kinds of bank.

    Attributes:
        text: The sentence, without a full stop: its last word is "bank".
        sense: Which bank is meant.
    """

    text: str
    sense: Sense


def load_bank_sentences() -> tuple[Sentence, ...]:
    """Return 24 sentences about the bank of a river, then 24 about a bank for money, written for this book.

    All end in "bank", because a causal model at the word "bank" sees only what stands before it. The word just before
    it gives nothing away: each occurs as often with one sense as with the other.

    Example:
        >>> sentences = load_bank_sentences()
        >>> len(sentences), sentences[0].sense, sentences[-1].sense
        (48, 'river', 'money')
        >>> sentences[1].text
        'Willow trees leaned over the stream from the bank'
    """
    return tuple(Sentence(line, "river") for line in _RIVER.strip().splitlines()) + tuple(
        Sentence(line, "money") for line in _MONEY.strip().splitlines()
    )


_RIVER = """
The fishermen pulled their boat out of the water and left it on the bank
Willow trees leaned over the stream from the bank
After a week of rain the river rose until it spilled over the bank
We spread a blanket on the grass and watched the ducks swim along the bank
An otter slid through the mud and disappeared under the bank
The current was too strong, so she held on to a root that grew out of the bank
Crocodiles were sleeping in the sun on the bank
He cast his line into the deep pool beside the bank
Reeds grew thick along the bank
The canoe drifted downstream and hit a rock near the bank
Cows came down each evening to drink, and their hooves wore away the bank
My dog swam across with a stick in its mouth and shook itself dry on the bank
Erosion has eaten three metres of soil from the bank
Two kingfishers dug a nest hole in the bank
Nobody had seen the bridge wash away, but its planks lay scattered on the bank
Children were throwing pebbles from a bank
To cross the ford, the horses first had to climb down a bank
Below the waterfall the path follows a bank
Where the creek bends, floods have built up sand against this bank
They camped by the Nile, on this bank
In spring, wild iris flowers all the way down to that bank
With one long jump the frog left its lily leaf and reached that bank
The ferry comes every hour, and passengers wait for it on our bank
Beavers felled a birch on our bank
"""

_MONEY = """
She signed the loan papers and handed them back to the bank
Interest rates rose again, which pleased the bank
The robbers demanded cash from the clerk at the bank
He lost his job and could no longer pay the mortgage, so the house went to the bank
My salary is paid straight into my account at the bank
A cheque for four hundred pounds arrived, and I took it to the bank
Investors sold their shares after the fraud was discovered at the bank
Grandmother never trusted cards and kept her savings out of the bank
The accountant found an error in the statement from the bank
Before the holiday we changed some euros into dollars at the bank
Regulators fined the bank
The company owes eleven million to the bank
When the stock market crashed, long queues of worried customers formed outside the bank
Tellers count every coin twice before closing the bank
Nobody could tell us who had withdrawn the deposit from the bank
To finance the new factory, the directors borrowed from a bank
Her brother studied economics and now works as a cashier in a bank
The thief had emptied the safe of a bank
Credit is cheaper at this bank
If your card is stolen, phone the hotline of this bank
With a debt like yours, no one will give you an overdraft, least of all that bank
The fees for a foreign transfer are scandalous at that bank
Two thousand small businesses hold their accounts with our bank
In May the finance minister announced a bailout for our bank
"""
