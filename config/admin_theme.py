"""What the admin looks like: names, colours and the side bar, as django-unfold reads them."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _stylesheet(request: HttpRequest) -> str:
    return static("scheduling/admin.css")


def _pages(request: HttpRequest) -> str:
    return static("scheduling/pages.css")


def _icon(request: HttpRequest) -> str:
    return static("scheduling/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Rota",
    "SITE_HEADER": "Rota",
    "SITE_SUBHEADER": _("Task scheduler"),
    "SITE_SYMBOL": "schedule",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [_stylesheet, _pages],
    "SITE_FAVICONS": [{"rel": "icon", "href": _icon, "type": "image/svg+xml"}],
    "SHOW_LANGUAGES": True,
    "ACCOUNT": {
        "navigation": [
            {"title": _("Preferences"), "link": reverse_lazy("preferences")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ],
    },
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "config.admin_site.overview",
    "COLORS": {
        # A calm blue-green: none of the colours that a state has.
        "primary": {
            "50": "oklch(98.4% .014 200)",
            "100": "oklch(95.3% .03 205)",
            "200": "oklch(90.1% .05 208)",
            "300": "oklch(82.8% .08 211)",
            "400": "oklch(70.4% .105 215)",
            "500": "oklch(60.9% .11 220)",
            "600": "oklch(52% .1 224)",
            "700": "oklch(45% .086 226)",
            "800": "oklch(39.1% .07 227)",
            "900": "oklch(34% .058 230)",
            "950": "oklch(26% .05 232)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "config.admin_site.navigation",
    },
}
