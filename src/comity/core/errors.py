"""Errors that cross modules. Each API adds one of its own beside its `http` module."""


class ComityError(Exception):
    """Any error that we raise on purpose."""


class UserError(ComityError):
    """A person asked for something that cannot be: the text says why and what to do instead.

    Command lines print the text and exit with `exit_code`; they never show a traceback for it.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class InvariantViolated(ComityError):
    """Our own bug: the process stops, and its supervisor restarts it from the store."""
