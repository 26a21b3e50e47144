//! The register's screen, drawn from the model. Holds no state; fits 80 columns and 24 lines.
//!
//! Every text is made [`safe`]: a hint or a product's code must not reach the terminal as it is.

use super::form::Form;
use super::model::{Current, Mode, Model, Wish};
use crate::cli::customer::plain;
use crate::cli::say::{at, get, rows, safe};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};
use serde_json::Value;

/// Lines for the events at the bottom, their border included.
const EVENTS_LINES: u16 = 8;

/// Lines below them: states, message, keys.
const FOOT_LINES: u16 = 3;

/// Columns of a form's labels.
const LABEL_COLUMNS: usize = 30;

const DAY_US: i64 = 86_400_000_000;

/// Draws everything; `now` in microseconds since 1970 tells how old an issue is.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, now: i64) {
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(8),
        Constraint::Length(EVENTS_LINES),
        Constraint::Length(FOOT_LINES),
    ]);
    let [head, middle, events, foot] = parts.areas(frame.area());
    frame.render_widget(Paragraph::new(title(model)), head);
    main(frame, middle, model, now);
    let lines: Vec<Line<'_>> = model.lines.iter().map(|line| Line::raw(line.as_str())).collect();
    let count = model.unacknowledged;
    let heading =
        if count == 0 { " Events ".to_owned() } else { format!(" Events: {count} to acknowledge ") };
    frame.render_widget(
        Paragraph::new(lines).block(Block::new().borders(Borders::TOP).title(heading)),
        events,
    );
    frame.render_widget(Paragraph::new(below(model)), foot);
}

fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(safe(&text.into()).into_owned(), Style::new().add_modifier(Modifier::BOLD))
}

fn raw(text: impl Into<String>) -> Line<'static> {
    Line::raw(safe(&text.into()).into_owned())
}

fn title(model: &Model) -> Line<'static> {
    let link = model.away.as_ref().map_or_else(|| "connected".to_owned(), |why| format!("AWAY: {why}"));
    Line::from(vec![bold(format!(" Ficha  {} ", model.register)), Span::raw(safe(&link).into_owned())])
}

fn main(frame: &mut Frame<'_>, area: Rect, model: &Model, now: i64) {
    let block = |heading: &'static str| Block::new().borders(Borders::TOP).title(heading);
    let (heading, lines) = match (&model.mode, &model.current) {
        (Mode::Form(wish, form), _) => (heading(*wish), form_lines(form)),
        (Mode::Rows { rows, at }, _) => (" Found ", row_lines(rows, *at)),
        (Mode::File, Some(current)) => (" Customer ", file_lines(current, now)),
        (Mode::File, None) => {
            (" Customer ", vec![raw(""), raw("  No customer. Let a card be shown, or `f` finds one.")])
        }
    };
    let paragraph = Paragraph::new(lines).block(block(heading));
    frame.render_widget(paragraph, area);
    if let Mode::Form(_, form) = &model.mode {
        place_cursor(frame, area, form);
    }
}

fn heading(wish: Wish) -> &'static str {
    match wish {
        Wish::Find => " Find ",
        Wish::Enrol => " Enrol ",
        Wish::Issue => " Open an issue ",
        Wish::Open | Wish::Issues | Wish::Print | Wish::Dismiss => " ",
    }
}

fn form_lines(form: &Form) -> Vec<Line<'static>> {
    let mut lines = vec![raw("")];
    for (number, field) in form.fields.iter().enumerate() {
        let label = format!("  {:<width$}", field.label, width = LABEL_COLUMNS);
        let shown = if field.choices.is_empty() { field.text.clone() } else { format!("< {} >", field.text) };
        let label = if number == form.at { bold(label) } else { Span::raw(label) };
        lines.push(Line::from(vec![label, Span::raw(safe(&shown).into_owned())]));
    }
    lines
}

fn place_cursor(frame: &mut Frame<'_>, area: Rect, form: &Form) {
    let Some(field) = form.fields.get(form.at).filter(|field| field.choices.is_empty()) else { return };
    let width = Line::raw(safe(&field.text)).width().saturating_add(LABEL_COLUMNS).saturating_add(2);
    let column = u16::try_from(width).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    // The border and the empty line come first.
    let line =
        u16::try_from(form.at).unwrap_or(u16::MAX).saturating_add(2).min(area.height.saturating_sub(1));
    frame.set_cursor_position((area.x.saturating_add(column), area.y.saturating_add(line)));
}

fn row_lines(found: &[Value], chosen: usize) -> Vec<Line<'static>> {
    let mut lines = vec![raw("")];
    for (number, row) in found.iter().enumerate() {
        let mark = if number == chosen { ">" } else { " " };
        let text = format!(
            " {mark} {:<30} {:<20} issues {}",
            at(row, "/name"),
            at(row, "/phone"),
            at(row, "/issues_open")
        );
        lines.push(if number == chosen { Line::from(bold(text)) } else { raw(text) });
    }
    lines
}

