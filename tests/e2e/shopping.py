"""The shopper's own side, step by step, on whatever shop answers at `url`: cart, order, history, accounts."""

from __future__ import annotations

import re
import secrets
from collections import Counter

from playwright.sync_api import Page, expect

PASSWORD = "correct horse battery"


def card_ids(page: Page) -> list[str]:
    """The items of the list "For you", in order."""
    page.locator("#for-you").wait_for()
    inputs = page.locator("#for-you .card input[name=item_id]")
    return [str(found.get_attribute("value")) for found in inputs.all()]


def become_household(page: Page, url: str, number: int) -> None:
    """Sign in as one of the demo shoppers; each screen size plays another one."""
    page.goto(f"{url}/signin")
    phone = page.viewport_size == {"width": 390, "height": 844}
    page.locator(".personas button").nth(2 * number + phone).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


def open_cart(page: Page, url: str) -> None:
    """The cart by its link in the header."""
    page.locator("header a.cart").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your cart")
    fits(page)


def fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


def from_product_to_order(page: Page, url: str) -> None:
    """From a product and an add-on over a changed quantity to an order that is found again."""
    become_household(page, url, 3)
    page.goto(f"{url}/")
    page.locator("#for-you .card .open").nth(1).click()
    title = page.locator("article.product h1").inner_text()
    page.locator("article.product button[value=cart]").click()
    expect(page.get_by_role("status").first).to_contain_text("is in your cart")
    open_cart(page, url)
    expect(page.locator(".line .title", has_text=title).first).to_be_visible()
    lines = page.locator(".line").count()
    page.locator("#together .add, #needed .add").first.click()
    expect(page.locator(".line")).to_have_count(lines + 1)
    page.locator(".line input[name=quantity]").first.fill("3")
    page.locator(".line button.small").first.click()
    expect(page.locator(".line input[name=quantity]").first).to_have_value("3")
    total = page.locator(".summary .total dd").inner_text()
    page.get_by_role("link", name="To checkout").click()
    expect(page.locator(".summary .total dd")).to_have_text(total)
    fits(page)
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for your order")
    expect(page.locator(".thanks")).to_contain_text("nothing was charged")
    fits(page)
    page.go_back()  # to the review, whose form is sent once more
    if page.get_by_role("button", name="Place the order").count():
        page.get_by_role("button", name="Place the order").click()
    page.goto(f"{url}/orders")
    expect(page.locator(".orders li").first).to_contain_text(total)
    page.goto(f"{url}/history")
    expect(page.locator(".events li.did-purchase", has_text=title).first).to_be_visible()
    fits(page)
    page.goto(f"{url}/cart")
    expect(page.get_by_text("Your cart is empty.")).to_be_visible()


def newcomer_comes_back_with_a_password(page: Page, url: str) -> None:
    """Register, fill the cart, sign out and in again: the cart is there. Then have all deleted."""
    name = f"e2e-{secrets.token_hex(6)}"
    page.goto(f"{url}/register")
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    fits(page)
    page.get_by_role("button", name="Show me my list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, new shopper")
    page.locator("#for-you .card .add").first.click()
    expect(page.locator("header .count")).to_have_text("1")  # before signing out overtakes it
    page.locator("header details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("header .count")).to_have_text("0")
    page.goto(f"{url}/signin")
    page.locator("#login").fill(name)
    page.locator("#password").fill("not the password")
    page.get_by_role("button", name="Sign in with password").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.locator("#login").fill(name.upper())
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in with password").click()
    expect(page.locator("header .count")).to_have_text("1")
    page.goto(f"{url}/profile")
    expect(page.get_by_text(f"You sign in as {name}.")).to_be_visible()
    fits(page)
    page.get_by_role("link", name="Delete my data").click()
    page.get_by_label("Yes, delete everything").check()
    page.get_by_role("button", name="Delete my data").click()
    expect(page.get_by_text("Everything we knew about you is deleted.")).to_be_visible()


def visit_comes_along(page: Page, url: str) -> None:
    """What an anonymous visitor put into the cart and looked at is the household's after signing in."""
    page.goto(f"{url}/")
    page.locator("#for-you .card .open").nth(4).click()
    looked_at = page.locator("article.product h1").inner_text()
    page.locator("article.product button[value=cart]").click()
    open_cart(page, url)
    page.get_by_role("link", name="To checkout").click()
    page.get_by_role("link", name="Sign in and keep this cart").click()
    phone = page.viewport_size == {"width": 390, "height": 844}
    page.locator(".personas button").nth(8 + phone).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look at your order once more")
    expect(page.locator(".line .title", has_text=looked_at).first).to_be_visible()
    page.goto(f"{url}/history")
    expect(page.locator(".events li.did-cart", has_text=looked_at).first).to_be_visible()
    page.goto(f"{url}/cart")
    while page.locator(".line button[name=remove]").count():  # as it was, for whoever plays this one next
        page.locator(".line button[name=remove]").first.click()
    expect(page.get_by_text("Your cart is empty.")).to_be_visible()


def not_interested_is_remembered(page: Page, url: str) -> None:
    """The cross on a card takes the product out of the list, and the history says so."""
    page.goto(f"{url}/")
    unwanted = card_ids(page)[0]
    title = page.locator("#for-you .card .title").first.inner_text()
    page.locator("#for-you .card .quiet").first.click()
    assert unwanted not in card_ids(page)
    page.goto(f"{url}/history")
    expect(page.locator("#not-interested")).to_contain_text(title)
    expect(page.locator("#not-interested")).to_contain_text("cannot be taken back one by one")
    fits(page)


def three_clicks_raise_a_category(page: Page, url: str) -> None:
    """Open three products of one category: its share of the next list is higher, and a reason names one."""
    page.goto(f"{url}/")
    before = categories(page, url)
    rarest = before.most_common()[-1][0]
    first = next(item_id for item_id in card_ids(page) if category_of(page, url, item_id) == rarest)
    opened = [open_product(page, f"{url}/items/{first}")]
    beside = [
        str(link.get_attribute("href"))
        for link in page.locator("#similar .open, #together .open").all()
        if category_of(page, url, item_of(str(link.get_attribute("href")))) == rarest
    ]
    if len(beside) < 2:  # the category's own page has more
        page.locator(".crumbs a").last.click()
        listed = [str(link.get_attribute("href")) for link in page.locator(".card .open").all()]
        beside += [href for href in listed if category_of(page, url, item_of(href)) == rarest]
    others = dict.fromkeys(href for href in beside if item_of(href) != first)
    opened += [open_product(page, url + href) for href in list(others)[:2]]
    assert len(opened) == 3
    page.goto(f"{url}/")
    after = categories(page, url)
    assert after[rarest] / after.total() > before[rarest] / before.total()
    reasons = page.locator("#for-you .reason").all_inner_texts()
    assert any(reason.endswith(title) for reason in reasons for title in opened), (opened, reasons)


def open_product(page: Page, address: str) -> str:
    """Open a product's page; its title."""
    page.goto(address)
    return page.locator("article.product h1").inner_text()


def item_of(href: str) -> str:
    """The item's id in the address of its page."""
    found = re.search(r"/items/([^?]+)", href)
    assert found, href
    return found[1]


def categories(page: Page, url: str) -> Counter[str]:
    """How many products of each category the list "For you" has."""
    return Counter(category_of(page, url, item_id) for item_id in card_ids(page))


def category_of(page: Page, url: str, item_id: str) -> str:
    """A product's category, of the second level, by the REST API."""
    path = page.request.get(f"{url}/api/v1/items/{item_id}").json()["category_path"]
    return str(path[min(1, len(path) - 1)]) if path else ""
