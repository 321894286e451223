"""Mistakes a person can put right."""


class UserError(Exception):
    """Something the user asked for cannot be done: the message says what is wrong and what to do.

    The message is one line, whatever names and values it quotes from files. The command line prints it
    without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DamagedError(UserError):
    """A file is not what was written."""


def one_line(text: str) -> str:
    """`text` with every run of white space as one space, and what moves a terminal's cursor spelt out."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
