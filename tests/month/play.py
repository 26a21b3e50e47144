#!/usr/bin/env python3
"""Plays a shop's month through the socket of a running daemon, and writes down every request with its answer.

    play.py FICHAD TRAFFIC [--seed N] [--customers N] [--sales N]

Two clerks at two tills ask at the same time, each over a connection of its own: they enrol, ring up, take back, exchange, hold and
spend points, merge files and part them again, erase, and make the mistakes that people make. What they know is what they were
answered; whether it is right is not judged here but by reckon.py, which reads TRAFFIC.
"""

import argparse
import datetime
import itertools
import json
import os
import random
import sys
import tempfile
import threading
import uuid

from daemon import Daemon, Line

DAYS = 30
# Of a hundred trips: customers that everybody serves at once, so that clerks are in each other's way.
CROWD, CROWD_PERCENT = 6, 15
NOBODY = 65534

RULES = {
    "earn": [
        {"currency": "EUR", "points": 0, "per": 100, "category": "tobacco"},
        {"currency": "EUR", "points": 3, "per": 250, "category": "wine"},
        {"currency": "EUR", "points": 1, "per": 100},
    ],
    "exponents": {"EUR": 2, "JPY": 0},
    "earn_max": 5000,
    "holds_max": 8,
    "members_max": 8,
    "list_max": 50,
    "lines_max": 200,
}


class Shop:
    """What the clerks know between them. Either may be behind the other's last answer."""

    def __init__(self):
        self.lock = threading.Lock()
        self.customers, self.sales, self.merges, self.spent, self.proposed = [], [], [], [], []
        self.sold = 0

    def pick(self, dice, table, take=False):
        with self.lock:
            rows = getattr(self, table)
            if not rows:
                return None
            place = dice.randrange(len(rows))
            return rows.pop(place) if take else rows[place]

    def add(self, table, row):
        with self.lock:
            getattr(self, table).append(row)

    def drop(self, customer):
        with self.lock:
            if customer in self.customers:
                self.customers.remove(customer)