fn file_lines(current: &Current, now: i64) -> Vec<Line<'static>> {
    let file = &current.file;
    let locked = file.get("vault_locked").is_some();
    let name = match get(file, "name").as_str() {
        Some(name) => name.to_owned(),
        None if locked => "(the vault is locked: no names)".to_owned(),
        None => "(no name)".to_owned(),
    };
    let mut lines = vec![raw(""), Line::from(bold(format!("  {name}")))];
    if current.repaired {
        lines.push(Line::from(bold(
            "  The code was damaged and repaired: let the customer confirm the name.",
        )));
    }
    lines.push(raw(format!("  Level {}   Points {}", at(file, "/level"), at(file, "/points"))));
    let preferences: Vec<String> = rows(file, "/preferences").iter().map(plain).collect();
    if !preferences.is_empty() {
        lines.push(raw(format!("  Prefers {}", preferences.join("; "))));
    }
    lines.push(raw(""));
    let issues = rows(file, "/issues");
    lines.push(match get(file, "issues_open").as_u64() {
        None | Some(0) => raw("  No open issues"),
        Some(count) => raw(format!("  Open issues: {count}")),
    });
    lines.extend(issues.iter().map(|issue| issue_line(issue, now)));
    lines
}

fn issue_line(issue: &Value, now: i64) -> Line<'static> {
    let model = get(issue, "model").as_str().map(|model| format!(" {model}")).unwrap_or_default();
    let hint = get(issue, "hint").as_str().map(|hint| format!(": {hint}")).unwrap_or_default();
    let age = age(get(issue, "opened_at").as_str().unwrap_or_default(), now);
    raw(format!("  {} {}{model}{age}{hint}", at(issue, "/kind"), at(issue, "/state")))
}

fn age(opened_at: &str, now: i64) -> String {
    let Ok(opened) = opened_at.parse::<jiff::Timestamp>() else { return String::new() };
    match now.saturating_sub(opened.as_microsecond()).checked_div(DAY_US).unwrap_or(0) {
        ..=0 => ", today".to_owned(),
        1 => ", 1 day".to_owned(),
        days => format!(", {days} days"),
    }
}

fn below(model: &Model) -> Vec<Line<'static>> {
    let keys = match &model.mode {
        Mode::File => " e enrol  f find  i issue  p print card  d dismiss  a acknowledge  q quit",
        Mode::Form(..) => {
            " Enter next, on the last line done   Up/Down line   Left/Right choice   Esc cancel"
        }
        Mode::Rows { .. } => " Up/Down choose   Enter open   Esc cancel",
    };
    vec![
        raw(format!(" {}", model.states)),
        Line::from(bold(format!(" {}", model.message))),
        Line::styled(keys, Style::new().add_modifier(Modifier::REVERSED)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::form::Press;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    const NOW: i64 = 1_790_000_000_000_000;

    fn screen(model: &Model) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, model, NOW)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..24).map(line).collect()
    }

    fn model() -> Model {
        let mut model = Model::new("till-1");
        let states =
            json!({ "store": { "state": "open" }, "vault": "open", "readers": [{ "state": "away" }] });
        model.connected(&json!({ "states": states }), &json!({ "register": "till-1" }));
        model
    }

    fn with_customer() -> Model {
        let mut model = model();
        model.event(&json!({
            "type": "identified", "stream": "s", "seq": 1, "visit": "v", "register": "till-1",
            "at": "2026-09-21T14:13:20Z", "repaired": true,
            "file": {
                "customer": "c-1", "name": "María \u{1b}[2JGarcía", "level": "Silver", "points": 1240, "issues_open": 1,
                "issues": [{ "kind": "WARRANTY", "state": "NEW", "model": "KX-200", "opened_at": "2026-09-14T09:30:00Z",
                    "hint": "ready to collect" }],
                "preferences": ["receipt: none"],
            },
        }));
        model
    }

    #[test]
    fn a_whole_file_fits_the_smallest_screen() {
        let screen = screen(&with_customer());
        assert_eq!(screen[0], " Ficha  till-1 connected");
        assert_eq!(
            screen[3..10],
            [
                "  María \\u{1b}[2JGarcía",
                "  The code was damaged and repaired: let the customer confirm the name.",
                "  Level Silver   Points 1240",
                "  Prefers receipt: none",
                "",
                "  Open issues: 1",
                "  WARRANTY NEW KX-200, 7 days: ready to collect",
            ]
        );
        assert!(screen[13].contains("Events: 1 to acknowledge"), "{}", screen[13]);
        assert!(screen[14].contains("identified"), "{}", screen[14]);
        assert_eq!(screen[21], " readers 1, 1 away; store open; vault open");
        assert!(screen[23].starts_with(" e enrol  f find") && screen[23].ends_with("q quit"));
    }

    #[test]
    fn without_a_customer_or_a_daemon_the_screen_says_so() {
        let mut model = model();
        assert_eq!(screen(&model)[3], "  No customer. Let a card be shown, or `f` finds one.");
        model.lost("no daemon answers");
        assert_eq!(screen(&model)[0], " Ficha  till-1 AWAY: no daemon answers");
    }

    #[test]
    fn forms_and_found_rows_are_shown() {
        let mut model = with_customer();
        model.key(Press::Char('i'));
        let form = screen(&model);
        assert!(form[1].contains("Open an issue"));
        assert_eq!(form[3], format!("  {:<30}< WARRANTY >", "Kind"));
        model.key(Press::Escape);
        let rows = json!({ "rows": [{ "name": "M••••", "phone": "••• 456", "issues_open": 0 }] });
        model.answered(Wish::Find, Ok(rows));
        assert_eq!(screen(&model)[3], format!(" > {:<30} {:<20} issues 0", "M••••", "••• 456"));
    }

    #[test]
    fn any_size_is_drawn_without_a_panic() {
        let mut form = with_customer();
        form.key(Press::Char('e'));
        for model in [with_customer(), form, model()] {
            for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60)] {
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| draw(frame, &model, NOW)).unwrap();
            }
        }
    }
}
