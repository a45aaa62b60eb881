"""Grouping: which nodes share one task, so that nothing but speed changes.

A group is a set of pure nodes with one exit that all others lead to, and every node outside that feeds the group leads
to all of its nodes. So whatever fails or is skipped, inside or before it, each node ends in the same state as if it had
a task of its own: a fault inside takes away only what it leads to anyway, and a fault before it takes away all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def group(order: Sequence[str], feeds: Mapping[str, Collection[str]], kinds: Mapping[str, str | None],
          exits: Collection[str], first: Collection[str], last: Collection[str]) -> list[list[str]]:  # fmt: skip
    """Return the groups, each in topological order.

    `order` names all nodes in topological order; `feeds` gives the nodes that each node feeds; `kinds` says which kind
    of group a node may stand in, or None where it stands alone; nodes of `exits` are read by others in ways that no
    edge shows, so they end their group; `first` may only start a group (file sources), `last` only end it (file sinks).
    """
    fed_by: dict[str, list[str]] = {node: [] for node in order}
    for source in order:
        for target in feeds[source]:
            fed_by[target].append(source)
    below = _reach(order, feeds)
    place = {node: index for index, node in enumerate(order)}
    taken: set[str] = set()
    groups: list[list[str]] = []
    for exit_node in reversed(order):
        if exit_node in taken:
            continue
        members = {exit_node}
        if kinds[exit_node] is not None and exit_node not in first:
            members = _cone(exit_node, order, feeds, kinds, exits, last, taken)
            members = _shrink(exit_node, members, fed_by, below, place)
        taken |= members
        groups.append(sorted(members, key=place.__getitem__))
    return sorted(groups, key=lambda members: place[members[0]])


def _reach(order: Sequence[str], feeds: Mapping[str, Collection[str]]) -> dict[str, int]:
    # Sets of nodes as bits of one integer: 1,000 nodes cost 1,000 unions of 125 bytes.
    bit = {node: 1 << index for index, node in enumerate(order)}
    below: dict[str, int] = {}
    for node in reversed(order):
        reached = bit[node]
        for target in feeds[node]:
            reached |= below[target]
        below[node] = reached
    return below


def _cone(exit_node: str, order: Sequence[str], feeds: Mapping[str, Collection[str]], kinds: Mapping[str, str | None],
          exits: Collection[str], last: Collection[str], taken: set[str]) -> set[str]:  # fmt: skip
    members = {exit_node}
    for node in reversed(order[: order.index(exit_node)]):
        if node in taken or node in exits or node in last or kinds[node] != kinds[exit_node] or not feeds[node]:
            continue
        if all(target in members for target in feeds[node]):
            members.add(node)
    return members


def _shrink(exit_node: str, members: set[str], fed_by: Mapping[str, Sequence[str]], below: Mapping[str, int],
            place: Mapping[str, int]) -> set[str]:  # fmt: skip
    while True:
        outside = {source for node in members for source in fed_by[node]} - members
        rest = {node for node in members if all(below[source] >> place[node] & 1 for source in outside)}
        # What no longer has all its readers inside would be a second exit.
        rest |= {exit_node}
        if rest == members:
            return members
        members = rest
