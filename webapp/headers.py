"""Security headers: the front end sets them on its answers, Nginx, configured from here, on its own."""

from __future__ import annotations

from collections.abc import Iterable


def content_security_policy(image_origins: Iterable[str] = ()) -> str:
    """The policy: nothing from elsewhere but pictures from the given origins (docs/adr/0178)."""
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("img-src 'self'", *sorted(image_origins))),
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


SECURITY_HEADERS = {
    "Content-Security-Policy": content_security_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
