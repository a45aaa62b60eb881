"""Routes about who is signed in."""

from fastapi import APIRouter

from airloom.web.authentication import PersonOf
from airloom.web.models.access import Me
from airloom.web.rule import SIGNED_IN

router = APIRouter(tags=["me"])


@router.get("/me", dependencies=[SIGNED_IN])
def get_me(person: PersonOf) -> Me:
    """Say who you are, and what you may."""
    connections = person.actor.connections
    return Me(
        id=person.id,
        name=person.name,
        roles=list(person.roles),
        rights=sorted(person.rights),
        scopes=person.token.scopes if person.token else None,
        connections=None if connections is None else sorted(connections),
    )
