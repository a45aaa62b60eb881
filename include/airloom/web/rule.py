"""The rule of a route: who may use it. Each route names one, in its `dependencies`; a test finds those that do not."""

from dataclasses import dataclass

from fastapi import Depends, Request

from airloom.web.authentication import PersonOf
from airloom.web.error import ApiError
from airloom.web.person import Act, Person

WORDS = {
    "read": "see pipelines",
    "create": "make pipelines",
    "code": "publish code",
    "admin": "administer Airloom",
}


@dataclass(frozen=True)
class Public:
    """Let everybody in, without signing in."""

    def __call__(self) -> None:
        """Let the request pass."""


@dataclass(frozen=True)
class SignedIn:
    """Let in whoever has signed in; `in_person` not by a service token."""

    in_person: bool = False

    def __call__(self, person: PersonOf) -> None:
        """Raise ApiError with 403 where a token comes in place of a person."""
        _refuse_token(person, self.in_person)


@dataclass(frozen=True)
class Holds:
    """Let in whoever has a right of Airloom's."""

    right: str
    in_person: bool = False

    def __call__(self, person: PersonOf) -> None:
        """Raise ApiError with 403 where the person lacks the right."""
        _refuse_token(person, self.in_person)
        if self.right not in person.rights:
            raise ApiError(403, f"you have no right to {WORDS[self.right]}")


@dataclass(frozen=True)
class OnPipeline:
    """Let in whoever may do something with the pipeline that the path names."""

    act: Act
    in_person: bool = False

    def __call__(self, request: Request, person: PersonOf) -> None:
        """Raise ApiError as `require` does, for the pipeline of the path."""
        self.require(person, request.path_params["pipeline"])

    def require(self, person: Person, pipeline: str) -> None:
        """Raise ApiError: 404 where the person may not read the pipeline, whether or not there is one; else 403."""
        if not person.may("read", pipeline):
            raise ApiError(404, f"there is no pipeline {pipeline!r}")
        if not person.may(self.act, pipeline):
            raise ApiError(403, f"you may not {self.act} the pipeline {pipeline!r}")
        _refuse_token(person, self.in_person)


@dataclass(frozen=True)
class OnConnection:
    """Let in whoever may use the Connection that the path names."""

    def __call__(self, request: Request, person: PersonOf) -> None:
        """Raise ApiError with 404 where the person may not use the Connection, whether or not there is one."""
        name = request.path_params["name"]
        if not person.may_use(name):
            raise ApiError(404, f"there is no Connection {name!r}")


@dataclass(frozen=True)
class OnUpload:
    """Let in whoever has a right of Airloom's and the upload that the path names."""

    right: str

    def __call__(self, request: Request, person: PersonOf) -> None:
        """Raise ApiError: 403 without the right, 404 where the upload is another's, whether or not there is one."""
        Holds(self.right)(person)
        identifier = request.path_params["upload"]
        if person.uploads is not None and identifier not in person.uploads:
            raise ApiError(404, f"there is no upload {identifier!r}")


def _refuse_token(person: Person, in_person: bool) -> None:
    if in_person and person.token is not None:
        raise ApiError(403, "a service token gives nobody rights; sign in yourself")


Rule = Public | SignedIn | Holds | OnPipeline | OnConnection | OnUpload

PUBLIC = Depends(Public())
SIGNED_IN = Depends(SignedIn())
MAKES_TOKENS = Depends(SignedIn(in_person=True))
READER = Depends(Holds("read"))
CREATOR = Depends(Holds("create"))
ADMINISTRATOR = Depends(Holds("admin"))
GRANTS_USE = Depends(Holds("admin", in_person=True))
READS = Depends(OnPipeline("read"))
RUNS = Depends(OnPipeline("run"))
EDITS = Depends(OnPipeline("edit"))
PUBLISHES = Depends(OnPipeline("publish"))
READS_UPLOAD = Depends(OnUpload("read"))
CHANGES_UPLOAD = Depends(OnUpload("create"))
USES = Depends(OnConnection())
SHARES = Depends(OnPipeline("publish", in_person=True))
