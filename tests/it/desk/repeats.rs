//! Duplicates change nothing: a write that is sent again, at once or after a restart, comes to the same and leaves the views as they are.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;
use proptest::prelude::*;

/// What every sale comes to, so that any of them can be brought back or exchanged whole.
const TOTAL: i64 = 600;

/// What one step does: which request, of which of the things that there are, and how much.
type Step = (u8, usize, usize, i64);

/// What the requests so far have made.
#[derive(Default)]
struct Made {
    customers: Vec<Value>,
    sales: Vec<Value>,
    holds: Vec<Value>,
    issues: Vec<Value>,
    merges: Vec<Value>,
    receipts: usize,
}

/// One of them; a number that nothing has where there is none.
fn one(of: &[Value], at: usize) -> Value {
    of.get(at % of.len().max(1)).cloned().unwrap_or_else(|| json!(Uuid::nil()))
}

fn cash(amount: i64) -> Value {
    json!([{ "kind": "CASH", "amount": amount }])
}

impl Made {
    fn receipt(&mut self, tenders: &Value) -> Value {
        self.receipts = self.receipts.saturating_add(1);
        let (total, line) =
            (TOTAL, json!({ "sku": "TIN", "quantity": 1000, "unit_price": TOTAL, "amount": TOTAL }));
        json!({ "number": self.receipts.to_string(), "day": "2027-01-15", "currency": "EUR", "lines": [line],
            "tenders": tenders, "total": total })
    }

    /// The request of a step.
    fn request(&mut self, (kind, at, other, much): Step) -> (&'static str, Value) {
        let (customer, sale) = (one(&self.customers, at), one(&self.sales, at));
        let (hold, issue) = (one(&self.holds, at), one(&self.issues, at));
        let states = ["TRIAGED", "IN_PROGRESS", "WAIT_CUSTOMER", "RESOLVED", "REOPENED", "CANCELLED"];
        match kind {
            0 | 1 => ("points.earn", json!({ "customer": customer, "points": much })),
            2 => ("points.hold", json!({ "customer": customer, "points": much / 2 })),
            3 => ("points.capture", json!({ "hold": hold, "points": much / 3 })),
            4 => ("points.release", json!({ "hold": hold })),
            5 => ("points.give_back", json!({ "hold": hold, "points": much / 4 })),
            6 => ("points.take_back", json!({ "sale": sale, "points": 1 })),
            7 | 8 => {
                let with_points = json!([{ "kind": "POINTS", "amount": TOTAL, "points": much / 3 }]);
                let tenders = if other % 2 == 0 { cash(TOTAL) } else { with_points };
                ("sale.record", json!({ "customer": customer, "receipt": self.receipt(&tenders) }))
            }
            9 => {
                let kind = if other % 2 == 0 { "CASH" } else { "POINTS" };
                let number = self.receipt(&cash(TOTAL))["number"].clone();
                let tenders = json!([{ "kind": kind, "amount": TOTAL }]);
                let back = json!({ "number": number, "day": "2027-01-15", "tenders": tenders });
                ("sale.return", json!({ "sale": sale, "receipt": back }))
            }
            10 => ("sale.void", json!({ "sale": sale })),
            11 => ("sale.attach", json!({ "sale": sale, "customer": one(&self.customers, other) })),
            12 => {
                let receipt = self.receipt(&cash(0));
                ("sale.exchange", json!({ "sale": sale, "receipt": receipt, "refund": [] }))
            }
            13 => ("issue.open", json!({ "customer": customer, "kind": "COMPLAINT", "hint": "a word" })),
            14 | 15 => ("issue.update", json!({ "issue": issue, "state": states[other % states.len()] })),
            16 => ("issue.answer", json!({ "issue": issue, "score": 1 + other % 5 })),
            17 => ("issue.close", json!({ "issue": issue })),
            18 => {
                let into = one(&self.customers, other);
                ("customer.merge", json!({ "from": customer, "into": into, "sure": true }))
            }
            _ => ("customer.unmerge", json!({ "merge": one(&self.merges, at) })),
        }
    }

    fn learn(&mut self, answer: &Value) {
        for (field, list) in [
            ("sale", &mut self.sales),
            ("hold", &mut self.holds),
            ("issue", &mut self.issues),
            ("merge", &mut self.merges),
        ] {
            if let Some(id) = answer.get(field).filter(|id| !list.contains(*id)) {
                list.push(id.clone());
            }
        }
    }
}

/// What names the outcome of a request. What else an answer has is how things stand when it is given.
fn named(answer: &Value) -> Value {
    let names = ["sale", "return", "of", "hold", "issue", "merge", "from", "into", "visit"];
    names.iter().map(|name| answer.get(name).cloned().unwrap_or_default()).collect()
}

