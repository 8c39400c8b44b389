"""manage.py translations tells what the catalogues lack."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command


def test_nothing_is_missing_and_nothing_is_written_by_a_check() -> None:
    out = StringIO()
    call_command("translations", "--check", stdout=out)
    assert out.getvalue() == ""
