"""Pictures in the language of Graphviz, made with the ``graphviz`` package. Text only: no layout.

Colours are light tints of the palette of Okabe and Ito, which colour-blind eyes tell apart, under
dark text; kinds of boxes also differ in shape or border, for print.
"""

from __future__ import annotations

from typing import Any

from graphc.viz.picture import Arrow, Box, Picture

FONT, BOLD = "Helvetica", "Helvetica-Bold"
INK = "#1f2933"
GREY = "#5f6b76"
_LONG = 3000  # rows that arrows cross, all together
_STYLES: dict[str, dict[str, str]] = {
    "input": {"style": "rounded,filled", "fillcolor": "#d3e7f5", "color": "#0072b2"},
    "shared": {"shape": "cylinder", "fillcolor": "#fbe3b5", "color": "#b37400"},
    "new": {"shape": "cylinder", "fillcolor": "#fbe3b5", "color": "#b37400"},
    "const": {"style": "filled", "fillcolor": "#eeeeee", "color": "#8a949e"},
    "op": {"style": "rounded,filled", "fillcolor": "#ffffff", "color": "#8a949e"},
    "reduce": {"style": "rounded,filled", "fillcolor": "#d2efe5", "color": "#00805d"},
    "call": {"style": "filled", "fillcolor": "#f6dfeb", "color": "#a8507f", "peripheries": "2"},
    "view": {"style": "rounded,dashed", "color": "#8a949e", "fontcolor": GREY},
    "group": {"style": "rounded,filled", "fillcolor": "#f1f4f7", "color": "#55616d"},
    "output": {"shape": "plain", "style": "", "fontcolor": INK, "fontname": BOLD},
    "copy": {"shape": "plain", "style": "", "fontcolor": "#005b8f"},
    "carry": {"style": "rounded,filled", "fillcolor": "#fdf3d0", "color": "#b37400"},
    "rest": {"shape": "plain", "style": "", "fontcolor": GREY},
}
_ARROWS: dict[str, dict[str, str]] = {
    "data": {},
    "index": {"style": "dotted"},
    "output": {"color": INK},
    "new": {"style": "dashed", "color": "#b37400"},
    "near": {"style": "invis", "minlen": "0", "weight": "4"},
    "update": {
        "style": "dashed",
        "color": "#b37400",
        "fontcolor": "#8a5a00",
        "dir": "back",
        "weight": "0",
    },
}


def source(picture: Picture) -> str:
    """Return a picture as DOT, the same text for the same picture."""
    import graphviz

    graph = graphviz.Digraph(
        "graph",
        graph_attr=_graph_attributes(picture),
        node_attr={
            "shape": "box",
            "style": "filled",
            "fontname": FONT,
            "fontsize": "12",
            "fontcolor": INK,
            "margin": "0.12,0.06",
            "height": "0.3",
            "width": "0.3",
        },
        edge_attr={
            "color": GREY,
            "arrowsize": "0.6",
            "fontname": FONT,
            "fontsize": "10",
            "fontcolor": GREY,
        },
    )
    for box in picture.boxes:
        if box.cluster is None:
            _box(graph, box)
    for number in picture.clusters:
        if number not in picture.parents:
            _cluster(graph, picture, number)
    home = {box.key: box.cluster for box in picture.boxes}
    for arrow in picture.arrows:
        inside = home[arrow.source] is not None and home[arrow.source] == home[arrow.target]
        _arrow(graph, arrow, {"weight": "6"} if inside and arrow.kind == "data" else {})
    return str(graph.source)


def _graph_attributes(picture: Picture) -> dict[str, str]:
    found = {
        "bgcolor": "white",
        "fontname": BOLD,
        "fontsize": "13",
        "fontcolor": INK,
        "nodesep": "0.25",
        "ranksep": "0.35",
        "newrank": "true",
        "pad": "0.15",
        "tooltip": " ",
    }
    if _length(picture) > _LONG:  # or straightening the arrows takes minutes
        found |= {"nslimit": "1", "nslimit1": "1"}
    text = "\n".join(filter(None, (picture.title, picture.note)))
    return {**found, "label": quoted(text), "labelloc": "t"} if text else found


def _length(picture: Picture) -> int:
    """Return how many rows the arrows cross: each stands in the row below its lowest operand."""
    row = {box.key: 0 for box in picture.boxes}
    users: dict[str, list[str]] = {}
    waiting = dict.fromkeys(row, 0)
    arrows = [arrow for arrow in picture.arrows if arrow.kind not in ("update", "near")]
    for arrow in arrows:
        users.setdefault(arrow.source, []).append(arrow.target)
        waiting[arrow.target] += 1
    ready = [key for key, count in waiting.items() if not count]
    while ready:
        key = ready.pop()
        for user in users.get(key, ()):
            row[user] = max(row[user], row[key] + 1)
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return sum(row[arrow.target] - row[arrow.source] for arrow in arrows)


def _cluster(graph: Any, picture: Picture, number: int) -> None:
    """Write a cluster with its boxes, and the clusters inside."""
    depth, around = 0, number
    while around in picture.parents:
        depth, around = depth + 1, picture.parents[around]
    with graph.subgraph(name=f"cluster_{number}".replace("-", "loop_")) as cluster:
        cluster.attr(**_cluster_attributes(picture.clusters[number], depth))
        for box in picture.boxes:
            if box.cluster == number:
                _box(cluster, box)
        for inner, outer in picture.parents.items():
            if outer == number:
                _cluster(cluster, picture, inner)


def _cluster_attributes(title: str, depth: int = 0) -> dict[str, str]:
    return {
        "label": quoted(title),
        "style": "rounded,filled",
        "fillcolor": ("#f1f4f7", "#e4e9ee")[depth % 2],
        "color": "#55616d",
        "labeljust": "l",
        "fontsize": "12",
        "margin": "10",
        "tooltip": quoted(title),
    }


def _box(graph: Any, box: Box) -> None:
    tip = {"tooltip": quoted(box.tip)} if box.tip else {}
    graph.node(box.key, label=quoted(box.label), **_STYLES[box.kind], **tip)


def _arrow(graph: Any, arrow: Arrow, more: dict[str, str]) -> None:
    label = {"label": quoted(f" {arrow.label}")} if arrow.label else {}
    ends = arrow.source, arrow.target
    if arrow.kind == "update":  # told to Graphviz the other way round, as it runs upwards
        ends = arrow.target, arrow.source
    graph.edge(*ends, **_ARROWS[arrow.kind], **label, **more)


def quoted(text: str) -> str:
    """Return text as DOT shows it letter for letter: no escapes, no entities, no markup."""
    import graphviz

    plain = text.replace("\\", "\\\\").replace("&", "&amp;").replace("\n", "\\n")
    return str(plain) if plain[:1] != "<" else graphviz.nohtml(plain)
