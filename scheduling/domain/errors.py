"""The errors that the rules of the domain raise for people to read."""

from collections.abc import Mapping


def gettext_noop(message: str) -> str:
    """Mark an English template for extraction; whoever shows it translates it.

    The name is the one that message extraction looks for. The domain itself knows no translations.
    """
    return message


class InvalidField(ValueError):
    """One input field holds a value that cannot be accepted.

    ``field`` is the field's name. ``message`` is an English template whose ``%(name)s`` places are filled
    from ``params``, so that the caller can translate the template and then fill it in. ``str()`` gives the
    finished English sentence.
    """

    def __init__(self, field: str, message: str, params: Mapping[str, object] | None = None) -> None:
        self.field = field
        self.message = message
        self.params: dict[str, object] = dict(params or {})
        # All three are arguments of the exception, which keeps it picklable across processes.
        super().__init__(field, message, self.params)

    def __str__(self) -> str:
        return self.message % self.params
