"""The order in which steps run."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

from graphc.errors import InternalError
from graphc.ir.node import Node
from graphc.lower.program import Check, Host, Step, base


def schedule(steps: Sequence[Step], new_values: Collection[Node]) -> list[Step]:
    """Return steps in the order they run.

    Each as soon as what it reads is there, in the order given; but the host's scalars and checks
    first, so that arrays they are read from can be reused, and what writes new values of shared
    variables last, so that it may write over the old ones.
    """
    maker = {node: i for i, step in enumerate(steps) for node in step.writes}
    needs = [{maker[n] for r in step.reads if (n := base(r, maker)) in maker} for step in steps]
    users: list[list[int]] = [[] for _ in steps]
    for i, sources in enumerate(needs):
        for source in sources:
            users[source].append(i)
    waiting = [len(sources) for sources in needs]

    def rank(i: int) -> tuple[int, int]:
        if isinstance(steps[i], (Host, Check)):
            return 0, i
        return (2 if any(node in new_values for node in steps[i].writes) else 1), i

    ready = [rank(i) for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    order: list[Step] = []
    while ready:
        _, i = heapq.heappop(ready)
        order.append(steps[i])
        for user in users[i]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, rank(user))
    if len(order) != len(steps):
        raise InternalError("the steps of a program wait for each other")
    return order
