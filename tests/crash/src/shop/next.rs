//! What can be asked for a customer next.

use super::{
    CARDS_MAX, Change, ERASED_OF_A_THOUSAND, ISSUES_MAX, KINDS, Known, NOTES_MAX, OPEN_ISSUES_MAX, Op,
    PREFERENCES, op, person,
};
use crate::dice::Dice;
use serde_json::json;

impl Known {
    /// Something that can be done with this customer now.
    pub(super) fn next(&self, place: usize, register: &str, dice: &mut Dice) -> Option<Op> {
        if !self.stands_alone() {
            return None;
        }
        let customer = &self.number;
        if dice.below(1000) < ERASED_OF_A_THOUSAND {
            let params = json!({ "customer": customer, "purpose": "REQUEST", "now": dice.percent(30) });
            return Some(op("customer.erase", place, Change::Erase, params, dice));
        }
        let text = |dice: &mut Dice| format!("n.º {}", dice.below(1_000_000));
        let open: Vec<&String> =
            self.issues.iter().filter(|(_, (_, hint))| hint.is_some()).map(|(issue, _)| issue).collect();
        let (method, change, params) = match dice.below(14) {
            0 => {
                let person = person(dice);
                let params = json!({ "customer": customer, "person": person.form() });
                ("customer.change", Change::Person(person), params)
            }
            1 if self.cards.len() < CARDS_MAX => {
                ("card.issue", Change::Issue, json!({ "customer": customer }))
            }
            2 => {
                let cards: Vec<_> = self.cards.iter().collect();
                let (card, (was_blocked, _)) = dice.pick(&cards)?;
                let change = Change::Status { card: (*card).clone(), blocked: !was_blocked };
                let params = json!({ "customer": customer, "card": card });
                if *was_blocked {
                    ("card.unblock", change, params)
                } else {
                    let params = json!({ "customer": customer, "card": card, "reason": "LOST" });
                    ("card.block", change, params)
                }
            }
            3 if open.len() < OPEN_ISSUES_MAX && self.issues.len() < ISSUES_MAX => {
                let (kind, hint) = (*dice.pick(&KINDS)?, text(dice));
                let params = json!({ "customer": customer, "kind": kind, "hint": hint });
                ("issue.open", Change::Open { kind, hint }, params)
            }
            4 => {
                let (issue, hint) = ((*dice.pick(&open)?).clone(), text(dice));
                let params = json!({ "issue": issue, "hint": hint });
                ("issue.update", Change::Hint { issue, hint }, params)
            }
            5 => {
                let issue = (*dice.pick(&open)?).clone();
                let params = json!({ "issue": issue });
                ("issue.close", Change::Close { issue }, params)
            }
            6 if self.notes.len() < NOTES_MAX => {
                let text = format!("{}, {}", text(dice), "a longer word of the desk ".repeat(dice.below(20)));
                let params = json!({ "customer": customer, "text": text });
                ("note.keep", Change::Note(text), params)
            }
            7 => {
                let name = *dice.pick(&PREFERENCES)?;
                // Only what is there can be withdrawn.
                let value = (dice.percent(80) || !self.preferences.contains_key(name)).then(|| text(dice));
                let params = match &value {
                    Some(value) => json!({ "customer": customer, "name": name, "value": value }),
                    None => json!({ "customer": customer, "name": name }),
                };
                ("preference.set", Change::Prefer { name, value }, params)
            }
            8 => ("file.open", Change::Visit, json!({ "customer": customer, "register": register })),
            9 => ("customer.dismiss", Change::Dismiss, json!({ "visit": self.at_the_till.as_ref()? })),
            10..=13 => {
                let (method, change, params) = self.purse.next(customer, register, dice)?;
                (method, Change::Purse(change), params)
            }
            _ => return None,
        };
        Some(op(method, place, change, params, dice))
    }
}
