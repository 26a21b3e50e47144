"""The shop's books: customers, their points, and what each request does to them.

The rules are written anew here from PROTOCOL.md. A function has the name of its request: `points.hold` is `points_hold`. It gives
the fields that the answer must have, or raises `Refused`.
"""

from collections import deque

from sales import Sales
from state import Refused, State, Wrong, compare
from told import Told


class Books(Sales, Told):
    """`effect` carries a request out, `reading` compares what its answer tells of the state."""

    def __init__(self, rules):
        self.rules = rules
        self.state = State()

    # --- customers: a number leads to itself, or to the one that it was merged into

    def root(self, number):
        while (into := self.state.get("merged", number)) is not None:
            number = into
        return number

    def standing(self, number, field="customer"):
        if self.state.get("customer", number) is None:
            raise Refused("not_found", field if field != "customer" else None)
        if self.state.get("merged", number) is not None:
            raise Refused("conflict", field)
        return number

    def group(self, number):
        """A number and all that were merged into it."""
        found, todo = [], deque([number])
        while todo:
            found.append(todo.popleft())
            todo.extend(self.state.get("members", found[-1], ()))
        return found

    def customer_enrol(self, p, result):
        number = result["customer"]
        if self.state.get("customer", number) is not None:
            raise Wrong(f"the number {number} was given twice")
        self.state.put("customer", number, "living")
        return {"customer": number}

    def customer_merge(self, p, result):
        leaving, staying = p["from"], p["into"]
        if leaving == staying:
            raise Refused("invalid_params", "into")
        self.standing(leaving, "from")
        self.standing(staying, "into")
        for number in (leaving, staying):
            if self.state.get("customer", number) == "erased":
                raise Refused("not_found")
        if len(self.group(leaving)) - 1 + len(self.group(staying)) - 1 >= self.rules["members_max"]:
            raise Refused("conflict")
        if self.holds_of(leaving):
            raise Refused("conflict", "from")
        self.state.put("merged", leaving, staying)
        self.state.put("members", staying, (*self.state.get("members", staying, ()), leaving))
        self.state.put("merge", result["merge"], (leaving, staying, False))
        return {"customer": staying, "from": leaving}

    def customer_unmerge(self, p, result):
        kept = self.state.get("merge", p["merge"])
        if kept is None:
            raise Refused("not_found")
        leaving, staying, undone = kept
        if undone or self.root(staying) != staying:
            raise Refused("conflict")
        if "erased" in (self.state.get("customer", number) for number in (leaving, staying)):
            raise Refused("not_found")
        self.state.put("merge", p["merge"], (leaving, staying, True))
        self.state.put("merged", leaving, None)
        left = tuple(member for member in self.state.get("members", staying) if member != leaving)
        self.state.put("members", staying, left)
        return {"from": leaving, "into": staying}

    def customer_erase(self, p, result):
        for number in self.group(self.standing(p["customer"])):
            self.state.put("customer", number, "erased")
        return {"customer": p["customer"]}

    def customer_show(self, p, result):
        number = self.standing(p["customer"])
        if self.state.get("customer", number) == "erased":
            raise Refused("not_found")
        return {}

    def file_open(self, p, result):
        number = self.standing(p["customer"])
        self.state.put("visit", result["visit"], number)
        return {}

    # --- points: what each number has of its own; who was merged adds theirs, and takes it along again

    def has(self, number):
        return sum(self.state.get("points", one, 0) for one in self.group(number))

    def move(self, number, points):
        self.state.put("points", number, self.state.get("points", number, 0) + points)

    def holds_of(self, number):
        """Holds that stand, of a number and all that were merged into it."""
        return [hold for one in self.group(number) for hold in self.state.get("holds", one, ())]

    def held(self, number):
        return sum(self.state.get("hold", hold)[1] for hold in self.holds_of(number))

    def free(self, number):
        return self.has(number) - self.held(number)

    def balance(self, number):
        free = self.free(number)
        return {"available": max(free, 0), "held": self.held(number), "debt": max(-free, 0)}

    def points_earn(self, p, result):
        if not 1 <= p["points"] <= self.rules["earn_max"]:
            raise Refused("invalid_params", "points")
        number = self.standing(p["customer"])
        self.move(number, p["points"])
        lines = self.state.get("earned", p["sale"], ())
        self.state.put("earned", p["sale"], (*lines, (number, p["points"], 0)))
        return {"customer": number}

    def points_hold(self, p, result):
        number = self.standing(p["customer"])
        if p["points"] < 1:
            raise Refused("invalid_params", "points")
        if len(self.holds_of(number)) >= self.rules["holds_max"]:
            raise Refused("conflict", "points")
        if p["points"] > max(self.free(number), 0):
            raise Refused("conflict", "points")
        self.state.put("hold", result["hold"], (number, p["points"], 0))
        self.state.put("holds", number, (*self.state.get("holds", number, ()), result["hold"]))
        return {"customer": number}

    def end_hold(self, hold, spent):
        number, _, before = self.state.get("hold", hold)
        left = tuple(one for one in self.state.get("holds", number) if one != hold)
        self.state.put("holds", number, left)
        self.state.put("hold", hold, (number, 0, before + spent))

    def points_capture(self, p, result):
        kept = self.state.get("hold", p["hold"])
        if kept is None:
            raise Refused("not_found")
        number, held, _ = kept
        if held == 0:
            raise Refused("conflict", "hold")
        if not 1 <= p["points"]:
            raise Refused("invalid_params", "points")
        if p["points"] > held:
            raise Refused("conflict", "points")
        self.end_hold(p["hold"], p["points"])
        self.move(number, -p["points"])
        return {}

    def points_release(self, p, result):
        kept = self.state.get("hold", p["hold"])
        if kept is None:
            raise Refused("not_found")
        if kept[1]:
            self.end_hold(p["hold"], 0)
        return {}

    def points_give_back(self, p, result):
        kept = self.state.get("hold", p["hold"])
        if kept is None:
            raise Refused("not_found")
        number, held, spent = kept
        if self.state.get("paid_of", p["hold"]) is not None:
            raise Refused("conflict", "hold")
        if p["points"] > spent:
            raise Refused("conflict", "points")
        self.state.put("hold", p["hold"], (number, held, spent - p["points"]))
        self.move(number, p["points"])
        return {}

    def points_take_back(self, p, result):
        lines = self.state.get("earned", p["sale"], ())
        left = sum(points - taken for _, points, taken in lines)
        if left == 0:
            raise Refused("not_found")
        if not 1 <= p["points"] <= left:
            raise Refused("invalid_params", "points")
        self.take_back(p["sale"], p["points"])
        return {}

    def take_back(self, sale, points):
        """Takes points of a sale back, line by line."""
        lines = []
        for number, earned, taken in self.state.get("earned", sale, ()):
            part = min(points, earned - taken)
            points -= part
            if part:
                self.move(number, -part)
            lines.append((number, earned, taken + part))
        self.state.put("earned", sale, tuple(lines))

    def points_adjust(self, p, result):
        if p["points"] == 0:
            raise Refused("invalid_params", "points")
        number = self.standing(p["customer"])
        self.state.put("adjustment", result["adjustment"], (number, p["points"], self.clerk, None))
        return {}

    def points_decide(self, p, result):
        kept = self.state.get("adjustment", p["adjustment"])
        if kept is None:
            raise Refused("not_found")
        number, points, by, decided = kept
        if decided is not None:
            raise Refused("conflict", "adjustment")
        if p["approve"] and by == self.clerk:
            raise Refused("forbidden")
        self.state.put("adjustment", p["adjustment"], (number, points, by, p["approve"]))
        if p["approve"]:
            # What came of an agreement is the customer's who goes on.
            self.move(self.root(number), points)
        return {}

    def points_show(self, p, result):
        self.standing(p["customer"])
        return {}

    def points_list(self, p, result):
        self.standing(p["customer"])
        return {}

    # --- requests

    def effect(self, entry):
        """Carries a request out, and compares what the daemon said of it."""
        request, answer = entry["request"], entry["answer"]
        method, p = request["method"], request["params"]
        self.clerk = entry["clerk"]
        result, error = answer.get("result"), answer.get("error")
        if error is not None and error["data"]["reason"] == "busy":
            return
        mark = len(self.state.undo)
        before = self.state.get("done", p.get("key"))
        if before is not None:
            fields = ids(before) if before is not None else None
            if result is None or result["repeated"] is not True or ids(result) != fields:
                raise Wrong(f"{method} was sent again and came to {answer}")
            return
        try:
            wanted = getattr(self, method.replace(".", "_"))(p, result or Unnamed())
        except Refused as refused:
            self.state.back_to(mark)
            said = None if error is None else (error["data"]["reason"], error["data"].get("field"))
            if said != refused.said:
                raise Wrong(f"{method} should be refused as {refused.said}, and the answer is {answer}") from None
            return
        if error is not None:
            raise Wrong(f"{method} was refused: {answer}")
        compare(method, wanted, result)
        if "key" in p:
            if result["repeated"]:
                raise Wrong(f"{method} was not sent before")
            self.state.put("done", p["key"], result)

    def reading(self, entry):
        """Compares what an answer tells of the state."""
        request, result = entry["request"], entry["answer"].get("result")
        if result is not None:
            compare(request["method"], self.told(request["method"], request["params"], result), result)


class Unnamed(dict):
    """Stands for the answer of what was refused: names for what it would have made."""

    def __missing__(self, key):
        return "nothing"


def ids(result):
    """What names the outcome of a request, and stays."""
    return {field: result[field] for field in ("sale", "hold", "merge", "adjustment", "return", "visit") if field in result}
