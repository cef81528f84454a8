"""Login tokens: JSON Web Tokens that name a user and expire, in a header or a cookie."""

from comity.core import jwt
from comity.core.instants import Instant


def issue(uid: str, key: bytes, expires: Instant) -> str:
    """Return a token that says who its bearer is, until `expires`."""
    return jwt.issue({"uid": uid, "exp": int(expires)}, key)


def verify(token: str, key: bytes, now: Instant) -> str | None:
    """Return who a token is from; None when it is not ours, was altered, or has expired."""
    claims = jwt.claims_of(token, key)
    if claims is None:
        return None
    uid, expires = claims.get("uid"), claims.get("exp")
    if not isinstance(uid, str) or not isinstance(expires, int | float) or expires <= now:
        return None
    return uid


def given(authorization: str, cookies: str) -> str:
    """Return the token that a request carries, in a header or in the cookie; maybe empty."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if authorization.strip().lower().startswith("token="):
        return authorization.strip()[6:].strip().strip('"')
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == AUTH_COOKIE:
            return value
    return ""


AUTH_COOKIE = "dcos-acs-auth-cookie"
INFO_COOKIE = "dcos-acs-info-cookie"
