"""The console in a real browser, with everything behind it running (fixture `shop_url`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e import console_journeys as journeys

pytestmark = pytest.mark.e2e


def a_user(page: Page, url: str) -> str:
    """One of the demo shoppers."""
    page.goto(f"{url}/signin")
    return str(page.locator("button[name=user_id]").first.get_attribute("value"))


def test_a_developer_goes_through_all_stages(page: Page, shop_url: str) -> None:
    journeys.through_all_stages(page, shop_url, a_user(page, shop_url))


def test_a_developer_looks_at_a_new_user(page: Page, shop_url: str) -> None:
    journeys.a_new_user_by_the_form(page, shop_url)


def test_a_developer_looks_up_a_user_and_mistypes_one(page: Page, shop_url: str) -> None:
    journeys.a_user_and_a_mistake(page, shop_url, a_user(page, shop_url))


def test_the_pages_make_pictures(page: Page, shop_url: str, tmp_path: Path) -> None:
    for picture in journeys.photograph(page, shop_url, a_user(page, shop_url), tmp_path):
        assert picture.stat().st_size > 10_000
