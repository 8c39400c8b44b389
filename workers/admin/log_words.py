"""What the log viewer's script says, in the language of who looks at it."""

from __future__ import annotations

from django.utils.translation import gettext as _


def log_words() -> dict[str, str]:
    """Return the sentences by the names that workers/static/workers/log/page.js knows."""
    return {
        "following": _("Following"),
        "follow": _("Go to the end"),
        "copied": _("The link to this line was copied."),
        "link": _("Copy a link to this line"),
        "cut": _("… the line goes on; the download has all of it."),
        "gone": _("This part of the log was removed."),
        "jump": _("Give the number of a line, a time such as 14:30:00, or a date and a time."),
        "lost": _("The connection was lost. Trying again in %(seconds)s s; nothing will be missing."),
        "away": _("The database does not answer. Trying again in %(seconds)s s; nothing will be missing."),
        "silent": _("No answer for a while. This page goes on by itself when there is one; nothing will be missing."),
        "unreachable": _("The server does not answer. This page goes on by itself when it does."),
        "refused": _("This log can be followed no further."),
        "nothing": _("not found"),
        "nothingWritten": _("Nothing was written."),
    }
