"""The end of a run, or of a branch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from airloom.nodes.sdk import Context, Control, Example, Fired
from airloom.spec.error import AirloomError, Failure


class Stopped(AirloomError):
    """Raise where a pipeline says itself that it has failed; the task is not retried."""

    failure: Failure = "data"
    code = "stopped"


class Stop(Control, outputs=[]):
    """End the run as failed, or a branch as successful, with a message.

    As failed, the node fails with the message, is not retried, and fails the run: no `error` edge leads away from it.
    Other branches go on to their ends. In a body it ends the loop, as any failure there does.

    As successful, the node ends well, and its message stands in the log. It has no output, so the branch ends here;
    other branches go on, and the run ends as they do.
    """

    may_be_handled: ClassVar[bool] = False
    state: Literal["failed", "success"] = Field("failed", description="How the run, or the branch, ends")
    message: str = Field(min_length=1, description="Why it ends: shown as the run's error, and in the log")

    examples = (
        Example("As failed", {"message": "No orders for {{ params.day }}"}),
        Example("As successful", {"state": "success", "message": "Nothing to do today"}, {"value": []}),
    )

    def run(self, value: Any = None, *, context: Context) -> Fired:
        """End the branch; raise Stopped where that is a failure."""
        if self.state == "failed":
            raise Stopped(self.message)
        context.log.info("stopped: %s", self.message)
        return Fired("")
