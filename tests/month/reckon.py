#!/usr/bin/env python3
"""Keeps a shop's books from what was said at the daemon's socket, and says where the daemon's answers are not theirs.

    reckon.py TRAFFIC

TRAFFIC has a line of JSON for each request: who asked, two numbers that say when it was sent and when its answer was there (they
count up over everybody), the request and the answer. Nothing else is read, and the rules are written anew here from PROTOCOL.md:
a point or a cent that the daemon and this file reckon differently is a failure.

Requests of two clerks overlap. A request holds at one moment between its sending and its answer, and a balance in the answer is read
at another after that; which moments they were is not told. So an order is looked for in which every answer is right.
"""

import json
import sys
from collections import Counter, deque

from books import Books
from state import Wrong

# Steps that may be tried in vain at one place.
TRIED_MAX = 2_000
# How many steps back an order is still looked for: two clerks overlap for a request or two.
REACH = 64


def steps_of(entries):
    """A clerk's requests as steps: it holds, then its answer is read."""
    return [(entry, part) for entry in entries for part in ("effect", "reading")]


def balance(books, clerks):
    """Looks for an order in which every answer is right. Raises `Wrong` with the answer at which the longest try ended."""
    steps = [steps_of(entries) for entries in clerks]
    at = [0] * len(steps)
    open_choices = []
    furthest, why, tried, since = -1, None, 0, 0
    while any(place < len(own) for place, own in zip(at, steps)):
        ready = [clerk for clerk, own in enumerate(steps) if at[clerk] < len(own)]
        # Whoever was sent when another's answer was there already comes after it.
        ready = [clerk for clerk in ready
                 if all(steps[clerk][at[clerk]][0]["sent"] < steps[other][at[other]][0]["got"] for other in ready)]
        choices = deque(sorted(ready, key=lambda clerk: steps[clerk][at[clerk]][0]["got"]))
        mark = len(books.state.undo)
        while True:
            if not choices:
                if not open_choices or sum(open_choices[-1][2]) + REACH < furthest:
                    raise Wrong(why)
                choices, mark, at = open_choices.pop()
                at = list(at)
                books.state.back_to(mark)
                continue
            clerk = choices.popleft()
            entry, part = steps[clerk][at[clerk]]
            try:
                getattr(books, part)(entry)
            except Wrong as wrong:
                books.state.back_to(mark)
                tried += 1
                if sum(at) > furthest:
                    # As many tries again at each place that is further than all before.
                    furthest, since, why = sum(at), tried, f"request {entry['request']['id']} of {entry['clerk']}: {wrong}"
                if tried > since + TRIED_MAX:
                    raise Wrong(why) from None
                continue
            break
        if choices:
            open_choices.append((choices, mark, tuple(at)))
        at[clerk] += 1
    return sum(len(own) for own in steps) // 2, tried


def main():
    with open(sys.argv[1], encoding="utf-8") as traffic:
        rules = json.loads(next(traffic))
        entries = [json.loads(line) for line in traffic]
    clerks = sorted({entry["clerk"] for entry in entries})
    own = [[entry for entry in entries if entry["clerk"] == clerk] for clerk in clerks]
    for requests in own:
        requests.sort(key=lambda entry: entry["sent"])
    books = Books(rules)
    counts = Counter(entry["request"]["method"] for entry in entries if "result" in entry["answer"])
    refused = Counter(entry["answer"]["error"]["data"]["reason"] for entry in entries if "error" in entry["answer"])
    try:
        right, tried = balance(books, own)
    except Wrong as wrong:
        print(f"FAILED: {wrong}")
        print("books: 0 passed, 1 failed")
        return 1
    for method, count in sorted(counts.items()):
        print(f"books: {method}: {count}")
    print(f"books: orders of overlapping requests taken back: {tried}")
    print(f"books: refused, and rightly: {dict(refused)}")
    for currency, exponent in rules["exponents"].items():
        rows = books.state.tables["turnover"].items()
        minor = sum(amount for (_, one), amount in rows if one == currency)
        print(f"books: turnover in {currency}: {minor / 10**exponent:.{exponent}f}")
    print(f"books: points that the customers have: {sum(books.state.tables['points'].values())}")
    print(f"books: {right} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
