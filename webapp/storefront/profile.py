"""What is known of a shopper: to see, to change, to have deleted."""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.errors import NotFound
from engine.types import AttributeValue, UserProfile
from webapp.i18n import gettext as _
from webapp.shop import Shop, current_shop
from webapp.shopper import Shopper, current_shopper, sign_out
from webapp.storefront.blueprint import blueprint
from webapp.storefront.forms import DeleteForm, attributes_of, profile_form
from webapp.storefront.wording import profile_lines


@blueprint.get("/profile")
def profile_page() -> str:
    """What is known, and a form to change it."""
    return _page()


@blueprint.post("/profile")
def save_profile() -> Response | tuple[str, int]:
    """Replace what the form asks about; what else is stored stays."""
    shop, shopper = current_shop(), current_shopper()
    if not shopper.signed_in:
        abort(403)
    features = shop.dataset.get().user_features
    form = profile_form(features)
    if not form.validate():
        return _page(form), 400
    asked = {feature.name for feature in features}
    kept = {name: value for name, value in _attributes(shop, shopper).items() if name not in asked}
    changed = UserProfile(shopper.user_id, {**kept, **attributes_of(form, features)})
    shop.services.user.upsert_users([changed], shop.call_timeout_s)
    flash(_("Your profile is changed; your next list is made from it."))
    return redirect(url_for("shop.profile_page"), 303)


@blueprint.get("/profile/delete")
def delete_page() -> str:
    """What deleting means, before it is done."""
    return render_template("delete.html", form=DeleteForm(), shared=_is_shared(current_shopper()))


@blueprint.post("/profile/delete")
def delete_my_data() -> Response | tuple[str, int]:
    """Forget the shopper: account, cart, orders, profile, events; and the session."""
    shop, shopper = current_shop(), current_shopper()
    form = DeleteForm()
    if _is_shared(shopper):
        abort(403)
    if not form.validate():
        return render_template("delete.html", form=form, shared=False), 400
    # The user service last: should a step fail, the shopper can still come here and finish it.
    shop.stores.carts.delete(shopper.user_id)
    shop.stores.orders.delete_of(shopper.user_id)
    shop.services.user.delete_user(shopper.user_id, shop.call_timeout_s)
    shop.stores.accounts.delete_of(shopper.user_id)
    sign_out()
    flash(_("Everything we knew about you is deleted."))
    return redirect(url_for("shop.home"), 303)


def _page(form: object | None = None) -> str:
    shop, shopper = current_shop(), current_shopper()
    features = shop.dataset.get().user_features
    attributes = _attributes(shop, shopper) if shopper.signed_in else {}
    return render_template(
        "profile.html",
        form=form or profile_form(features, attributes),
        lines=profile_lines(attributes, shop.dataset.get()),
        login=shop.stores.accounts.login_of(shopper.user_id) if shopper.is_new else "",
        shared=_is_shared(shopper),
        asked=bool(features),
        failed=request.method == "POST",
    )


def _attributes(shop: Shop, shopper: Shopper) -> Mapping[str, AttributeValue]:
    try:
        return shop.services.user.get_user(shopper.user_id, shop.call_timeout_s).attributes
    except NotFound:
        return {}


def _is_shared(shopper: Shopper) -> bool:
    """Whether this is a demo shopper, whom all visitors share and none may delete."""
    return shopper.signed_in and not shopper.is_new
