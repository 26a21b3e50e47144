"""Sales by their rules: whose they are, what comes back of them, what they earn."""

from state import Refused, Wrong


class Sales:
    """The part of `Books` with the requests `sale.…`; a function has the name of its request."""

    def settle(self, p):
        if p.get("visit") is not None:
            return self.root(self.state.get("visit", p["visit"]))
        return None if p.get("customer") is None else self.standing(p["customer"])

    def sound(self, receipt, exchanged=None):
        """Refuses a receipt that does not hold together; `exchanged` has its tenders judged elsewhere."""
        for at, tender in enumerate(receipt["tenders"]):
            if tender.get("currency", receipt["currency"]) != receipt["currency"]:
                raise Refused("invalid_params", f"receipt.tenders[{at}].currency")
        for at, line in enumerate(receipt["lines"]):
            if line["quantity"] < 1:
                raise Refused("invalid_params", f"receipt.lines[{at}].quantity")
        if sum(line["amount"] for line in receipt["lines"]) != receipt["total"]:
            raise Refused("invalid_params", "receipt.total")
        for at, tender in enumerate(receipt["tenders"]):
            if tender["kind"] == "POINTS" and (tender["amount"] < 1 or tender.get("points", 0) < 1):
                raise Refused("invalid_params", f"receipt.tenders[{at}].{'points' if tender['amount'] else 'amount'}")
        if exchanged is None and sum(tender["amount"] for tender in receipt["tenders"]) != receipt["total"]:
            raise Refused("invalid_params", "receipt.tenders")
        if receipt["day"] > self.rules["last_day"]:
            raise Refused("invalid_params", "receipt.day")

    def place(self, p, receipt):
        return (p["register"], receipt["day"], receipt["number"])

    def earns(self, receipt):
        """Each line by the first rule that is for it; what is paid with points earns none, in proportion; whole points of each rule."""
        total = receipt["total"]
        money = total - sum(tender["amount"] for tender in receipt["tenders"] if tender["kind"] == "POINTS")
        points = 0
        for at, rule in enumerate(self.rules["earn"]):
            def is_for(rule, line):
                return rule["currency"] == receipt["currency"] and rule.get("category") in (None, line.get("category"))
            spent = sum(
                line["amount"]
                for line in receipt["lines"]
                if is_for(rule, line) and not any(is_for(earlier, line) for earlier in self.rules["earn"][:at])
            )
            paid = spent * money // total if total else 0
            points += paid // rule["per"] * rule["points"]
        return points

    def keep_sale(self, sale, p, receipt, customer, exchange=False):
        if self.state.get("sale", sale) is not None:
            raise Wrong(f"the sale {sale} was given twice")
        self.spend(sale, receipt, customer)
        self.state.put("receipt", self.place(p, receipt), sale)
        lines = tuple((line["quantity"], line["amount"]) for line in receipt["lines"])
        self.state.put("sale", sale, {
            "customer": customer, "receipt": receipt, "left": lines, "back": 0, "voided": False, "exchange": exchange,
        })
        if customer is not None:
            self.buys(customer, receipt["currency"], receipt["total"], 1)
            self.earn(sale, customer, self.earns(receipt))

    # --- points as a tender: spent with the sale, given back with what of it is given back as points

    def spend(self, sale, receipt, customer):
        for at, tender in enumerate(receipt["tenders"]):
            if tender["kind"] != "POINTS":
                continue
            field = f"receipt.tenders[{at}]."
            points, hold = tender["points"], tender.get("hold")
            if customer is None:
                raise Refused("invalid_params", field + "points")
            if hold is None:
                if len(self.holds_of(customer)) >= self.rules["holds_max"] or points > max(self.free(customer), 0):
                    raise Refused("conflict", field + "points")
                self.move(customer, -points)
                self.state.put("paid", sale, (customer, points, tender["amount"], 0, 0))
                continue
            kept = self.state.get("hold", hold)
            if kept is None:
                raise Refused("not_found", field + "hold")
            number, held, _ = kept
            if self.root(number) != customer or held == 0:
                raise Refused("conflict", field + "hold")
            if points > held:
                raise Refused("conflict", field + "points")
            self.end_hold(hold, points)
            self.move(number, -points)
            self.state.put("paid_of", hold, sale)
            self.state.put("paid", sale, (number, points, tender["amount"], 0, 0))

    def can_go_back(self, kept, sale, tenders, field):
        """Points come back as points, money as money."""
        _, _, paid, gone, _ = self.state.get("paid", sale, (None, 0, 0, 0, 0))
        as_points = sum(tender["amount"] for tender in tenders if tender["kind"] == "POINTS")
        otherwise = sum(tender["amount"] for tender in tenders) - as_points
        if as_points > paid - gone or otherwise > kept["receipt"]["total"] - paid - (kept["back"] - gone):
            raise Refused("invalid_params", field)

    def points_back(self, sale, tenders):
        """What is kept as spent is never more than the part of the amount that stays paid with points."""
        as_points = sum(tender["amount"] for tender in tenders if tender["kind"] == "POINTS")
        if not as_points:
            return
        number, points, paid, gone, given = self.state.get("paid", sale)
        gone += as_points
        due = points - points * (paid - gone) // paid
        self.move(number, due - given)
        self.state.put("paid", sale, (number, points, paid, gone, due))

    def earn(self, sale, customer, points):
        if points > 0:
            self.move(customer, points)
            self.state.put("earned", sale, (*self.state.get("earned", sale, ()), (customer, points, 0)))

    def buys(self, number, currency, amount, sales):
        self.state.put("turnover", (number, currency), self.state.get("turnover", (number, currency), 0) + amount)
        self.state.put("sales", number, self.state.get("sales", number, 0) + sales)

    def earned_by(self, sale):
        return sum(points - taken for _, points, taken in self.state.get("earned", sale, ()))

    def shrink(self, sale):
        """What is kept is never more than what the rest is worth."""
        kept = self.state.get("sale", sale)
        total, back = kept["receipt"]["total"], kept["back"]
        for number, earned, taken in self.state.get("earned", sale, ()):
            if earned == taken:
                continue
            due = earned - (earned * (total - back) // total if total else 0)
            if due > taken:
                self.take_back(sale, due - taken)

    def whose(self, kept):
        """The customer that a sale is told as: who goes on for the number it lies under."""
        return None if kept["customer"] is None else self.root(kept["customer"])

    def change_sale(self, sale, **fields):
        self.state.put("sale", sale, {**self.state.get("sale", sale), **fields})

    def still_good(self, sale):
        kept = self.state.get("sale", sale)
        if kept is None:
            raise Refused("not_found")
        if kept["voided"]:
            raise Refused("conflict", "sale")
        return kept

    def sale_record(self, p, result):
        receipt = p["receipt"]
        self.sound(receipt)
        customer = self.settle(p)
        if self.state.get("receipt", self.place(p, receipt)) is not None:
            raise Refused("conflict", "receipt.number")
        self.keep_sale(result["sale"], p, receipt, customer)
        return {"customer": customer}

    def sale_attach(self, p, result):
        kept = self.still_good(p["sale"])
        customer = p["customer"]
        if self.whose(kept) == customer or self.state.get("paid", p["sale"]) is not None:
            raise Refused("conflict", "customer")
        self.standing(customer)
        left = kept["receipt"]["total"] - kept["back"]
        currency = kept["receipt"]["currency"]
        if kept["customer"] is not None:
            self.buys(kept["customer"], currency, -left, -1)
        self.buys(customer, currency, left, 1)
        self.change_sale(p["sale"], customer=customer)
        if kept["customer"] is None:
            self.earn(p["sale"], customer, self.earns(kept["receipt"]))
            self.shrink(p["sale"])
        else:
            for number, earned, taken in self.state.get("earned", p["sale"], ()):
                if earned > taken:
                    self.take_back(p["sale"], earned - taken)
                    self.earn(p["sale"], customer, earned)
                    if taken:
                        self.take_back(p["sale"], taken)
        return {"customer": customer}

    def came_back(self, kept, wanted):
        """What comes back of each line, and what is left then."""
        left = list(kept["left"])
        if wanted is None:
            back = sum(amount for _, amount in left)
            if not any(quantity for quantity, _ in left):
                raise Refused("conflict", "sale")
            return back, tuple((0, 0) for _ in left)
        back = 0
        for at, line in enumerate(wanted):
            if not 1 <= line["line"] <= len(left):
                raise Refused("invalid_params", f"lines[{at}].line")
            quantity, amount = left[line["line"] - 1]
            if not 1 <= line["quantity"] <= quantity:
                raise Refused("invalid_params", f"lines[{at}].quantity")
            share = amount * line["quantity"] // quantity
            left[line["line"] - 1] = (quantity - line["quantity"], amount - share)
            back += share
        return back, tuple(left)

    def bring_back(self, sale, back, left, day):
        kept = self.state.get("sale", sale)
        if day < kept["receipt"]["day"]:
            raise Refused("invalid_params", "receipt.day")
        self.change_sale(sale, back=kept["back"] + back, left=left)
        if kept["customer"] is not None:
            self.buys(kept["customer"], kept["receipt"]["currency"], -back, 0)
        self.shrink(sale)

    def sale_return(self, p, result):
        kept = self.still_good(p["sale"])
        back, left = self.came_back(kept, p.get("lines"))
        if sum(tender["amount"] for tender in p["receipt"]["tenders"]) != back:
            raise Refused("invalid_params", "receipt.tenders")
        self.can_go_back(kept, p["sale"], p["receipt"]["tenders"], "receipt.tenders")
        if self.state.get("receipt", self.place(p, p["receipt"])) is not None:
            raise Refused("conflict", "receipt.number")
        self.bring_back(p["sale"], back, left, p["receipt"]["day"])
        self.points_back(p["sale"], p["receipt"]["tenders"])
        self.state.put("receipt", self.place(p, p["receipt"]), result["return"])
        return {"customer": self.whose(kept)}

    def sale_void(self, p, result):
        kept = self.state.get("sale", p["sale"])
        if kept is None:
            raise Refused("not_found")
        untouched = sum(amount for _, amount in kept["left"]) == kept["receipt"]["total"]
        if kept["exchange"] or kept["voided"] or not untouched:
            raise Refused("conflict", "sale")
        self.change_sale(p["sale"], voided=True)
        if kept["customer"] is not None:
            self.buys(kept["customer"], kept["receipt"]["currency"], -kept["receipt"]["total"], -1)
        self.take_back(p["sale"], self.earned_by(p["sale"]))
        if (paid := self.state.get("paid", p["sale"])) is not None:
            self.points_back(p["sale"], [{"kind": "POINTS", "amount": paid[2]}])
        return {"customer": self.whose(kept)}

    def sale_exchange(self, p, result):
        receipt = p["receipt"]
        self.sound(receipt, exchanged=True)
        kept = self.still_good(p["sale"])
        if receipt["currency"] != kept["receipt"]["currency"]:
            raise Refused("invalid_params", "receipt.currency")
        back, left = self.came_back(kept, p.get("lines"))
        refund = p.get("refund", [])
        as_points = sum(tender["amount"] for tender in refund if tender["kind"] == "POINTS")
        covered = min(max(back - as_points, 0), receipt["total"])
        for field, tenders, due in (
            ("receipt.tenders", receipt["tenders"], receipt["total"] - covered),
            ("refund", refund, back - covered),
        ):
            if sum(tender["amount"] for tender in tenders) != due:
                raise Refused("invalid_params", field)
        if self.state.get("receipt", self.place(p, receipt)) is not None:
            raise Refused("conflict", "receipt.number")
        by_goods = [{"kind": "EXCHANGE", "amount": covered}] if covered else []
        self.can_go_back(kept, p["sale"], refund + by_goods, "refund")
        self.bring_back(p["sale"], back, left, receipt["day"])
        self.points_back(p["sale"], refund)
        customer = self.whose(kept)
        whole = {**receipt, "tenders": receipt["tenders"] + by_goods}
        self.keep_sale(result["sale"], p, whole, customer, exchange=True)
        covered = {"minor": covered, "currency": receipt["currency"], "exponent": self.rules["exponents"][receipt["currency"]]}
        return {"customer": customer, "of": p["sale"], "covered": covered}

    def sale_show(self, p, result):
        if self.state.get("sale", p["sale"]) is None:
            raise Refused("not_found")
        return {}

    def sale_list(self, p, result):
        self.standing(p["customer"])
        return {}
