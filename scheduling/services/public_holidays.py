"""Public holidays as rules of a calendar, from the `holidays` package."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import holidays
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.domain.calendars import Effect, RuleKind
from scheduling.models import Calendar, CalendarRule
from scheduling.services.calendars import save_calendar

#: So many years at once are enough for anybody, and more are a typing error.
MOST_YEARS = 30
LONGEST_NOTE = 200


@dataclass(kw_only=True, slots=True)
class HolidayImport:
    """What an import added to a calendar; days that it had already are left as they are."""

    holidays: list[CalendarRule] = field(default_factory=list)
    #: Days of a weekend on which people work in place of a bridge day.
    make_up_days: list[CalendarRule] = field(default_factory=list)
    #: The country's weekend, when it was asked for and missing.
    weekends: list[CalendarRule] = field(default_factory=list)
    #: How many days were there before.
    known: int = 0

    @property
    def added(self) -> list[CalendarRule]:
        """Every rule that was added."""
        return [*self.holidays, *self.make_up_days, *self.weekends]


def countries() -> dict[str, list[str]]:
    """Return the ISO 3166 codes of the countries that are known, each with its subdivisions."""
    return holidays.list_supported_countries(include_aliases=False)


@transaction.atomic
def import_holidays(
    calendar: Calendar,
    *,
    country: str,
    years: Iterable[int],
    subdivision: str = "",
    weekends: bool = False,
    actor: User | None = None,
) -> HolidayImport:
    """Add the public holidays of ``country`` in ``years`` to a stored calendar as blackouts of whole days.

    Working days that make up for a bridge day become inclusions, where the package knows them (China has published
    them for past years and usually the coming one). ``weekends`` also blacks out the country's weekend. Doing it
    again adds only what is new. Names are in the active language where the package has it, else in the country's
    own. Raises ValidationError by field, and PermissionDenied.
    """
    require(actor, Action.ADMINISTER, calendar.namespace_id)
    wanted = sorted(set(years))
    days = _read(country, subdivision, wanted)
    Calendar.objects.select_for_update().get(pk=calendar.pk)
    rules = list(calendar.rules.all())
    taken = {(rule.effect, rule.first_day) for rule in rules if _is_one_day(rule)}
    done = HolidayImport()
    for rule in _rules(days, set(wanted)):
        if (rule.effect, rule.first_day) in taken:
            done.known += 1
            continue
        (done.holidays if rule.effect == Effect.BLACKOUT.value else done.make_up_days).append(rule)
    weekend = sorted(day + 1 for day in days.weekend)
    if weekends and weekend and not any(_is_weekend(rule, weekend) for rule in rules):
        done.weekends.append(
            CalendarRule(
                effect=Effect.BLACKOUT.value, kind=RuleKind.WEEKDAYS.value, weekdays=weekend, note=_("Weekend")
            )
        )
    save_calendar(calendar, [*rules, *done.added], actor=actor)
    return done


def _read(country: str, subdivision: str, years: list[int]) -> holidays.HolidayBase:
    code = country.strip().upper()
    known = countries()
    if code not in known:
        near = difflib.get_close_matches(code, known, n=1, cutoff=0.5)
        hint = f" {_('Did you mean “%(near)s”?') % {'near': near[0]}}" if near else ""
        message = _("“%(code)s” is not a known country; give its ISO 3166 code, such as CN.") % {"code": code}
        raise ValidationError({"country": message + hint})
    part = subdivision.strip()
    if part and part.upper() not in {each.upper() for each in known[code]}:
        raise ValidationError(
            {
                "subdivision": _("%(country)s has no subdivision “%(part)s”; known: %(known)s.")
                % {"country": code, "part": part, "known": ", ".join(known[code]) or _("none")}
            }
        )
    found = holidays.country_holidays(code, language=None)
    first, last = max(found.start_year, 1900), min(found.end_year, 2200)
    if not years or len(years) > MOST_YEARS:
        raise ValidationError({"years": _("Give between 1 and %(n)d years.") % {"n": MOST_YEARS}})
    if not (first <= years[0] and years[-1] <= last):
        raise ValidationError(
            {"years": _("The holidays of %(first)d to %(last)d are known.") % {"first": first, "last": last}}
        )
    return holidays.country_holidays(
        code, subdiv=part.upper() or None, years=years, expand=False, language=_language(found)
    )


def _language(found: holidays.HolidayBase) -> str | None:
    """Return the package's name of the active language when it has it, else of the country's own."""
    active = (get_language() or "").lower()
    wanted = {"zh-hans": "zh_CN", "zh-cn": "zh_CN", "zh-hant": "zh_TW", "zh-tw": "zh_TW"}.get(active, active[:2])
    spoken = (each for each in found.supported_languages if each == wanted or each.startswith(f"{wanted}_"))
    return next(spoken, found.default_language)


def _rules(days: holidays.HolidayBase, years: set[int]) -> Iterator[CalendarRule]:
    for day, name in sorted(days.items()):
        # An observed holiday may lie in the year before or after the one that was asked for.
        if day.year in years:
            yield _one_day(Effect.BLACKOUT, day, name)
    for day in sorted(getattr(days, "weekend_workdays", ())):
        if day.year in years:
            yield _one_day(Effect.INCLUSION, day, _("Make-up working day"))


def _one_day(effect: Effect, day: date, note: str) -> CalendarRule:
    return CalendarRule(effect=effect.value, kind=RuleKind.DATES.value, first_day=day, note=note[:LONGEST_NOTE])


def _is_one_day(rule: CalendarRule) -> bool:
    hours = rule.from_time is not None or rule.until_time is not None
    return rule.kind == RuleKind.DATES.value and rule.last_day in (None, rule.first_day) and not hours


def _is_weekend(rule: CalendarRule, weekend: list[int]) -> bool:
    hours = rule.from_time is not None or rule.until_time is not None
    blackout = rule.effect == Effect.BLACKOUT.value and rule.kind == RuleKind.WEEKDAYS.value
    return blackout and not hours and set(weekend) <= set(rule.weekdays or ())
