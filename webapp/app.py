"""Puts the web application together."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from flask_caching import Cache
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from services import bootstrap
from services.settings import Settings
from webapp import api, console, errors, health, hooks, i18n, limits
from webapp.cache import SharedCache
from webapp.cache_counters import CacheCounters
from webapp.categories import CategorySource
from webapp.dataset import DatasetSource
from webapp.photos import ImageOrigins
from webapp.redis_health import RedisHealth
from webapp.shop import EXTENSION, Services, Shop
from webapp.shopper import SessionCookies
from webapp.signing_key import signing_key
from webapp.stand_ins import StandIns
from webapp.storefront import blueprint as storefront
from webapp.stores import Stores, redis_stores

LIST_MARGIN_S = 0.2  # what the way to `recommend` and back may cost beyond its own deadline
CATEGORIES_TIMEOUT_S = 1.0


def build_app(settings: Settings, services: Services, cache_type: str, stores: Stores | None = None) -> Flask:
    """See `webapp.create_app`. Raises SigningKeyError."""
    app = Flask("webapp")
    app.config.update(
        SECRET_KEY=signing_key(settings.secret_key.get_secret_value(), settings.state_dir),
        SESSION_COOKIE_NAME="ecrs_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=30),  # since its cookie was sent last
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page left open over lunch still works
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_PARTS=200,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=30),  # addresses of static files carry their content's hash
    )
    app.session_interface = SessionCookies()
    # Nginx stands before us and names the shopper's address and scheme. Whoever reaches this port without it
    # may claim any address, and so gets round the limits by address (docs/adr/0121).
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    hooks.install(app)  # first: what CSRF protection refuses has a request id too
    i18n.install(app)
    csrf = CSRFProtect(app)
    csrf.exempt(api.blueprint)  # no cookie means anything there, so there is nothing to forge
    cache = Cache(
        app,
        config={"CACHE_TYPE": cache_type, "CACHE_REDIS_URL": settings.redis(), "CACHE_DEFAULT_TIMEOUT": 60},
    )
    health_of_redis = RedisHealth()
    toml = settings.prepared_dir / settings.dataset / "dataset.toml"
    app.extensions[EXTENSION] = Shop(
        services=services,
        shared=SharedCache(cache, CacheCounters(settings.redis(), health_of_redis), health_of_redis),
        stand_ins=StandIns(services.item, bootstrap.item_service(settings), health_of_redis),
        redis_health=health_of_redis,
        image_origins=ImageOrigins(settings.image_origins.split()),
        dataset=DatasetSource(settings.redis(), toml, health_of_redis),
        categories=CategorySource(services.item, CATEGORIES_TIMEOUT_S),
        stores=stores or redis_stores(settings.redis()),
        demo_personas=settings.allow_demo_personas(),
        list_timeout_s=settings.deadline_ms / 1000 + LIST_MARGIN_S,
    )
    errors.install(app)
    app.register_blueprint(health.blueprint)
    api.install(app, settings)
    app.register_blueprint(storefront)
    app.register_blueprint(console.blueprint)
    console.install(app, settings)
    limits.install(app, settings.redis(), enabled=settings.rate_limits)
    return app
