//! Points through the desk: two tills at once, time, returns, corrections by two people.

use super::*;
use std::task::Poll;

fn customer(shop: &Shop) -> Value {
    shop.enrol("Ana", "Sanz", "+34911111111")
}

fn points(shop: &Shop, method: &str, params: Value) -> Result<Value, Refusal> {
    shop.call(&format!("points.{method}"), &with_key(params))
}

/// What is available, held and owed.
fn balance(shop: &Shop, customer: &Value) -> (i64, i64, i64) {
    let shown = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    let [available, held, debt] = ["available", "held", "debt"].map(|name| shown[name].as_i64().unwrap());
    (available, held, debt)
}

fn kinds(shop: &Shop, customer: &Value) -> Vec<(String, i64)> {
    let listed = shop.call("points.list", &json!({ "customer": customer })).unwrap();
    let line = |line: &Value| (line["kind"].as_str().unwrap().to_owned(), line["points"].as_i64().unwrap());
    listed["entries"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn of_64_tills_that_hold_the_same_points_one_gets_them() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    points(&shop, "earn", json!({ "customer": customer, "points": 100 })).unwrap();
    let who = Principal { uid: 1000, pid: None, roles: BTreeSet::from([Role::Register]) };
    let register = RegisterName::new("till-1").unwrap();
    let asked: Vec<_> = (0..64)
        .map(|_| to_raw_value(&with_key(json!({ "customer": customer, "points": 100 }))).unwrap())
        .collect();
    let nobody = SignOn::default();
    let ask = |params| Box::pin(shop.desk.call(&who, Some(&register), &nobody, "points.hold", Some(params)));
    let mut asked: Vec<_> = asked.iter().map(|params| ask(&**params)).collect();
    // All of them are on their way before the second is waited for.
    let mut context = Context::from_waker(Waker::noop());
    let at_once: Vec<_> = asked.iter_mut().map(|one| one.as_mut().poll(&mut context)).collect();
    let wait = |(at_once, one)| match at_once {
        Poll::Ready(answer) => answer,
        Poll::Pending => shop.runtime.block_on(one),
    };
    let answers: Vec<_> = at_once.into_iter().zip(asked).map(wait).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.into_iter().filter_map(Result::err) {
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("points")));
    }
    assert_eq!(balance(&shop, &customer), (0, 100, 0));
}

#[test]
fn a_sale_paid_with_points_and_its_return_leave_the_books_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    let sale = Uuid::new_v4();
    points(&shop, "earn", json!({ "customer": customer, "points": 500, "sale": sale })).unwrap();
    let held = points(&shop, "hold", json!({ "customer": customer, "points": 300 })).unwrap();
    let hold = held["hold"].clone();
    points(&shop, "capture", json!({ "hold": hold, "points": 200 })).unwrap();
    assert_eq!(balance(&shop, &customer), (300, 0, 0), "what was not spent is free again");
    let refused = points(&shop, "capture", json!({ "hold": hold, "points": 1 })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
    points(&shop, "release", json!({ "hold": hold })).unwrap();

    points(&shop, "take_back", json!({ "sale": sale, "points": 500 })).unwrap();
    assert_eq!(balance(&shop, &customer), (0, 0, 200), "spent and taken back is owed");
    let refused = points(&shop, "take_back", json!({ "sale": sale, "points": 1 })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::NotFound, "a sale gives back what it earned, once");
    points(&shop, "give_back", json!({ "hold": hold, "points": 200 })).unwrap();
    assert_eq!(balance(&shop, &customer), (0, 0, 0));
    let refused = points(&shop, "give_back", json!({ "hold": hold, "points": 1 })).unwrap_err();
    let said = (refused.code, &*refused.message);
    assert_eq!(said, (RefusalCode::Conflict, "only 0 points were spent of this hold and not given back yet"));
    let kinds: Vec<String> = kinds(&shop, &customer).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["REVERSE_REDEEM", "REVERSE_EARN", "RELEASE", "CAPTURE", "HOLD", "EARN"]);
}

