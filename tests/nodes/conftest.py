from __future__ import annotations

from hypothesis import settings

# The machine's speed is no property of a node.
settings.register_profile("nodes", deadline=None)
settings.load_profile("nodes")
