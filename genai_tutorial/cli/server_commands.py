"""The command for the server: its options and help text. Its implementation is imported
when it runs.
"""

from typing import Annotated

import typer


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "smollm2, factbook-sft, factbook-ppo, factbook-base or shakespeare; "
                "may be given several times. By default all that are installed."
            )
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one."),
    ] = 8000,
    queue: Annotated[
        int,
        typer.Option(
            min=0, help="How many answers may wait; beyond that, clients get 429."
        ),
    ] = 64,
) -> None:
    """Serve the book's language models to programs, with the protocol of OpenAI's API.

    Any client of that protocol works: set its base URL to the address that is printed,
    and any key. There are `/v1/chat/completions` for smollm2, factbook-sft and
    factbook-ppo, `/v1/completions` for all models, `/v1/models` and `/health`. Answers
    can be streamed. The server can be reached from this machine only.

    Requests that come at the same time run side by side in the batching engine of
    chapter 24. Each gets the answer that it would get alone, and the same `seed` gives
    the same answer, up to near ties between tokens, which rounding decides.

    Examples to try:
    - `genai-tutorial serve`
    - `genai-tutorial serve --model shakespeare --model factbook-sft --port 9000`
    - `curl http://127.0.0.1:8000/v1/models`
    """
    from genai_tutorial.cli.serve import serve

    serve(model or [], port, queue)