#[test]
fn time_ends_holds_and_points_and_the_file_says_so_before() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    points(&shop, "earn", json!({ "customer": customer, "points": 70 })).unwrap();
    points(&shop, "hold", json!({ "customer": customer, "points": 30 })).unwrap();
    let file = shop.call("customer.show", &json!({ "customer": customer })).unwrap()["file"].clone();
    assert_eq!((&file["points"], &file["points_held"]), (&json!(40), &json!(30)));
    // The test's clock stands at 2027-01-15; what is earned then is good until the end of February.
    assert_eq!(file["points_expiring"], json!({ "points": 40, "at": "2027-03-01T00:00:00.000000Z" }));
    assert!(shop.runtime.block_on(shop.desk.settle_points()).unwrap());
    assert_eq!(balance(&shop, &customer), (40, 30, 0), "nothing was due");

    *shop.clock.0.lock().unwrap() += Duration::from_mins(15);
    assert_eq!(balance(&shop, &customer), (70, 0, 0));
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 50);
    assert_eq!(balance(&shop, &customer), (0, 0, 0));
    assert_eq!(kinds(&shop, &customer).len(), 2, "not written down yet");
    assert!(shop.runtime.block_on(shop.desk.settle_points()).unwrap());
    let line = |kind: &str, points| (kind.to_owned(), points);
    let wanted = [line("EXPIRE", -70), line("RELEASE", 30), line("HOLD", 30), line("EARN", 70)];
    assert_eq!(kinds(&shop, &customer), wanted);
}

#[test]
fn a_hold_that_cannot_be_is_a_conflict_that_names_what_is_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    points(&shop, "earn", json!({ "customer": customer, "points": 70 })).unwrap();
    let hold = |shop: &Shop| points(shop, "hold", json!({ "customer": customer, "points": 1 }));
    let first = hold(&shop).unwrap()["hold"].clone();
    for _ in 1..8 {
        hold(&shop).unwrap();
    }
    let many = hold(&shop).unwrap_err();
    assert_eq!((many.code, many.field.as_deref()), (RefusalCode::Conflict, Some("points")));
    points(&shop, "release", json!({ "hold": first })).unwrap();
    let ended = points(&shop, "capture", json!({ "hold": first, "points": 1 })).unwrap_err();
    assert_eq!((ended.code, ended.field.as_deref()), (RefusalCode::Conflict, Some("hold")));
}

#[test]
fn nobody_corrects_points_alone() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    let propose = |points: i64| {
        let params = json!({ "customer": customer, "points": points, "reason": "GOODWILL" });
        self::points(&shop, "adjust", params).map(|made| made["adjustment"].clone())
    };
    let decide = |uid: u32, adjustment: &Value, approve: bool| {
        let who = Principal { uid, pid: None, roles: BTreeSet::from([Role::Manager]) };
        let params =
            to_raw_value(&with_key(json!({ "adjustment": adjustment, "approve": approve }))).unwrap();
        let nobody = SignOn::default();
        shop.runtime.block_on(shop.desk.call(&who, None, &nobody, "points.decide", Some(&params)))
    };
    let more = propose(50).unwrap();
    assert_eq!(balance(&shop, &customer), (0, 0, 0));
    assert_eq!(decide(1000, &more, true).unwrap_err().code, RefusalCode::Forbidden);
    decide(1001, &more, true).unwrap();
    assert_eq!(balance(&shop, &customer), (50, 0, 0));
    assert_eq!(decide(1001, &more, true).unwrap_err().code, RefusalCode::Conflict);

    let fewer = propose(-60).unwrap();
    decide(1001, &fewer, true).unwrap();
    assert_eq!(balance(&shop, &customer), (0, 0, 10));
    let withdrawn = propose(1).unwrap();
    decide(1000, &withdrawn, false).unwrap();
    assert_eq!(decide(1001, &withdrawn, true).unwrap_err().code, RefusalCode::Conflict);
    assert_eq!(propose(0).unwrap_err().field.as_deref(), Some("points"));
    assert_eq!(propose(i64::MIN).unwrap_err().field.as_deref(), Some("points"));
}

