"""Say what the user can mend: typed errors, one sentence each, with the exit code they ask for."""


class UserError(Exception):
    """Say in one sentence what the user can mend: bad data."""

    exit_code = 1


class FlagError(UserError):
    """Say which flag has a value that cannot work."""

    exit_code = 2


class ImageError(UserError):
    """Say why one image cannot be read."""


class ModelError(UserError):
    """Say why a checkpoint or an adapter cannot be used."""


def one_line(text: object) -> str:
    """Return a text without line ends and tabs, its runs of white space made one."""
    return " ".join(str(text).split())
