"""Signing in as a demo shopper or by name and password, signing out, and registering."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.errors import InvalidArgument, NotFound
from engine.types import UserProfile
from webapp.i18n import gettext as _
from webapp.passwords import fits, hash_password, is_weak, normal_login
from webapp.shop import Shop, current_shop
from webapp.shopper import (
    anonymous_id,
    is_registered_id,
    local_path,
    new_shopper_id,
    read_id,
    sign_in,
    sign_out,
)
from webapp.storefront.blueprint import blueprint
from webapp.storefront.forms import PasswordForm, SignInForm, attributes_of, registration_form
from webapp.storefront.personas import MAX_PAGE_TOKEN, personas
from webapp.storefront.recording import merge_visit
from webapp.storefront.wording import noun
from webapp.stores.accounts import Account


@blueprint.get("/signin")
def sign_in_page() -> str:
    """Name and password, and the demo shoppers in pages."""
    token = request.args.get("page", "")
    if len(token) > MAX_PAGE_TOKEN:
        abort(400)
    return _sign_in_page(token=token)


@blueprint.post("/signin")
def sign_in_as() -> Response | tuple[str, int]:
    """Sign in as the demo shopper with the given id."""
    shop, form = current_shop(), SignInForm()
    if not shop.demo_personas:
        abort(403)
    user_id = read_id(form.user_id.data or "")
    if not form.validate() or not user_id:
        return _sign_in_page(form, problem=_("Please give a number from the list.")), 400
    try:
        if is_registered_id(user_id):
            raise NotFound(user_id)
        shop.services.user.get_user(user_id, shop.call_timeout_s)
    except (NotFound, InvalidArgument):
        problem = _(
            "We know no %(noun)s “%(number)s”. Choose one from the list.",
            noun=noun(shop.dataset.get()),
            number=user_id[:40],
        )
        return _sign_in_page(form, problem=problem), 404
    return _signed_in(shop, user_id)


@blueprint.post("/signin/password")
def sign_in_with_password() -> Response | tuple[str, int]:
    """Sign in by name and password. An unknown name and a wrong password get one answer, in the same time."""
    shop, form = current_shop(), PasswordForm()
    if form.validate():
        account = shop.stores.accounts.get(normal_login(form.login.data))
        if fits(form.password.data, account.password_hash if account else None) and account:
            return _signed_in(shop, account.user_id)
    problem = _("This name and this password do not belong together.")
    return _sign_in_page(by_password=form, password_problem=problem), 403


@blueprint.post("/signout")
def sign_out_now() -> Response:
    """Sign out: the next page begins a new anonymous session."""
    sign_out()
    flash(_("You are signed out."))
    return redirect(url_for("shop.home"), 303)


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> Response | tuple[str, int]:
    """The form of a new shopper; filled in, it makes one and signs them in."""
    shop = current_shop()
    features = shop.dataset.get().user_features
    form = registration_form(features)
    if not form.validate_on_submit():
        return render_template("register.html", form=form), 400 if form.is_submitted() else 200
    user = UserProfile(new_shopper_id(), attributes_of(form, features))
    if not _create(shop, user, form.login.data, form.password.data):
        # One sentence for both reasons: the answer alone does not prove that a name exists.
        form.login.errors = [_("Please choose another name or password: taken, or too easy to guess.")]
        return render_template("register.html", form=form), 400
    response = _signed_in(shop, user.user_id)
    flash(_("Welcome! This first list is made from what you told us; it learns from what you click."))
    return response


def _create(shop: Shop, user: UserProfile, login: str, password: str) -> bool:
    """Store a new shopper, with an account if a name is given; False: name and password cannot be had."""
    accounts, login = shop.stores.accounts, normal_login(login)
    if login and (is_weak(password, login) or accounts.get(login) is not None):
        return False
    shop.services.user.upsert_users([user], shop.call_timeout_s)
    if login and not accounts.create(Account(login, user.user_id, hash_password(password))):
        shop.services.user.delete_user(user.user_id, shop.call_timeout_s)  # somebody was quicker
        return False
    return True


def _signed_in(shop: Shop, user_id: str) -> Response:
    """Sign in as the shopper and merge the anonymous visit before into what is stored of them."""
    visit = anonymous_id()
    merged = not visit or merge_visit(shop, visit, user_id)
    sign_in(user_id)
    if not merged:
        flash(_("What you did before signing in could not be brought along."), "problem")
    return redirect(local_path(request.form.get("next", ""), url_for("shop.home")), 303)


def _sign_in_page(
    form: SignInForm | None = None,
    *,
    by_password: PasswordForm | None = None,
    token: str = "",
    problem: str = "",
    password_problem: str = "",
) -> str:
    shop = current_shop()
    found: dict[str, Any] = personas(shop, token) if shop.demo_personas else {}
    return render_template(
        "signin.html",
        form=form or SignInForm(formdata=None),
        by_password=by_password or PasswordForm(formdata=None),
        problem=problem,
        password_problem=password_problem,
        demo=shop.demo_personas,
        first=not token,
        next_path=local_path(request.values.get("next", ""), ""),
        **{"personas": [], "next_token": "", **found},
    )
