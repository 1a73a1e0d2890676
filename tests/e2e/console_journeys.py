"""What developers do in the console, step by step, on whatever shop answers at `url`."""

from __future__ import annotations

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.journeys import is_not_wider_than_the_screen

SERIOUS = ("serious", "critical")


def looks_well(page: Page) -> None:
    """Nothing scrolls sideways, and axe finds no serious violation."""
    assert is_not_wider_than_the_screen(page), page.url
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []


def through_all_stages(page: Page, url: str, user_id: str) -> None:
    """From the overview through a stored user's list, its recall and ranking, to items like the first."""
    page.goto(f"{url}/console/")
    expect(page.locator("table.parts tbody tr").first).to_be_visible()
    looks_well(page)

    page.get_by_role("link", name="Full flow").click()
    page.get_by_label("User id").fill(user_id)
    page.get_by_role("button", name="Recommend").click()
    rows = page.locator("#found tbody tr")
    expect(rows).to_have_count(20)
    expect(page.locator(".waterfall tbody tr")).to_have_count(5)
    page.locator("details.call summary").first.click()
    expect(page.locator("pre.command").first).to_contain_text("grpcurl -plaintext -d")
    looks_well(page)
    page.get_by_role("link", name="Score").click()
    expect(page.locator("#found th[aria-sort=descending]")).to_contain_text("Score")
    item_id = rows.first.locator("td.code a").first.inner_text()

    page.locator(".onward").get_by_role("link", name="Recall").click()
    expect(page.locator(".views li")).to_have_count(8)
    looks_well(page)
    page.locator(".views").get_by_role("link", name=re.compile("popular")).click()
    expect(page.locator(".views a[aria-current]")).to_contain_text("popular")

    page.locator(".onward").get_by_role("link", name="Rank").click()
    expect(page.locator("#found .effects").first).to_be_visible()
    looks_well(page)

    page.get_by_role("link", name="Items", exact=True).click()
    page.get_by_label("Item ids").fill(f"{item_id}\nno-such-item")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("alert")).to_contain_text("no-such-item")
    looks_well(page)
    page.locator("#items").get_by_role("link", name="similar").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Similar items")
    looks_well(page)


def a_new_user_by_the_form(page: Page, url: str) -> None:
    """Nobody is stored: the list is made from what the form says, and so is recall."""
    page.goto(f"{url}/console/flow")
    page.get_by_text("A new user, or other features").click()
    choices = page.locator(".new select")
    for number in range(choices.count()):
        choices.nth(number).select_option(index=1)
    page.get_by_role("button", name="Recommend").click()
    expect(page.locator("#found tbody tr").first).to_be_visible()
    expect(page.locator(".strip")).to_contain_text("User known")
    page.locator(".onward").get_by_role("link", name="Recall").click()
    expect(page.locator("#found tbody tr").first).to_be_visible()
    looks_well(page)


def a_user_and_a_mistake(page: Page, url: str, user_id: str) -> None:
    """Profile and events of a user; then an id that nobody has."""
    page.goto(f"{url}/console/user?user_id={user_id}")
    expect(page.locator("#profile-title")).to_be_visible()
    expect(page.locator("#events tbody tr").first).to_be_visible()
    looks_well(page)
    page.get_by_label("User id").fill("nobody-has-this-id")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody-has-this-id")
    looks_well(page)


def the_overview_renews_itself(page: Page, url: str) -> None:
    """The time above the parts goes on without a click; without the script, a link does it."""
    page.goto(f"{url}/console/")
    shown = page.locator("#parts-title .count")
    before = shown.inner_text()
    expect(shown).not_to_have_text(before, timeout=15_000)
    page.locator("a.refresh").click()
    expect(page.locator("table.parts")).to_be_visible()


def photograph(page: Page, url: str, user_id: str, folder: Path) -> list[Path]:
    """The main pages as pictures in `folder`."""
    paths = {
        "overview": "",
        "flow": f"flow?user_id={user_id}",
        "recall": f"recall?user_id={user_id}",
        "rank": f"rank?user_id={user_id}",
    }
    taken = []
    for name, path in paths.items():
        page.goto(f"{url}/console/{path}")
        width = page.viewport_size["width"] if page.viewport_size else 0
        taken.append(folder / f"console-{name}-{width}.png")
        page.screenshot(path=taken[-1])
    return taken
