"""Loading the models, and the server process."""

import socket
from collections.abc import Mapping, Sequence

import uvicorn

from genai_tutorial.cli.server.app import make_app
from genai_tutorial.cli.server.models import ServedModel, load_served
from genai_tutorial.cli.server.worker import Worker
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, user_errors


class Server(uvicorn.Server):
    """Serves models until it is told to stop, and then ends the answers that are still
    under way.

    Args:
        models: The models by name.
        max_waiting: See `Worker`.
    """

    def __init__(self, models: Mapping[str, ServedModel], max_waiting: int = 64):
        engines = {name: model.make_engine for name, model in models.items()}
        self.worker = Worker(engines, max_waiting)
        super().__init__(
            uvicorn.Config(
                make_app(models, self.worker),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=5,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all answers, then the connections."""
        self.worker.stop()
        await super().shutdown(sockets)


def load_all(names: Sequence[str]) -> dict[str, ServedModel]:
    """Load models.

    Raises:
        UserError: If one is not installed or damaged.
    """
    with user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE):
        return {name: load_served(name) for name in names}
