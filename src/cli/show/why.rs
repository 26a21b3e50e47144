//! `ficha show --why`: what each part of a customer's file was computed from, out of the answer of `file.explain`.

use super::page::Page;
use super::parts::{Writer, counted, lower};
use crate::cli::customer::plain;
use crate::cli::say::{NOTHING, at, get, rows};
use crate::cli::{level, plan, sale};
use jiff::tz::TimeZone;
use serde_json::Value;

/// The page, at most so many columns wide, with the days of a time zone.
pub(super) fn page(answer: &Value, width: usize, zone: &TimeZone) -> Page {
    let mut page = Page::new(width);
    let write = &mut Writer { page: &mut page, zone };
    let file = get(answer, "file");
    let name = at(file, "/name");
    write.page.heading(if name == NOTHING { "A customer" } else { &name });
    let numbers: Vec<String> = rows(answer, "/numbers").iter().map(plain).collect();
    write.page.say(0, &format!("reckoned {} of {}", write.minute(answer, "/at"), numbers.join(" and ")));
    write.why_name(answer);
    write.why_points(get(answer, "points"));
    write.why_level(file, get(answer, "level"));
    write.why_class(file, get(answer, "class"));
    write.why_issues(rows(answer, "/issues"));
    let stated = |row: &Value| {
        format!("{}: stated under {}{}", at(row, "/preference"), at(row, "/stated_under"), write.stated(row))
    };
    let stated: Vec<String> = rows(answer, "/preferences").iter().map(stated).collect();
    write.section("Preferences", &stated);
    let planned = |row: &Value| {
        format!(
            "{} until {}: told on {}, {}",
            plan::wanted(row),
            at(row, "/to"),
            write.day(row, "/told_at"),
            lower(row, "/source")
        )
    };
    let planned: Vec<String> = rows(answer, "/plans").iter().map(planned).collect();
    write.section("Plans to buy", &planned);
    write.why_due(rows(answer, "/consents_due"));
    page
}

impl Writer<'_> {
    fn why_name(&mut self, answer: &Value) {
        let name = get(answer, "name");
        let mut said = Vec::new();
        if !name.is_null() {
            let under = at(name, "/kept_under");
            let fields = get(name, "fields");
            said.push(if fields.is_null() {
                format!("as it was put together when {under} was last written")
            } else {
                format!("{} of {under}", plain(fields))
            });
        }
        let holder = |row: &Value| format!("{} for card {}", at(row, "/holder"), at(row, "/card"));
        said.extend(rows(answer, "/holders").iter().map(holder));
        self.section("Greeted by", &said);
    }

    fn why_points(&mut self, points: &Value) {
        let lines = get(points, "ledger_lines").as_u64().unwrap_or(0);
        let lot = |lot: &Value| match self.day(lot, "/expires_at") {
            day if day == NOTHING => format!("{}, never expiring", at(lot, "/points")),
            day => format!("{}, expiring on {day}", at(lot, "/points")),
        };
        let mut said = vec![format!(
            "{} available, {} held, {} owed, after {} of the ledger",
            at(points, "/available"),
            at(points, "/held"),
            at(points, "/owed"),
            counted(lines, "line")
        )];
        said.extend(rows(points, "/lots").iter().map(lot));
        self.section("Points", &said);
    }

    fn why_level(&mut self, file: &Value, why: &Value) {
        if why.is_null() {
            return;
        }
        self.page.heading(&format!("Level: {}", or_none(at(file, "/level"))));
        let counted = level::amount(get(why, "counted"));
        self.page.say(2, &format!("counted {counted} since {}", at(why, "/since")));
        if !get(why, "grace_until").is_null() {
            self.page.say(2, &format!("kept until {} by grace", at(why, "/grace_until")));
        }
        let month = |row: &Value| (at(row, "/month"), level::amount(get(row, "counted")));
        let months: Vec<(String, String)> = rows(why, "/months").iter().map(month).collect();
        self.page.rows(4, &months);
        let threshold =
            |row: &Value| (format!("{} from", at(row, "/level")), level::amount(get(row, "from")));
        let thresholds: Vec<(String, String)> = rows(why, "/thresholds").iter().map(threshold).collect();
        self.page.rows(2, &thresholds);
    }

    fn why_class(&mut self, file: &Value, why: &Value) {
        if why.is_null() {
            return;
        }
        self.page.heading(&format!("Class: {}", or_none(at(file, "/class"))));
        self.page.say(2, &format!("worth {} since {}", sale::sum(get(why, "value")), at(why, "/since")));
        let reason = |row: &Value| {
            (format!("{} ({})", lower(row, "/reason"), at(row, "/count")), sale::sum(get(row, "amount")))
        };
        let reasons: Vec<(String, String)> = rows(why, "/reasons").iter().map(reason).collect();
        self.page.rows(4, &reasons);
        let threshold = |row: &Value| (format!("{} from", at(row, "/class")), sale::sum(get(row, "from")));
        let thresholds: Vec<(String, String)> = rows(why, "/thresholds").iter().map(threshold).collect();
        self.page.rows(2, &thresholds);
    }

    fn why_issues(&mut self, issues: &[Value]) {
        let line = |issue: &Value| {
            let issue_id = at(issue, "/issue");
            if get(issue, "deadline").is_null() {
                return format!("{issue_id}: has no deadline");
            }
            let paused = match self.minute(issue, "/paused_at") {
                since if since == NOTHING => String::new(),
                since => format!(", waiting since {since}"),
            };
            let before = match rows(issue, "/pauses").len() {
                0 => String::new(),
                pauses => format!(", {pauses} times paused before"),
            };
            format!(
                "{issue_id}: {}, {}, counted from {} over the opening hours of {}{paused}{before}",
                lower(issue, "/deadline"),
                at(issue, "/severity"),
                self.minute(issue, "/counted_from"),
                at(issue, "/calendar")
            )
        };
        let lines: Vec<String> = issues.iter().map(line).collect();
        self.section("Deadlines of issues", &lines);
    }

    fn why_due(&mut self, due: &[Value]) {
        let line = |row: &Value| {
            let channel = match lower(row, "/channel") {
                channel if channel == NOTHING => String::new(),
                channel => format!(" by {channel}"),
            };
            let why = match self.day(row, "/since") {
                day if day == NOTHING => "never answered".to_owned(),
                day => format!("the answer was good until {day}"),
            };
            format!("{}{channel}: {why}", lower(row, "/purpose"))
        };
        let lines: Vec<String> = due.iter().map(line).collect();
        self.section("To ask", &lines);
    }
}

fn or_none(name: String) -> String {
    if name == NOTHING { "none".to_owned() } else { name }
}