#[test]
fn whoever_decides_sees_what_was_proposed_by_whom_and_nothing_that_is_decided() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (customer(&shop), shop.enrol("Eva", "Sanz", "+34922222222"));
    let propose = |customer: &Value, points: i64| {
        let params = json!({ "customer": customer, "points": points, "reason": "GOODWILL" });
        self::points(&shop, "adjust", params).unwrap()["adjustment"].clone()
    };
    let open = |shop: &Shop, uid: u32, params: Value| {
        let who = Principal { uid, pid: None, roles: BTreeSet::from([Role::Manager]) };
        let params = to_raw_value(&params).unwrap();
        let nobody = SignOn::default();
        let call = shop.desk.call(&who, None, &nobody, "points.adjustments", Some(&params));
        let answer = shop.runtime.block_on(call).unwrap();
        assert_eq!(answer["more"], false);
        answer["adjustments"].as_array().unwrap().clone()
    };
    assert_eq!(open(&shop, 1001, json!({})), Vec::<Value>::new());
    let (first, first_at) = (propose(&ana, 50), shop.clock.utc().rfc3339());
    *shop.clock.0.lock().unwrap() += Duration::from_mins(1);
    let second = propose(&eva, -7);
    let row = |adjustment: &Value, customer: &Value, points: i64, own: bool, at: &Value| {
        json!({ "adjustment": adjustment, "customer": customer, "points": points, "reason": "GOODWILL",
            "by": 1000, "operator": null, "own": own, "at": at })
    };
    let rows = open(&shop, 1001, json!({}));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0], row(&first, &ana, 50, false, &rows[0]["at"]), "the oldest first");
    assert_eq!(rows[0]["at"], json!(first_at));
    let own = open(&shop, 1000, json!({ "customer": eva }));
    assert_eq!(own, [row(&second, &eva, -7, true, &rows[1]["at"])], "one's own are said to be that");
    let refused = shop.call_as(&[Role::Register], "points.adjustments", &json!({})).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);

    for (adjustment, approve) in [(&first, true), (&second, false)] {
        let decide = with_key(json!({ "adjustment": adjustment, "approve": approve }));
        let who = Principal { uid: 1001, pid: None, roles: BTreeSet::from([Role::Manager]) };
        let (decide, nobody) = (to_raw_value(&decide).unwrap(), SignOn::default());
        shop.runtime.block_on(shop.desk.call(&who, None, &nobody, "points.decide", Some(&decide))).unwrap();
    }
    assert_eq!(open(&shop, 1001, json!({})), Vec::<Value>::new(), "approved or refused, it waits no more");
    let third = propose(&ana, 3);
    drop(shop);
    let shop = shop_in(dir.path(), false);
    let rows = open(&shop, 1001, json!({}));
    assert_eq!((rows.len(), &rows[0]["adjustment"]), (1, &third), "also after a restart");
}

#[test]
fn wrong_amounts_and_unknown_things_name_what_is_wrong_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = customer(&shop);
    for points in [0, -5, 10_001, i64::MAX] {
        let refused =
            self::points(&shop, "earn", json!({ "customer": customer, "points": points })).unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidParams, Some("points")));
    }
    let refused =
        self::points(&shop, "earn", json!({ "customer": Uuid::new_v4(), "points": 1 })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::NotFound);
    for (method, params) in [
        ("capture", json!({ "hold": Uuid::new_v4(), "points": 1 })),
        ("release", json!({ "hold": Uuid::new_v4() })),
        ("give_back", json!({ "hold": Uuid::new_v4(), "points": 1 })),
        ("take_back", json!({ "sale": Uuid::new_v4(), "points": 1 })),
    ] {
        assert_eq!(self::points(&shop, method, params).unwrap_err().code, RefusalCode::NotFound, "{method}");
    }
    assert_eq!((balance(&shop, &customer), kinds(&shop, &customer).len()), ((0, 0, 0), 0));
}
