"""Signing in as a demo shopper, signing out, and registering as a new one."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from services.common.errors import InvalidArgument, NotFound
from services.common.ports import UserProfile
from webapp.shop import Shop, current_shop
from webapp.shopper import ANONYMOUS_PREFIX, NEW_PREFIX, is_id, new_shopper_id, sign_in, sign_out
from webapp.storefront.blueprint import blueprint
from webapp.storefront.forms import SignInForm, attributes_of, registration_form
from webapp.storefront.wording import profile_lines

PERSONAS_PER_PAGE = 24
PERSONAS_FRESH_S = 60.0
MAX_PAGE_TOKEN = 512


@blueprint.get("/signin")
def sign_in_page() -> str:
    """The demo shoppers, in pages."""
    token = request.args.get("page", "")
    if len(token) > MAX_PAGE_TOKEN:
        abort(400)
    return _sign_in_page(SignInForm(), token)


@blueprint.post("/signin")
def sign_in_as() -> Response | tuple[str, int]:
    """Become the shopper with the given id."""
    shop, form = current_shop(), SignInForm()
    user_id = (form.user_id.data or "").strip()
    if not form.validate() or not is_id(user_id):
        return _sign_in_page(form, problem="Please give a number from the list."), 400
    try:
        shop.services.user.get_user(user_id, shop.call_timeout_s)
    except (NotFound, InvalidArgument):
        noun = shop.dataset.get().user_noun
        return _sign_in_page(
            form, problem=f"We know no {noun} “{user_id[:40]}”. Choose one from the list."
        ), 404
    sign_in(user_id)
    return redirect(url_for("shop.home"), 303)


@blueprint.post("/signout")
def sign_out_now() -> Response:
    """Back to being anonymous."""
    sign_out()
    flash("You are signed out.")
    return redirect(url_for("shop.home"), 303)


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> Response | tuple[str, int]:
    """The form of a new shopper; filled in, it makes one and signs them in."""
    shop = current_shop()
    features = shop.dataset.get().user_features
    form = registration_form(features)
    if not form.validate_on_submit():
        return render_template("register.html", form=form), 400 if form.is_submitted() else 200
    user_id = new_shopper_id()
    shop.services.user.upsert_users(
        [UserProfile(user_id, attributes_of(form, features))], shop.call_timeout_s
    )
    sign_in(user_id)
    flash("Welcome! This first list is made from what you told us; it learns from what you click.")
    return redirect(url_for("shop.home"), 303)


def _sign_in_page(form: SignInForm, token: str = "", problem: str = "") -> str:
    personas = _personas(current_shop(), token)
    return render_template("signin.html", form=form, problem=problem, first=not token, **personas)


def _personas(shop: Shop, token: str) -> dict[str, Any]:
    """One page of demo shoppers. Shared by all, so without those who came by the form or anonymously."""

    def load() -> dict[str, Any]:
        users, next_token = shop.services.user.list_users(PERSONAS_PER_PAGE, token, shop.call_timeout_s)
        dataset = shop.dataset.get()
        demo = [user for user in users if not user.user_id.startswith((ANONYMOUS_PREFIX, NEW_PREFIX))]
        personas = [
            {"user_id": user.user_id, "profile": profile_lines(user.attributes, dataset)} for user in demo
        ]
        personas.sort(key=lambda persona: not persona["profile"])  # those one can picture come first
        return {"personas": personas, "next_token": next_token}

    return shop.shared.fetch(f"personas:{token}", PERSONAS_FRESH_S, load)
