from __future__ import annotations

from hypothesis import settings

# The machine's speed is no property of a node; a node that is wrong is wrong within a few dozen tables.
settings.register_profile("nodes", deadline=None, max_examples=40)
settings.load_profile("nodes")
