"""A cron expression as a sentence, in the reader's language."""

from __future__ import annotations

import calendar
import re
from functools import lru_cache

from cron_descriptor import ExpressionDescriptor, Options
from cron_descriptor.Exception import FormatException, MissingFieldException, WrongArgumentException
from django.utils.translation import get_language

from scheduling.domain.triggers.cron_expression import expand_alias, uses_hash

#: Django's language and the describer's; every other reads English.
_LOCALES = {"zh-hans": "zh_CN", "zh-hant": "zh_TW"}

# The describer has no Chinese names of days and months.
_CHINESE_DAYS = dict(zip(calendar.day_name, ("周一", "周二", "周三", "周四", "周五", "周六", "周日"), strict=True))
_CHINESE_MONTHS = {calendar.month_name[number]: f"{number}月" for number in range(1, 13)}

# What the describer raises for texts that it cannot read; the last three only for odd ones.
_REFUSALS = (FormatException, MissingFieldException, WrongArgumentException, ValueError, LookupError, TypeError)


def cron_words(expression: str) -> str:
    """Return what an accepted expression says, such as “At 09:00, Monday through Friday”.

    In Chinese when that is the active language, else in English. The expression itself comes back where no sentence
    can say it, as with ``H``.
    """
    text = expand_alias(expression)
    if uses_hash(text):
        return expression.strip()
    return _described(text, _LOCALES.get((get_language() or "").lower(), "en_US")) or expression.strip()


@lru_cache(maxsize=2048)
def _described(text: str, locale: str) -> str:
    fields = text.split()
    # The describer writes the last Friday as 5L, and counts the fields as Quartz does: seconds first, year last.
    day_of_week = 4 if len(fields) == 5 else 5
    fields[day_of_week] = re.sub(r"(?i)\bL([0-7])", r"\1L", fields[day_of_week])
    options = Options(locale_code=locale, use_24hour_time_format=True)
    try:
        words: str = ExpressionDescriptor(" ".join(fields), options).get_description()
    except _REFUSALS:
        return ""
    if locale.startswith("zh"):
        for english, chinese in (_CHINESE_DAYS | _CHINESE_MONTHS).items():
            words = words.replace(english, chinese)
    return words
