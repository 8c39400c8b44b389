"""The roles that a person can hold in a namespace, and what each of them may do."""

from enum import StrEnum


class Role(StrEnum):
    """A role in one namespace; every role may do what the one before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """What somebody may want to do in a namespace."""

    #: Read tasks, instances, executions and logs.
    VIEW = "view"
    #: Run, pause, resume, cancel and run again.
    OPERATE = "operate"
    #: Create, change and delete definitions and connections.
    ADMINISTER = "administer"


ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.VIEW}),
    Role.OPERATOR: frozenset({Action.VIEW, Action.OPERATE}),
    Role.ADMINISTRATOR: frozenset({Action.VIEW, Action.OPERATE, Action.ADMINISTER}),
}


def roles_that_may(action: Action) -> list[Role]:
    """Return the roles that may do ``action``, weakest first."""
    return [role for role in Role if action in ALLOWED[role]]
