"""The command `serve`: the book's models behind OpenAI's protocol, on this machine."""

import socket
from collections.abc import Sequence

from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, UserError
from genai_tutorial.runtime import require


def serve(names: Sequence[str], port: int, max_waiting: int) -> None:
    """Load the models and answer requests until Ctrl-C.

    Args:
        names: The models; none for all that are installed.
        port: The port on 127.0.0.1; 0 for any that is free.
        max_waiting: Maximum number of answers that wait beside those that run.
    """
    for package in ("starlette", "uvicorn"):
        require(package, extra="serve")
    from genai_tutorial.cli.chat import note
    from genai_tutorial.cli.server.models import MODELS, available_models
    from genai_tutorial.cli.server.running import Server, load_all

    if unknown := [name for name in names if name not in MODELS]:
        raise UserError(
            f"There is no model {unknown[0]!r} to serve. There are: "
            f"{', '.join(MODELS)}.",
            WRONG_USE,
        )
    listener = open_port(port)
    with listener:
        models = load_all(list(dict.fromkeys(names)) or available_models())
        server = Server(models, max_waiting)
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        note(f"{', '.join(models)} at {address} (Ctrl-C stops)")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            note("Stopped.")


def open_port(port: int) -> socket.socket:
    """Return a socket with a port that can be reached from this machine only.

    Raises:
        UserError: If another program uses the port, or this one may not.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"Port {port} cannot be used ({error.strerror}): choose another with "
            "--port, or 0 for any.",
            NOT_POSSIBLE,
        ) from error
    return listener
