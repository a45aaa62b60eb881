"""Signing in: from a request to the person behind it."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials
from starlette.exceptions import HTTPException

from airloom.store.records import StoredToken
from airloom.store.store import Store
from airloom.store.tokens import PREFIX
from airloom.web.error import ApiError
from airloom.web.person import Identity, Person
from airloom.web.rate import Rates

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def store_of(request: Request) -> Store:
    """Return the store of this process."""
    store: Store = request.app.state.store
    return store


async def identify(request: Request) -> Identity:
    """Return as whom a request comes; raise ApiError with 401 where that is nobody who is known.

    A key in the header `X-API-Key`, or a Bearer token that begins with `airloom_`, is one of our service tokens; all
    else is Airflow's. Who asks too often, or fails to sign in too often, gets 429.
    """
    rates: Rates = request.app.state.rates
    try:
        identity = await _identify(request)
    except ApiError as error:
        if error.status == 401 and _shows_something(request):
            rates.count_failure(request.client.host if request.client else "")
        raise
    rates.count_request(identity.token.id if identity.token else f"user {identity.user.get_id()}")
    return identity


def _shows_something(request: Request) -> bool:
    return any(name in request.headers for name in ("authorization", "x-api-key"))


async def _identify(request: Request) -> Identity:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    bearer = bearer.strip() if scheme.lower() == "bearer" else ""
    key = request.headers.get("x-api-key", "")
    if key or bearer.startswith(PREFIX):
        token = await run_in_threadpool(store_of(request).tokens.find, key or bearer)
        if token is None:
            raise ApiError(401, "the token is not known, has expired or was revoked", headers=CHALLENGE)
        return Identity(await run_in_threadpool(_owner_of, token), token=token)
    credentials = HTTPAuthorizationCredentials(scheme="Bearer", credentials=bearer) if bearer else None
    try:
        user = await get_user(request, None, credentials)
    except HTTPException as error:
        # Airflow answers a forged or revoked token with 403, as if somebody had signed in.
        message = "sign in first" if error.detail == "Not authenticated" else "the session is not valid; sign in again"
        raise ApiError(401, message, headers=CHALLENGE) from None
    by_cookie = credentials is None
    if by_cookie and request.method not in SAFE_METHODS and not _is_same_origin(request):
        raise ApiError(403, "another site may not do this in your name; send a Bearer token, or come from this site")
    return Identity(user, by_cookie=by_cookie)


def find_person(identity: Annotated[Identity, Depends(identify)], store: Annotated[Store, Depends(store_of)]) -> Person:
    """Return the person behind a request."""
    return Person(identity, store)


StoreOf = Annotated[Store, Depends(store_of)]
PersonOf = Annotated[Person, Depends(find_person)]


def _owner_of(token: StoredToken) -> Any:
    """Return the user whose token this is, as they are now; raise ApiError where there is no such user any more."""
    manager = get_auth_manager()
    claims: dict[str, Any] = {"sub": token.user_id}
    if hasattr(manager, "get_users"):  # The simple auth manager keeps its users in the configuration.
        known = {user.username: user for user in manager.get_users()}
        owner = known.get(token.user_id)
        claims = {} if owner is None else manager.serialize_user(owner)
    try:
        return manager.deserialize_user(claims)
    except (KeyError, ValueError):
        raise ApiError(401, "the owner of the token is not a user any more", headers=CHALLENGE) from None


def _is_same_origin(request: Request) -> bool:
    """Tell whether a browser sent the request from one of our own pages."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")
