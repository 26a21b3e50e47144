#!/usr/bin/env python3
"""Makes one answer of a month wrong by one, for reckon.py to find.

    spoil.py TRAFFIC SPOILED FIELD SEED

FIELD is `available` (a point), `minor` (a cent) or `sales` (a sale of a customer).
"""

import json
import random
import sys


def places(value, field):
    """Objects in a result that have the field as a number."""
    if isinstance(value, dict):
        if isinstance(value.get(field), int):
            yield value
        for part in value.values():
            yield from places(part, field)
    elif isinstance(value, list):
        for part in value:
            yield from places(part, field)


def main():
    traffic, spoiled, field, seed = sys.argv[1:]
    with open(traffic, encoding="utf-8") as file:
        lines = file.readlines()
    dice = random.Random(f"{seed} {field}")
    while True:
        at = dice.randrange(1, len(lines))
        entry = json.loads(lines[at])
        # Amounts of single sales in a customer's list are told by `sale.show`, and judged there.
        result = entry["answer"].get("result", {})
        result = result.get("bought", result)
        found = list(places(result, field))
        if found:
            dice.choice(found)[field] += 1
            lines[at] = json.dumps(entry) + "\n"
            break
    with open(spoiled, "w", encoding="utf-8") as file:
        file.writelines(lines)


if __name__ == "__main__":
    main()
