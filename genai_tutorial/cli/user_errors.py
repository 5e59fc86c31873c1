"""User errors: one line on the error stream and an exit code, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

WRONG_USE = 2
NOT_POSSIBLE = 1


class UserError(Exception):
    """Ends a command with one sentence.

    Args:
        message: What is wrong and what to do.
        exit_code: `WRONG_USE` where the command line is wrong, `NOT_POSSIBLE` where it
            is right but cannot be done.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def user_errors(*kinds: type[Exception], exit_code: int) -> Iterator[None]:
    """Treat these exceptions as the user's errors; all others are ours and keep their
    traceback.

    >>> with user_errors(ValueError, exit_code=WRONG_USE):
    ...     int("four")
    Traceback (most recent call last):
    genai_tutorial.cli.user_errors.UserError: invalid literal for int() ...
    """
    try:
        yield
    except kinds as error:
        raise UserError(str(error), exit_code) from error
