//! Contests: entered, drawn once, and drawn again by anybody.

use super::*;
use fichad::desk::contest;
use fichad::domain::contest::ticket;

const CONTESTS: &str = "[[contest]]\nname = 'autumn'\nfrom = '2027-01-10'\nto = '2027-01-31'\nper_sale = 5000\ncurrency = 'EUR'\n\
    entries_each = 2\nwinners = 2\n[[contest]]\nname = 'raffle'\nfrom = '2027-01-10'\nto = '2027-01-31'\nwinners = 2\n";

fn shop(dir: &Path) -> Shop {
    shop_set(dir, false, |settings| settings.contests = read_text(CONTESTS, contest::read).unwrap().0)
}

fn sale(shop: &Shop, customer: &Value, (number, total): (&str, i64)) -> Value {
    let line = json!([{ "sku": "A-1", "quantity": 1000, "unit_price": total, "amount": total }]);
    let receipt = json!({ "number": number, "day": "2027-01-15", "currency": "EUR", "lines": line,
        "tenders": [{ "kind": "CASH", "amount": total }], "total": total });
    let done = shop.call("sale.record", &with_key(json!({ "customer": customer, "receipt": receipt })));
    done.unwrap()["sale"].clone()
}

fn enter(shop: &Shop, customer: &Value, contest: &str, sale: Option<&Value>) -> Result<Value, Refusal> {
    let mut params = with_key(json!({ "customer": customer, "contest": contest }));
    if let Some(sale) = sale {
        params["sale"] = sale.clone();
    }
    shop.call("contest.enter", &params)
}

fn draw(shop: &Shop, contest: &str) -> Result<Value, Refusal> {
    shop.call_as(&[Role::Manager], "contest.draw", &with_key(json!({ "contest": contest })))
}

fn end_of_january(shop: &Shop) {
    *shop.clock.0.lock().unwrap() = Duration::from_hours(24 * 20);
}

#[test]
fn an_entry_takes_a_sale_of_the_customer_that_is_large_enough() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    let (large, small) = (sale(&shop, &ana, ("1", 5000)), sale(&shop, &ana, ("2", 4999)));
    enter(&shop, &ana, "autumn", Some(&large)).unwrap();
    for (who, contest, with, field) in [
        (&ana, "autumn", Some(&large), "sale"),
        (&ana, "autumn", Some(&small), "sale"),
        (&eva, "autumn", Some(&large), "sale"),
        (&ana, "autumn", None, "sale"),
        (&ana, "raffle", Some(&large), "sale"),
        (&ana, "spring", None, "contest"),
    ] {
        let refused = enter(&shop, who, contest, with).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field), "{contest}: {refused:?}");
    }
    let second = sale(&shop, &ana, ("3", 9000));
    enter(&shop, &ana, "autumn", Some(&second)).unwrap();
    let third = sale(&shop, &ana, ("4", 9000));
    let refused = enter(&shop, &ana, "autumn", Some(&third)).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("contest")));
    let own = shop.call("contest.entries", &json!({ "contest": "autumn", "customer": ana })).unwrap();
    let sales = own["entries"].as_array().unwrap().iter().map(|entry| entry["sale"].to_string());
    assert_eq!(sales.collect::<BTreeSet<_>>(), BTreeSet::from([large.to_string(), second.to_string()]));
    assert_eq!(draw(&shop, "autumn").unwrap_err().code, RefusalCode::Conflict, "others can still enter");
    end_of_january(&shop);
    let refused = enter(&shop, &eva, "raffle", None).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("contest")));
}

#[test]
fn a_draw_is_made_once_and_anybody_can_make_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let names = ["Ana", "Eva", "Luz", "Mar", "Paz"];
    let phone = |at: usize| format!("+3460011122{at}");
    let all: Vec<Value> =
        names.iter().enumerate().map(|(at, name)| shop.enrol(name, "Ruiz", &phone(at))).collect();
    for who in &all {
        enter(&shop, who, "raffle", None).unwrap();
    }
    let erase = with_key(json!({ "customer": all[0], "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    let merge = with_key(json!({ "from": all[1], "into": all[2], "sure": true }));
    shop.call("customer.merge", &merge).unwrap();
    end_of_january(&shop);
    let params = with_key(json!({ "contest": "raffle" }));
    let first = shop.call_as(&[Role::Manager], "contest.draw", &params).unwrap();
    let drawn = first["drawn"].clone();
    assert_eq!(
        (&drawn["entries"], &drawn["not_eligible"]),
        (&json!(5), &json!(2)),
        "one was erased, and two were one"
    );
    let again = shop.call_as(&[Role::Manager], "contest.draw", &params).unwrap();
    assert_eq!((&again["drawn"], &again["repeated"]), (&drawn, &json!(true)));
    assert_eq!(
        draw(&shop, "raffle").unwrap_err().code,
        RefusalCode::Conflict,
        "not until somebody else wins"
    );
    let listed = shop.call("contest.list", &json!({})).unwrap();
    assert_eq!((&listed["contests"][0]["drawn"], &listed["contests"][1]["drawn"]), (&Value::Null, &drawn));

    // By the seed and the entries alone, as PROTOCOL.md has it.
    let seed = drawn["seed"].as_str().unwrap();
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap();
    }
    let entries = shop.call("contest.entries", &json!({ "contest": "raffle" })).unwrap();
    let mut tickets: Vec<_> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["eligible"] == true)
        .map(|entry| {
            let id = Uuid::parse_str(entry["entry"].as_str().unwrap()).unwrap();
            (ticket(&bytes, id), id, entry["customer"].clone())
        })
        .collect();
    tickets.sort_by_key(|(ticket, ..)| *ticket);
    let mut won: Vec<Value> = Vec::new();
    for (_, id, who) in tickets {
        if won.len() < 2 && won.iter().all(|winner| winner["customer"] != who) {
            won.push(json!({ "entry": id, "customer": who }));
        }
    }
    assert_eq!(drawn["winners"], json!(won));
}