/// Sends everything again; gives the answers.
fn again(shop: &Shop, done: &[(&'static str, Value, Value)]) -> Vec<Value> {
    let before = shop.digests();
    let mut answers = Vec::new();
    for (method, params, first) in done {
        let repeated = shop.call(method, params).unwrap_or_else(|refusal| panic!("{method}: {refusal}"));
        assert_eq!((named(&repeated), &repeated["repeated"]), (named(first), &json!(true)), "{method}");
        answers.push(repeated);
    }
    assert_eq!(shop.digests(), before, "what was done before changes nothing");
    answers
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0_u8..20, 0_usize..8, 0_usize..8, 3_i64..900), 24..36)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_write_that_is_sent_again_comes_to_the_same_and_changes_nothing(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let (mut made, mut done) = (Made::default(), Vec::new());
        let shop = shop_in(dir.path(), false);
        made.customers = ["Ana", "Eva", "Luz"].map(|given| shop.enrol(given, "Prueba", "600 555 001")).to_vec();
        for step in steps {
            let before = shop.digests();
            let (method, params) = made.request(step);
            let params = with_key(params);
            let Ok(mut answer) = shop.call(method, &params) else {
                prop_assert_eq!(shop.digests(), before, "{} was refused, and something is written", method);
                continue;
            };
            let after = shop.digests();
            let repeated = shop.call(method, &params).unwrap();
            prop_assert_eq!(shop.digests(), after, "{} sent twice", method);
            prop_assert_eq!(&answer["repeated"], &json!(false));
            answer["repeated"] = json!(true);
            prop_assert_eq!(&answer, &repeated, "{} sent twice", method);
            made.learn(&answer);
            done.push((method, params, answer));
        }
        let before = (again(&shop, &done), shop.digests());
        drop(shop);
        let shop = shop_in(dir.path(), false);
        prop_assert_eq!((again(&shop, &done), shop.digests()), before, "and so after a restart");
    }
}

/// Where an issue may go from each state, as the customer-file's rules have it; CLOSED passes RESOLVED by itself.
const MOVES: [(&str, &[&str]); 11] = [
    ("NEW", &["TRIAGED", "IN_PROGRESS", "RESOLVED", "CLOSED", "DUPLICATE", "CANCELLED"]),
    ("TRIAGED", &["IN_PROGRESS", "RESOLVED", "CLOSED", "DUPLICATE", "CANCELLED"]),
    ("IN_PROGRESS", &["WAIT_CUSTOMER", "WAIT_SUPPLIER", "RESOLVED", "CLOSED", "DUPLICATE", "CANCELLED"]),
    ("WAIT_CUSTOMER", &["IN_PROGRESS", "RESOLVED", "CLOSED", "CANCELLED"]),
    ("WAIT_SUPPLIER", &["IN_PROGRESS", "RESOLVED", "CLOSED", "CANCELLED"]),
    ("RESOLVED", &["FOLLOW_UP", "CLOSED", "REOPENED"]),
    ("FOLLOW_UP", &["CLOSED", "REOPENED"]),
    ("CLOSED", &["REOPENED"]),
    (
        "REOPENED",
        &["IN_PROGRESS", "WAIT_CUSTOMER", "WAIT_SUPPLIER", "RESOLVED", "CLOSED", "DUPLICATE", "CANCELLED"],
    ),
    ("DUPLICATE", &[]),
    ("CANCELLED", &[]),
];

/// The moves that bring a new issue to a state.
fn way_to(state: &str) -> &'static [&'static str] {
    match state {
        "TRIAGED" => &["TRIAGED"],
        "IN_PROGRESS" => &["IN_PROGRESS"],
        "WAIT_CUSTOMER" => &["IN_PROGRESS", "WAIT_CUSTOMER"],
        "WAIT_SUPPLIER" => &["IN_PROGRESS", "WAIT_SUPPLIER"],
        "RESOLVED" => &["RESOLVED"],
        "FOLLOW_UP" => &["RESOLVED", "FOLLOW_UP"],
        "CLOSED" => &["RESOLVED", "CLOSED"],
        "REOPENED" => &["RESOLVED", "CLOSED", "REOPENED"],
        "DUPLICATE" => &["DUPLICATE"],
        "CANCELLED" => &["CANCELLED"],
        _ => &[],
    }
}

#[test]
fn every_move_of_an_issue_is_allowed_or_refused_as_its_table_says() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let go = |issue: &Value, state: &str| {
        shop.call("issue.update", &with_key(json!({ "issue": issue, "state": state })))
    };
    let open = json!({ "customer": customer, "kind": "REPAIR" });
    for (from, allowed) in MOVES {
        let mut issue = None;
        for (to, _) in MOVES {
            let at = issue.take().unwrap_or_else(|| {
                let new = shop.call("issue.open", &with_key(open.clone())).unwrap()["issue"].clone();
                way_to(from).iter().for_each(|state| drop(go(&new, state).unwrap()));
                new
            });
            if allowed.contains(&to) {
                assert_eq!(go(&at, to).unwrap()["state"], to, "{from} to {to}");
                // So many stand open at once.
                drop(go(&at, "CLOSED").or_else(|_| go(&at, "CANCELLED")));
                continue;
            }
            let before = shop.digests();
            let refused = go(&at, to).unwrap_err();
            assert_eq!(
                (refused.code, refused.field.as_deref()),
                (RefusalCode::Conflict, Some("state")),
                "{from} to {to}"
            );
            assert_eq!(shop.digests(), before, "{from} to {to} writes nothing");
            issue = Some(at);
        }
        if let Some(left) = issue {
            drop(go(&left, "CLOSED").or_else(|_| go(&left, "CANCELLED")));
        }
    }
}
