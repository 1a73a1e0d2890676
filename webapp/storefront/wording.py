"""Data in words: reasons, channels, missing parts, prices, profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.dataset import Dataset
from engine.types import AttributeValue, Item, Reason, UserEvent
from engine.vocabulary import Degradation
from webapp.i18n import gettext as _
from webapp.i18n import language
from webapp.i18n import lazy_gettext as _l

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥"}
REASONS = {
    "bought_again": _l("You bought this before"),
    "for_you": _l("Chosen for your taste"),
    "popular": _l("Popular with everyone"),
    "trending": _l("Trending right now"),
    "new": _l("New in the shop"),
}
BECAUSE = {
    "view": _l("Because you looked at %(title)s"),
    "click": _l("Because you looked at %(title)s"),
    "cart": _l("Because you chose %(title)s"),
    "favorite": _l("Because you marked %(title)s as a favourite"),
    "comment": _l("Because you commented on %(title)s"),
    "rate": _l("Because you rated %(title)s"),
}
"""By the newest event on the item that a reason names; whatever is not here was bought."""
BESIDE = {
    "similar_to": _l("Similar to %(title)s"),
    "together_with": _l("Often bought together with %(title)s"),
}
"""Reasons of lists beside a product."""
NOUNS = {
    "household": (_l("household"), _l("households")),
    "customer": (_l("customer"), _l("customers")),
    "shopper": (_l("shopper"), _l("shoppers")),
    "user": (_l("user"), _l("users")),
}
"""What datasets call their users, one and several; other words are shown as they are."""
DEGRADED = {
    Degradation.USER: _l(
        "We cannot read your history at the moment, so this list is made from what is popular."
    ),
    Degradation.RECALL: _l("Our taste model is resting; other suggestions fill the list."),
    Degradation.INDEX: _l("The fast index does not answer; we searched the slow way, with the same result."),
    Degradation.RANK: _l("The fine ordering is not available; the list is in a rougher order."),
    Degradation.ITEM: _l(
        "Product details are not available right now; some products show only their number."
    ),
    Degradation.CANDIDATES: _l("Your own suggestions are away right now; this is what was popular last."),
}


def reason_text(reason: Reason, dataset: Dataset, done: Mapping[str, str]) -> str:
    """Why an item is shown. `done`: the type of the shopper's newest event by item id, as far as known."""
    if reason.kind == "because_of_item" and (reason.item_title or reason.item_id):
        text = BECAUSE.get(done.get(reason.item_id, ""), _l("Because you bought %(title)s"))
        return str(text) % {"title": reason.item_title or reason.item_id}
    if reason.kind in BESIDE:
        return str(BESIDE[reason.kind]) % {"title": reason.item_title or reason.item_id}
    if reason.kind == "popular_in_segment" and reason.segment:
        return str(
            _(
                "Popular with %(nouns)s like yours (%(segment)s)",
                nouns=nouns(dataset),
                segment=segment_text(reason.segment, dataset),
            )
        )
    return str(REASONS.get(reason.kind) or _("Picked for you"))


def segment_text(segment: str, dataset: Dataset) -> str:
    """`age=45-54` as "age 45-54"."""
    name, _, value = segment.partition("=")
    return f"{dataset.user_feature(name).label(language()).lower()} {value}".strip()


def newest_types(events: Iterable[UserEvent]) -> dict[str, str]:
    """The type of the newest event of each item; `events` newest first."""
    newest: dict[str, str] = {}
    for event in events:
        newest.setdefault(event.item_id, event.type)
    return newest


def notices(degraded: Iterable[Degradation]) -> list[str]:
    """What was missing, in a stable order."""
    return [str(DEGRADED[part]) for part in sorted(degraded, key=lambda part: part.value)]


def money(price: float | None, currency: str) -> str:
    """A price; empty when unknown."""
    if price is None:
        return ""
    sign = CURRENCY_SIGNS.get(currency)
    return f"{sign}{price:,.2f}" if sign else f"{price:,.2f} {currency}".strip()


def title_of(item: Item | None, item_id: str) -> str:
    """The title, or the number of an item without one."""
    return item.title if item and item.title else str(_("Product %(number)s", number=item_id))


def category_text(item: Item) -> str:
    """The deepest level of the category path that the title does not say already."""
    title = item.title.lower()
    return next((level for level in reversed(item.category_path) if level.lower() not in title), "")


def value_text(value: AttributeValue) -> str:
    """An attribute's value."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else value


def profile_lines(attributes: Mapping[str, AttributeValue], dataset: Dataset) -> list[tuple[str, str]]:
    """(name, value) of what is known of a shopper, in the dataset's order; the id is no feature."""
    order = [feature.name for feature in dataset.user_features]
    names = [name for name in order if name in attributes]
    names += sorted(name for name in attributes if name not in order and name != "user_id")
    lines = ((dataset.user_feature(name).label(language()), value_text(attributes[name])) for name in names)
    return [(label, value) for label, value in lines if value]


def noun(dataset: Dataset) -> str:
    """What one user is called."""
    known = NOUNS.get(dataset.user_noun)
    return str(known[0]) if known else dataset.user_noun


def nouns(dataset: Dataset) -> str:
    """What several users are called."""
    known = NOUNS.get(dataset.user_noun)
    return str(known[1]) if known else plural(dataset.user_noun)


def plural(word: str) -> str:
    """More than one of them, in English."""
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
