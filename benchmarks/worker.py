"""Run one contestant of one case twice in this process and print the two times as JSON."""

import json
import sys

from benchmarks.harness import check, describe, find_cases, time_calls

if __name__ == "__main__":
    case = find_cases()[sys.argv[1]]
    try:
        call = case.contestants[sys.argv[2]]()
        seconds = [time_calls(call, 1), time_calls(call, 1)]
        check(case, call)
    except Exception as error:
        raise SystemExit(describe(error)) from None
    print(json.dumps(seconds))
