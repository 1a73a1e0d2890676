"""The blueprint of the console: who may enter, and its own policy of what pages may load."""

from flask import Blueprint, Response

from webapp.console.access import is_signed_in, require_access

blueprint = Blueprint("console", __name__, url_prefix="/console")
blueprint.before_request(require_access)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Own files only; the console's script asks this site for fresh figures, nobody else."""


@blueprint.after_request
def _policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@blueprint.context_processor
def _sign_out_context() -> dict[str, bool]:
    """`console_signed_in`: whether the pages offer signing out."""
    return {"console_signed_in": is_signed_in()}
