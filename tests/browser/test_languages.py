"""Somebody who reads Chinese finds the switch, and a page that names moments on their own clock."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, OpenPage, log_in
from tests.factories import make_task, make_user

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


def test_the_language_is_chosen_before_the_log_in_and_the_zone_after_it(open_page: OpenPage) -> None:
    user = make_user("ada", superuser=True)
    make_task(name="greet")
    page = open_page(viewport=PHONE)
    page.goto("/admin/login/")
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("button", name="登录")).to_be_visible()

    log_in(page, user)
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")

    page.goto("/admin/preferences/")
    page.get_by_label("时区").select_option("Asia/Shanghai")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("偏好设置已保存。")).to_be_visible()
    expect(page.get_by_text("CST, Asia/Shanghai")).to_be_visible()

    page.goto("/admin/scheduling/task/")
    expect(page.get_by_text("已启用").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
