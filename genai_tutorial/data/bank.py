"""Forty-eight sentences that end with the word "bank", in one of two senses."""

from dataclasses import dataclass
from typing import Literal

Sense = Literal["river", "money"]


@dataclass(frozen=True)
class Sentence:
    """A sentence about a bank.

    Attributes:
        text: Sentence without a full stop; its last word is "bank".
        sense: The kind of bank that is meant.
    """

    text: str
    sense: Sense


def load_bank_sentences() -> tuple[Sentence, ...]:
    """Return 24 sentences about river banks, then 24 about banks for money, written for
    this book.

    All of them end with "bank", because a causal model sees only the words before it.
    The two preceding words give nothing away: "on the bank" ends equally many sentences
    of each sense.

    >>> from genai_tutorial.data import load_bank_sentences
    >>> sentences = load_bank_sentences()
    >>> len(sentences), sentences[0].sense, sentences[-1].sense
    (48, 'river', 'money')
    >>> sentences[1].text
    'Willow trees leaned over the stream from the bank'
    """
    return tuple(
        Sentence(line, "river") for line in _RIVER.strip().splitlines()
    ) + tuple(Sentence(line, "money") for line in _MONEY.strip().splitlines())


_RIVER = """
The fishermen pulled their boat out of the water and left it on the bank
Willow trees leaned over the stream from the bank
After a week of rain the river rose until it spilled over the bank
We spread a blanket on the grass and watched the ducks swim near the bank
An otter slid into the water from that bank
The current was strong, so she held on to a root that grew out of the bank
Crocodiles were sleeping in the shallow water at the bank
He cast his line into the deep pool at the bank
Reeds grew thick at the foot of the bank
Our canoe drifted downstream, hit a rock and was washed to the bank
Cows came down each evening to drink, and their hooves did lasting damage to the bank
My dog swam across with a stick in its mouth and shook itself dry on the bank
Erosion has eaten three metres of soil from the bank
Two kingfishers dug a nest hole in the bank
Nobody had seen the bridge wash away, but its planks lay scattered on the bank
Children were throwing pebbles from a bank
To cross the ford, the horses had to wade to the bank
Below the waterfall the path ends at steps cut in a bank
Where the creek bends, floods have piled up sand against this bank
Herons nest in the poplars by the bank
In spring, wild iris flowers all over the slope of that bank
With one long jump the frog left its lily leaf and got to this bank
The ferry comes every hour, and passengers wait for it at the top of our bank
Beavers felled a birch on our bank
"""

_MONEY = """
She signed the loan papers and handed them back to the bank
Interest rates fell again, which put pressure on the bank
The robbers demanded cash from the clerk at the bank
He lost his job and could no longer pay the mortgage, so the house went to the bank
My salary is paid straight into my account at the bank
A cheque for four hundred pounds arrived, and by noon I had the money in the bank
Investors lost their pensions and filed a lawsuit against this bank
Grandmother never trusted cards and kept her savings out of the bank
The accountant found an error in the statement from the bank
Before the holiday we changed some euros into dollars at the kiosk near the bank
Regulators imposed a fine on the bank
Our company owes eleven million to the bank
When the stock market crashed, worried savers began a run on the bank
After the fraud was discovered, the state took control over the bank
Nobody could tell us who had withdrawn the deposit from the bank
To finance the new factory, the directors borrowed from a bank
Her brother studied economics and now works as a cashier in a bank
The thief had emptied the safe of the bank
Credit cards are issued in three colours by the bank
If your card is stolen, phone the hotline of our bank
With a debt like yours, you will get no overdraft from that bank
The fees for a foreign transfer are scandalous, even by the standards of that bank
Two thousand small businesses trust their accounts to this bank
In May the finance minister announced a new tax on our bank
"""
