"""The page on which people choose their language and their time zone, and the switch of languages."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.base import actor_of
from accounts.admin.cells import absolute
from accounts.models import User
from accounts.zones import zone_names


class PreferencesForm(forms.ModelForm[User]):
    """What people choose for themselves."""

    class Meta:
        model = User
        fields = ("language", "time_zone")
        widgets = {"language": UnfoldAdminSelectWidget, "time_zone": UnfoldAdminSelectWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].widget.choices = language_choices()
        self.fields["time_zone"].widget.choices = zone_choices()


def language_choices() -> list[tuple[str, Any]]:
    """Return the languages by their own names, as somebody who reads no other finds them."""
    names = [(code, translation.get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
    return [("", gettext_lazy("As the browser asks")), *names]


def zone_choices() -> list[Any]:
    """Return the zones by continent, that of the server first."""
    own = _("As the server: %(zone)s") % {"zone": settings.TIME_ZONE}
    names = zone_names()
    continents = groupby((name for name in names if "/" in name), key=lambda name: name.split("/")[0])
    return [("", own), ("UTC", "UTC"), *((title, [(name, name) for name in those]) for title, those in continents)]


@admin.site.admin_view
def preferences(request: HttpRequest) -> HttpResponse:
    """Show the choices of the reader, and keep them."""
    user = actor_of(request)
    form = PreferencesForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        chosen = form.save(commit=False)
        chosen.save(update_fields=["language", "time_zone"])
        with translation.override(chosen.language or translation.get_language()):
            messages.success(request, _("Your preferences were saved."))
        return HttpResponseRedirect(reverse("preferences"))
    context = {
        **admin.site.each_context(request),
        "title": _("Preferences"),
        "form": form,
        "now": absolute(timezone.now()),
    }
    return render(request, "admin/preferences.html", context)


@require_POST
def switch_language(request: HttpRequest) -> HttpResponse:
    """Show this browser everything in the language that was chosen; of somebody who is logged in, keep it."""
    response: HttpResponse = set_language(request)
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return response
