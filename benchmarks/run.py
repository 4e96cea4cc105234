"""Time graphc beside hand-written NumPy and its peers; print and write the tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # `python benchmarks/run.py`
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.harness import ROOT, find_cases, measure
from benchmarks.table import page, section


def parse(arguments: Sequence[str], cases: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a name stands for all cases that begin with it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(cases)}")
    parser.add_argument("--peers", help="comma separated, for example numpy,jax; default: all")
    parser.add_argument("--limit", type=float, default=120, help="seconds for one compilation")
    parser.add_argument("--quick", action="store_true", help="three samples of each")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every sample")
    parser.add_argument(
        "--markdown", type=Path, metavar="PATH", help="default: docs/benchmarks.md if all are run"
    )
    options = parser.parse_args(arguments)
    options.cases = [c for c in cases if c.startswith(tuple(options.names or [""]))]
    if unknown := [n for n in options.names if not any(c.startswith(n) for c in cases)]:
        parser.error(f"no case named {', '.join(unknown)}; there are {', '.join(cases)}")
    if not options.names and not options.quick and not options.peers:
        options.markdown = options.markdown or ROOT / "docs" / "benchmarks.md"
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; return 1 if graphc failed one."""
    arguments = sys.argv[1:] if arguments is None else arguments
    cases = find_cases()
    options = parse(arguments, list(cases))
    peers = {"graphc", *options.peers.split(",")} if options.peers else None
    results = []
    for case in (cases[name] for name in options.cases):
        names = [n for n in case.contestants if not peers or n.split(",")[0] in peers]
        found = measure(case, names, options.limit, options.quick)
        print("\n\n".join(map(section, found)), end="\n\n", flush=True)
        results += found
    if options.markdown:
        command = " ".join(["python -m benchmarks", *arguments])
        options.markdown.write_text(page(results, command), encoding="utf-8")
    if options.json:
        rows = [[r.case.name, r.series, r.samples, r.missing] for r in results]
        options.json.write_text(json.dumps(rows, indent=1))
    return int(any("graphc" in result.missing for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
