"""What shoppers do, step by step, on whatever shop answers at `url`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

LEAST_CARDS = 20


def shown_ids(page: Page) -> list[str]:
    """The items of the list "For you", in order."""
    page.locator("#for-you").wait_for()
    inputs = page.locator("#for-you .card input[name=item_id]")
    return [str(found.get_attribute("value")) for found in inputs.all()]


def is_not_wider_than_the_screen(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def household_clicks_and_sees_the_list_change(page: Page, url: str) -> None:
    """Sign in from the list, look at the cards, open one, come back: the list is another one and says why."""
    page.goto(url)
    page.locator("header").get_by_role("link", name="Sign in").click()
    # Each screen size plays a household of its own: a list that was clicked before hardly changes again.
    page.locator(".personas button").nth(
        0 if page.viewport_size == {"width": 390, "height": 844} else 5
    ).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
    before = shown_ids(page)
    assert len(before) >= LEAST_CARDS
    assert all(text.strip() for text in page.locator("#for-you .reason").all_inner_texts())
    assert is_not_wider_than_the_screen(page)
    for place in (2, 7, 11):
        page.locator("#for-you .card .open").nth(place).click()
        expect(page.locator("article.product h1")).to_be_visible()
        page.get_by_role("link", name="Back to your list").click()
    assert shown_ids(page) != before
    page.locator("header .menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def newcomer_registers_by_the_form(page: Page, url: str) -> None:
    """Fill in what the form offers and get a list from it."""
    page.goto(url)
    page.get_by_role("link", name="I am new here").first.click()
    choices = page.locator("form.register select")
    for number in range(choices.count()):
        choices.nth(number).select_option(index=1)
    page.get_by_role("button", name="Show me my list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, new shopper")
    assert page.locator(".profile dd").count() == choices.count() or choices.count() == 0
    assert len(shown_ids(page)) >= LEAST_CARDS


def anonymous_click_changes_the_list(page: Page, url: str) -> None:
    """Without signing in, opened products change the list."""
    page.goto(url)
    before = shown_ids(page)
    assert len(before) >= LEAST_CARDS
    for place in (3, 8, 12):
        page.locator("#for-you .card .open").nth(place).click()
        page.get_by_role("link", name="Back to your list").click()
    expect(page.get_by_text("You are shopping anonymously")).to_be_visible()
    assert shown_ids(page) != before


def product_of_no_interest_goes_away(page: Page, url: str) -> None:
    """The cross on a card takes the product out of the next list."""
    page.goto(url)
    first = shown_ids(page)[0]
    page.locator("#for-you .card .quiet").first.click()
    expect(page.get_by_text("will not be suggested")).to_be_visible()
    assert first not in shown_ids(page)


def a_keyboard_is_enough(page: Page, url: str) -> None:
    """From the address bar: skip to the content, tab to a product, open it."""
    page.goto(url)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('open')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("article.product h1")).to_be_visible()


def mistakes_are_told_kindly(page: Page, url: str) -> None:
    """An id nobody has, and a page that does not exist."""
    page.goto(f"{url}/signin")
    page.locator("#user_id").fill("nobody-has-this-id")
    page.locator(".by-id").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody-has-this-id")
    page.goto(f"{url}/items/no-such-product")
    page.get_by_role("link", name="To the home page").click()
    expect(page.locator("#for-you")).to_be_visible()


def photograph(page: Page, url: str, folder: Path) -> list[Path]:
    """Each page of the shop as a picture in `folder`."""
    page.goto(f"{url}/signin")
    page.locator(".personas button").nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
    steps = {
        "home": "/",
        "signin": "/signin",
        "register": "/register",
        "categories": "/categories",
        "search": "/search?q=milk",
        "lost": "/nowhere",
    }
    taken = []
    for name, path in steps.items():
        page.goto(url + path)
        assert is_not_wider_than_the_screen(page), path
        taken.append(folder / f"{name}-{page.viewport_size['width'] if page.viewport_size else 0}.png")
        page.screenshot(path=taken[-1], full_page=True)
    page.goto(url)
    page.locator("#for-you .card .open").first.click()
    expect(page.locator("article.product h1")).to_be_visible()
    assert is_not_wider_than_the_screen(page)
    taken.append(folder / f"item-{page.viewport_size['width'] if page.viewport_size else 0}.png")
    page.screenshot(path=taken[-1], full_page=True)
    return taken
