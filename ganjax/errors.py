"""Mistakes a person can put right."""


class UserError(Exception):
    """Something the user asked for cannot be done: the message says what is wrong and what to do.

    The message is one line. The command line prints it without a traceback and exits with code 2.
    """


class DamagedError(UserError):
    """A file is not what was written."""
