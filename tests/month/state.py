"""Tables that a month is reckoned in, and how an answer can be wrong."""

GONE = object()


class Wrong(Exception):
    """An answer that is not right in this order."""


class Refused(Exception):
    """What the books would refuse, and by which field."""

    def __init__(self, reason, field=None):
        super().__init__(reason, field)
        self.said = (reason, field)


class State:
    """Tables whose changes can be taken back. What stands in them is never changed in place."""

    def __init__(self):
        self.tables = {}
        self.undo = []

    def get(self, table, key, default=None):
        return self.tables.setdefault(table, {}).get(key, default)

    def put(self, table, key, value):
        rows = self.tables.setdefault(table, {})
        self.undo.append((rows, key, rows.get(key, GONE)))
        rows[key] = value

    def back_to(self, mark):
        while len(self.undo) > mark:
            rows, key, value = self.undo.pop()
            if value is GONE:
                del rows[key]
            else:
                rows[key] = value


def compare(method, wanted, result):
    wrong = {field: (value, result.get(field)) for field, value in wanted.items() if result.get(field) != value}
    if wrong:
        raise Wrong(f"{method}: " + ", ".join(f"{field} should be {one} and is {two}" for field, (one, two) in wrong.items()))
