"""Another pipeline as one node."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airloom.nodes.ports import Interfaces, Port, no_interfaces
from airloom.nodes.sdk import Action, ConfigurationError, Example, PipelineId, interface_ports


class RunPipeline(Action, role="wait", inputs=[interface_ports("pipeline")], outputs=[interface_ports("pipeline")]):
    """Run another pipeline, hand it its inputs, and give its outputs on.

    The ports are the `inputs` and `outputs` that the other document declares. The run is one of that pipeline, with its
    current version; the task waits for it without a worker. Where that run fails, so does the node.
    """

    pipeline: PipelineId = Field(description="The id of the pipeline")
    params: dict[str, Any] = Field(default_factory=dict, description="Params of the run, by name")
    wait: bool = Field(
        True, description="Wait for the end of the run; else the one output is `run`, with pipeline and run_id"
    )

    step_kind = "pipeline"
    examples = (
        Example("Wait for its outputs", {"pipeline": "order_total", "params": {"day": "{{ run.local_date }}"}}),
        Example("Start it and go on", {"pipeline": "clean_up", "wait": False}),
    )

    @classmethod
    def output_ports(cls, config: Any, interfaces: Interfaces = no_interfaces) -> list[Port]:
        """Return the outputs of the pipeline; the run, where it has none or nothing waits for them."""
        given = cls._with_defaults(config)
        waits = given.get("wait", True) if isinstance(given, dict) else given.wait
        pipeline = given.get("pipeline") if isinstance(given, dict) else given.pipeline
        interface = interfaces(str(pipeline)) if waits else None
        return list(interface.outputs) if interface and interface.outputs else [Port("run", "object")]

    def run(self, **inputs: Any) -> Any:
        """Raise ConfigurationError: Airflow runs the pipeline, and nothing else does."""
        raise ConfigurationError(
            f"the pipeline {self.pipeline!r} is run by Airflow alone", hint="pin its outputs to try what comes after it"
        )
