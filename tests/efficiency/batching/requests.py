"""Random requests to small models, and the answers that they get alone."""

import torch

from genai_tutorial.efficiency import Request, SamplingOptions
from genai_tutorial.generation import stream
from tests.alignment.models import END

BEGINNING = (2, 3, 4, 5, 6, 7, 8, 9)


def request_of(shared=0, rest=(10,), new=5, temperature=0.0, top_p=None, seed=0):
    """Return a request whose prompt begins with `shared` tokens of BEGINNING."""
    options = SamplingOptions(new, temperature, top_p, frozenset({END}), seed=seed)
    return Request((*BEGINNING[:shared], *rest), options)


def alone(model, request):
    """Return the tokens that `stream`, which knows nothing of batches, draws."""
    options = request.options
    tokens = stream(
        model,
        request.prompt,
        options.max_new_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        stop_tokens=options.end_tokens,
        generator=torch.Generator().manual_seed(options.seed),
    )
    answer = []
    for token in tokens:
        if options.stop is not None and options.stop([*answer, token]):
            break
        answer.append(token)
    return answer


def logits_after(model, ids):
    """Return the logits after a text, read as a whole."""
    with torch.no_grad():
        return model(torch.tensor([list(ids)]))[0, -1]
