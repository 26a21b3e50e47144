"""What an answer tells of the state, at the moment it was read."""

from collections import Counter

from state import Wrong


class Told:
    """The part of `Books` that knows what answers must have."""

    def money(self, currency, minor):
        return {"minor": minor, "currency": currency, "exponent": self.rules["exponents"][currency]}

    def told(self, method, p, result):
        """The fields that this answer must have now."""
        if method in ("points.show", "points.earn", "points.hold", "points.capture", "points.release", "points.give_back",
                      "points.take_back", "points.decide", "customer.merge"):
            number = self.root(result["customer"])
            return {"customer": number, **self.balance(number)}
        if method == "customer.unmerge":
            points = {f"{side}_points": self.has(result[side]) for side in ("from", "into")}
            # A number that was merged on meanwhile shows nothing of its own.
            return {field: had for (field, had), side in zip(points.items(), ("from", "into"))
                    if self.root(result[side]) == result[side]}
        if method in ("sale.record", "sale.attach", "sale.exchange"):
            return {"points": self.earned_by(result["sale"])}
        if method in ("sale.return", "sale.show"):
            kept = self.state.get("sale", result["sale"])
            told = {"returned": self.money(kept["receipt"]["currency"], kept["back"])}
            if method == "sale.show":
                receipt = kept["receipt"]
                told |= {"total": self.money(receipt["currency"], receipt["total"]), "customer": self.whose(kept),
                         "voided": kept["voided"], "number": receipt["number"], "day": receipt["day"]}
                told["tenders"] = [self.tender_told(*both) for both in zip(receipt["tenders"], result["tenders"], strict=True)]
            return told
        if method == "sale.list":
            return self.list_told(p["customer"], result)
        if method == "points.list":
            return self.ledger_told(p["customer"], result)
        return {}

    def tender_told(self, tender, told):
        """As it was given; what was spent in one step names the hold that was made for it."""
        if tender["kind"] == "POINTS":
            return {**tender, "hold": tender.get("hold", told.get("hold", "one of its own"))}
        return {"kind": tender["kind"], "amount": tender["amount"]}

    def list_told(self, number, result):
        sums = Counter()
        for one in self.group(number):
            for currency in self.rules["exponents"]:
                sums[currency] += self.state.get("turnover", (one, currency), 0)
        told = {turnover["currency"]: turnover["minor"] for turnover in result["bought"]["turnover"]}
        if any(sums[currency] != told.get(currency, 0) for currency in self.rules["exponents"]):
            raise Wrong(f"turnover of {number} is {dict(sums)}, and told as {told}")
        sales = sum(self.state.get("sales", one, 0) for one in self.group(number))
        if sales != result["bought"]["sales"]:
            raise Wrong(f"{number} has {sales} sales, and {result['bought']['sales']} are told")
        if len(result["sales"]) != min(sales, self.rules["list_max"]):
            raise Wrong(f"{number} has {sales} sales, and {len(result['sales'])} are listed")
        for row in result["sales"]:
            if self.root(self.state.get("sale", row["sale"])["customer"]) != number:
                raise Wrong(f"the sale {row['sale']} is not {number}'s")
        return {}

    def ledger_told(self, number, result):
        """Balances are sums: a ledger that is told whole, of every number, comes to what the customer has."""
        entries = result["entries"]
        for entry in entries:
            if self.root(entry["customer"]) != number:
                raise Wrong(f"a line of {entry['customer']} is told as {number}'s")
        if len(entries) < self.rules["lines_max"]:
            # What is set aside or let go is told of them, and changes nothing.
            total = sum(entry["points"] for entry in entries if entry["kind"] not in ("HOLD", "RELEASE"))
            if total != self.has(number):
                raise Wrong(f"the ledger of {number} comes to {total}, and {self.has(number)} are there")
        return {}