#[test]
fn an_entry_that_cannot_win_takes_nobody_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let sales = ["1", "2", "3", "4"].map(|number| sale(&shop, &ana, (number, 5000)));
    let [voided, kept, anew, more] = &sales;
    enter(&shop, &ana, "autumn", Some(voided)).unwrap();
    enter(&shop, &ana, "autumn", Some(kept)).unwrap();
    enter(&shop, &ana, "autumn", Some(anew)).unwrap_err();
    shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();
    enter(&shop, &ana, "autumn", Some(anew)).unwrap();
    let refused = enter(&shop, &ana, "autumn", Some(more)).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("contest")));
    let told = shop.call("contest.entries", &json!({ "contest": "autumn", "customer": ana })).unwrap();
    let rows = told["entries"].as_array().unwrap();
    let stands = |sale: &Value| rows.iter().find(|row| row["sale"] == *sale).unwrap()["eligible"].clone();
    assert_eq!([voided, kept, anew].map(stands), [json!(false), json!(true), json!(true)]);
}

#[test]
fn a_sale_that_was_voided_wins_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let sold = sale(&shop, &ana, ("1", 5000));
    enter(&shop, &ana, "autumn", Some(&sold)).unwrap();
    shop.call("sale.void", &with_key(json!({ "sale": sold }))).unwrap();
    end_of_january(&shop);
    let drawn = draw(&shop, "autumn").unwrap()["drawn"].clone();
    assert_eq!((&drawn["not_eligible"], &drawn["winners"]), (&json!(1), &json!([])));
}

#[test]
fn an_entry_that_can_win_again_does_not_make_one_more() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    let [lent, kept, anew] = ["1", "2", "3"].map(|number| sale(&shop, &ana, (number, 5000)));
    enter(&shop, &ana, "autumn", Some(&lent)).unwrap();
    enter(&shop, &ana, "autumn", Some(&kept)).unwrap();
    let attach = |who: &Value| {
        shop.call("sale.attach", &with_key(json!({ "sale": lent, "customer": who }))).unwrap();
    };
    attach(&eva);
    enter(&shop, &ana, "autumn", Some(&anew)).unwrap();
    attach(&ana);
    let told = shop.call("contest.entries", &json!({ "contest": "autumn" })).unwrap();
    let rows = told["entries"].as_array().unwrap().iter();
    let eligible: Vec<_> = rows.filter(|row| row["eligible"] == true).map(|row| &row["sale"]).collect();
    assert_eq!(BTreeSet::from_iter(eligible.iter().map(|sale| sale.to_string())).len(), 2, "{told}");
    end_of_january(&shop);
    let drawn = draw(&shop, "autumn").unwrap()["drawn"].clone();
    assert_eq!((&drawn["entries"], &drawn["not_eligible"]), (&json!(3), &json!(1)));
    assert_eq!(drawn["winners"].as_array().unwrap().len(), 1);
}

#[test]
fn a_sale_wins_once_whoever_entered_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    let sold = sale(&shop, &ana, ("1", 5000));
    enter(&shop, &ana, "autumn", Some(&sold)).unwrap();
    shop.call("sale.attach", &with_key(json!({ "sale": sold, "customer": eva }))).unwrap();
    enter(&shop, &eva, "autumn", Some(&sold)).unwrap();
    let merge = with_key(json!({ "from": ana, "into": eva, "sure": true }));
    shop.call("customer.merge", &merge).unwrap();
    end_of_january(&shop);
    let drawn = draw(&shop, "autumn").unwrap()["drawn"].clone();
    assert_eq!((&drawn["entries"], &drawn["not_eligible"]), (&json!(2), &json!(1)));
}