class Clerk(threading.Thread):
    def __init__(self, name, till, line, shop, seed, plan):
        super().__init__(name=name)
        self.till, self.line, self.shop, self.plan = till, line, shop, plan
        self.dice = random.Random(f"{seed} {name}")
        self.numbers = itertools.count(1)
        self.failed = None
        self.last_write = None

    def run(self):
        try:
            for day, customers, sales in self.plan:
                self.day = day
                for _ in range(customers):
                    self.enrol()
                for _ in range(sales):
                    self.trip()
                    self.aside()
                self.look_through(10)
        except Exception as failed:  # a thread's own end is told by whoever joins it
            self.failed = failed

    # --- one request

    def ask(self, method, **params):
        return self.line.ask(method, params)

    def write(self, method, **params):
        params["key"] = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        self.last_write = (method, params)
        return self.line.ask(method, params)

    def chance(self, percent):
        return self.dice.random() * 100 < percent

    def customer(self):
        with self.shop.lock:
            rows = self.shop.customers
            if not rows:
                return None
            if self.chance(CROWD_PERCENT):
                return self.dice.choice(rows[:CROWD])
            return self.dice.choice(rows)

    def receipt(self, hold=None):
        currency = "JPY" if self.chance(4) and hold is None else "EUR"
        lines = []
        for _ in range(self.dice.choice([1, 1, 2, 3, 5, 9])):
            pieces, price = self.dice.choice([1, 1, 1, 2, 3, 12]), self.dice.randrange(1, 6000)
            whole = pieces * price
            discount = self.dice.randrange(whole) if self.chance(20) else 0
            line = {"sku": f"A{self.dice.randrange(500)}", "quantity": pieces * 1000, "unit_price": price,
                    "amount": whole - discount}
            if discount:
                line["discount"] = discount
            if category := self.dice.choice([None, None, "bread", "wine", "tobacco"]):
                line["category"] = category
            lines.append(line)
        total = sum(line["amount"] for line in lines)
        tenders = [{"kind": "CASH", "amount": total}]
        # One in five pays with points afterwards, or not at all.
        if hold is not None and self.chance(80):
            tenders = self.with_points(hold, total)
        return {"number": self.number(), "day": self.day, "currency": currency, "lines": lines, "tenders": tenders,
                "total": total}

    def with_points(self, hold, total):
        """A part is paid with points of a hold, of all of it or not; now and then in one step, beside it."""
        spends = hold[1] if self.chance(80) else self.dice.randrange(1, hold[1] + 1)
        worth = min(total, max(1, spends * self.dice.choice([1, 2, 3]) // 2))
        tender = {"kind": "POINTS", "amount": worth, "points": spends}
        if self.chance(85):
            tender["hold"] = hold[0]
        return [tender, {"kind": "CARD", "amount": total - worth}]

    def given_back(self, receipt, back):
        """Tenders of a return: what was paid with points as points, as far as it goes; now and then all as money."""
        paid = sum(tender["amount"] for tender in receipt["tenders"] if tender["kind"] == "POINTS")
        as_points = min(back, paid) if self.chance(85) else 0
        tenders = [{"kind": "POINTS", "amount": as_points}] if as_points else []
        return [*tenders, {"kind": "CASH", "amount": back - as_points}], as_points

    def number(self):
        return f"{next(self.numbers):06}"

    # --- what a clerk does

    def enrol(self):
        person = {"givenName": self.dice.choice(["Ana", "Luis", "Mei", "Søren", "Zoë", "João", "Priya"]),
                  "familyName": f"Ejemplo{self.dice.randrange(10**6)}",
                  "telephone": [{"e164": f"+346{self.dice.randrange(10**8):08}"}]}
        made = self.write("customer.enrol", person=person)
        if made:
            self.shop.add("customers", made["customer"])

    def trip(self):
        """A customer at the till, or nobody known."""
        whose, customer = {}, None if self.chance(12) else self.customer()
        hold = None
        if customer:
            whose = {"customer": customer}
            if self.chance(30) and (visit := self.ask_visit(customer)):
                whose = {"visit": visit}
            if self.chance(25):
                hold = self.hold(customer)
        if hold and self.chance(15):
            self.write("points.release", hold=hold[0])
            return
        receipt = self.receipt(hold)
        made = self.write("sale.record", receipt=receipt, register=self.till, **whose)
        if hold and (not made or all(tender.get("hold") is None for tender in receipt["tenders"])):
            # What is set aside still is spent on something else, in five cases of six all of it.
            spends = hold[1] if self.chance(80) else self.dice.randrange(1, hold[1] + 1)
            if self.write("points.capture", hold=hold[0], points=spends):
                self.shop.add("spent", (hold[0], spends))
        if made:
            self.shop.add("sales", (made["sale"], receipt))

    def ask_visit(self, customer):
        opened = self.write("file.open", customer=customer, register=self.till)
        return opened and opened["visit"]

    def hold(self, customer):
        shown = self.ask("points.show", customer=customer)
        if not shown or shown["available"] == 0:
            return None
        points = self.dice.randrange(1, shown["available"] + 1)
        held = self.write("points.hold", customer=customer, points=points)
        return held and (held["hold"], points)

    def aside(self):
        """What comes between, now and then."""
        for percent, act in ((8, self.take_back), (2, self.void), (2, self.exchange), (5, self.attach), (3, self.spent_back),
                             (2, self.earn), (1, self.adjust), (1, self.decide), (1.5, self.merge), (0.8, self.unmerge),
                             (0.3, self.erase), (3, self.again), (3, self.mistake)):
            if self.chance(percent):
                act()

    def take_back(self):
        sale = self.shop.pick(self.dice, "sales")
        if not sale:
            return
        sale, receipt = sale
        params = {}
        back = receipt["total"]
        if self.chance(60):
            place = self.dice.randrange(len(receipt["lines"]))
            line = receipt["lines"][place]
            quantity = 1000 * self.dice.randrange(1, line["quantity"] // 1000 + 1)
            params = {"lines": [{"line": place + 1, "quantity": quantity}]}
            back = line["amount"] * quantity // line["quantity"]
        self.write("sale.return", sale=sale, register=self.till, **params,
                   receipt={"number": self.number(), "day": self.day, "tenders": self.given_back(receipt, back)[0]})

    def void(self):
        if sale := self.shop.pick(self.dice, "sales"):
            self.write("sale.void", sale=sale[0])

    def exchange(self):
        if not (sale := self.shop.pick(self.dice, "sales")):
            return
        sale, receipt = sale
        line, new = receipt["lines"][0], self.receipt()
        _, as_points = self.given_back(receipt, line["amount"])
        covered = min(line["amount"] - as_points, new["total"])
        pays = new["total"] - covered
        new["tenders"] = [{"kind": "CASH", "amount": pays}]
        refund = [{"kind": "CASH", "amount": line["amount"] - as_points - covered}]
        if as_points:
            refund.append({"kind": "POINTS", "amount": as_points})
            if pays and self.chance(50):
                # The points that come back pay for what goes out, all of it or not quite.
                new["tenders"] = [{"kind": "POINTS", "amount": pays, "points": self.dice.choice([1, 20, 300])}]
        made = self.write("sale.exchange", sale=sale, lines=[{"line": 1, "quantity": line["quantity"]}], receipt=new,
                          refund=refund, register=self.till)
        if made:
            self.shop.add("sales", (made["sale"], new))

    def attach(self):
        sale, customer = self.shop.pick(self.dice, "sales"), self.customer()
        if sale and customer:
            self.write("sale.attach", sale=sale[0], customer=customer)

    def spent_back(self):
        if spent := self.shop.pick(self.dice, "spent"):
            hold, points = spent
            self.write("points.give_back", hold=hold, points=self.dice.randrange(1, points + 1))

    def earn(self):
        if customer := self.customer():
            sale = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
            points = self.dice.choice([1, 40, 500, RULES["earn_max"]])
            if self.write("points.earn", customer=customer, points=points, sale=sale) and self.chance(50):
                self.write("points.take_back", sale=sale, points=self.dice.randrange(1, points + 1))

    def adjust(self):
        if customer := self.customer():
            made = self.write("points.adjust", customer=customer, points=self.dice.choice([-300, -20, 15, 250]),
                              reason=self.dice.choice(["CORRECTION", "GOODWILL", "FRAUD"]))
            if made:
                self.shop.add("proposed", made["adjustment"])

    def decide(self):
        if adjustment := self.shop.pick(self.dice, "proposed"):
            self.write("points.decide", adjustment=adjustment, approve=self.chance(75))

    def merge(self):
        leaving, staying = self.customer(), self.customer()
        if leaving and staying:
            made = self.write("customer.merge", **{"from": leaving, "into": staying, "sure": True})
            if made:
                self.shop.drop(leaving)
                self.shop.add("merges", (made["merge"], leaving))

    def unmerge(self):
        if merge := self.shop.pick(self.dice, "merges"):
            if self.write("customer.unmerge", merge=merge[0]):
                self.shop.add("customers", merge[1])

    def erase(self):
        if customer := self.customer():
            self.shop.drop(customer)
            self.write("customer.erase", customer=customer, purpose="REQUEST")
            self.ask("customer.show", customer=customer)

    def again(self):
        """The answer was lost on the way: the same request once more."""
        if self.last_write:
            self.line.ask(*self.last_write)

    def mistake(self):
        customer = self.customer()
        wrong = self.receipt()
        line = wrong["lines"][0]
        kind = self.dice.randrange(9)
        if kind == 0:
            line["quantity"] = -line["quantity"]
        elif kind == 1:
            wrong["tenders"][0]["currency"] = "USD"
        elif kind == 2:
            wrong["day"] = str(datetime.date.fromisoformat(RULES["last_day"]) + datetime.timedelta(days=3))
        elif kind == 3:
            wrong["total"] += 1
        elif kind == 4:
            # A receipt of this number was recorded already.
            wrong["number"] = "000001"
            wrong["day"] = self.plan[0][0]
        elif kind == 5:
            wrong["tenders"] = [{"kind": "POINTS", "amount": wrong["total"], "points": 10}]
        elif kind == 6 and customer:
            hold = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
            wrong["tenders"] = [{"kind": "POINTS", "amount": wrong["total"], "points": 1, "hold": hold}]
            self.write("sale.record", receipt=wrong, register=self.till, customer=customer)
            return
        elif kind == 7 and customer:
            self.write("points.hold", customer=customer, points=10**9)
            return
        elif customer:
            self.write("points.earn", customer=customer, points=RULES["earn_max"] + 1, sale=str(uuid.uuid4()))
            return
        self.write("sale.record", receipt=wrong, register=self.till)

    def look_through(self, customers):
        for _ in range(customers):
            if customer := self.customer():
                self.ask("points.show", customer=customer)
                self.ask("sale.list", customer=customer)

    def close_books(self):
        """Everything, when nobody else asks any more."""
        with self.shop.lock:
            customers, sales = list(self.shop.customers), list(self.shop.sales)
        for customer in customers:
            self.ask("points.show", customer=customer)
            self.ask("points.list", customer=customer)
            self.ask("sale.list", customer=customer)
        for sale, _ in sales:
            self.ask("sale.show", sale=sale)


def plan(days, customers, sales):
    """Two clerks' share of each day."""
    plans = [[], []]
    for at, day in enumerate(days):
        for clerk in range(2):
            def share(whole):
                parts = len(days) * 2
                return whole * (at * 2 + clerk + 1) // parts - whole * (at * 2 + clerk) // parts
            plans[clerk].append((day, share(customers), share(sales)))
    return plans


def play(args, folder):
    uid = NOBODY if os.geteuid() == 0 else None
    if uid is not None:
        os.chown(folder, uid, uid)
    daemon = Daemon(os.path.abspath(args.fichad), folder, uid, RULES)
    today = datetime.date.today()
    days = [str(today - datetime.timedelta(days=back)) for back in range(DAYS, 0, -1)]
    RULES["last_day"] = str(today)
    traffic, moments, shop = [], itertools.count(1), Shop()
    try:
        half = DAYS // 2
        plans = plan(days, args.customers, args.sales)
        clerks = None
        # The daemon is started again in the middle of the month, and the books go on.
        for part in (slice(0, half), slice(half, DAYS)):
            lines = [Line(name, daemon.path, who, traffic, moments) for name, who in (("anna", None), ("ben", uid))]
            before = clerks
            clerks = [Clerk(line.clerk, f"till-{at + 1}", line, shop, f"{args.seed} {part.start}", own[part])
                      for at, (line, own) in enumerate(zip(lines, plans))]
            if before:
                for clerk, earlier in zip(clerks, before):
                    clerk.numbers = earlier.numbers
            for clerk in clerks:
                clerk.start()
            for clerk in clerks:
                clerk.join()
                if clerk.failed:
                    raise clerk.failed
            if part.start == 0:
                daemon.stop()
                daemon.start()
        clerks[0].close_books()
        daemon.stop()
    except BaseException:
        daemon.child.kill()
        with open(f"{folder}/log", encoding="utf-8") as log:
            sys.stderr.write("".join(log.readlines()[-20:]))
        raise
    with open(args.traffic, "w", encoding="utf-8") as file:
        file.write(json.dumps(RULES) + "\n")
        file.writelines(json.dumps(entry) + "\n" for entry in traffic)
    print(f"month: --seed {args.seed}: {len(traffic)} requests, {len(shop.sales)} sales")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fichad")
    parser.add_argument("traffic")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--sales", type=int, default=10000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ficha-month-") as folder:
        os.chmod(folder, 0o755)
        play(args, folder)


if __name__ == "__main__":
    main()
