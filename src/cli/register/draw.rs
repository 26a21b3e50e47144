//! The register's screen, drawn from the model. Holds no state; fits 40 columns and 20 lines.
//!
//! Every text is made [`safe`]: a hint or a product's code must not reach the terminal as it is.

use super::form::Form;
use super::model::{Current, Mode, Model};
use super::wish::Wish;
use super::words::to_be_answered;
use crate::cli::customer::plain;
use crate::cli::points::in_words;
use crate::cli::say::{at, get, rows, safe};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};
use serde_json::Value;

/// Lines for the events at the bottom, their border included; on a low screen.
const EVENTS_LINES: [u16; 2] = [8, 4];

/// Lines below them, for states, message and keys; on a narrow screen, where they take more than one.
const FOOT_LINES: [u16; 2] = [3, 6];

/// Columns of a form's labels; on a narrow screen.
const LABEL_COLUMNS: [usize; 2] = [30, 21];

/// A screen with fewer lines is low, one with fewer columns is narrow.
const LOW_BELOW: u16 = 24;
const NARROW_BELOW: u16 = 75;

/// A file is shown without empty lines where it has fewer than this.
const LOW_MIDDLE_BELOW: u16 = 12;

/// The one of two sizes that suits an area.
fn fit<T: Copy>(sizes: [T; 2], is_small: bool) -> T {
    let [usual, small] = sizes;
    if is_small { small } else { usual }
}

fn is_narrow(area: Rect) -> bool {
    area.width < NARROW_BELOW
}

const DAY_US: i64 = 86_400_000_000;

/// Draws everything; `now` in microseconds since 1970 tells how old an issue is.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, now: i64) {
    let area = frame.area();
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(8),
        Constraint::Length(fit(EVENTS_LINES, area.height < LOW_BELOW)),
        Constraint::Length(fit(FOOT_LINES, is_narrow(area))),
    ]);
    let [head, middle, events, foot] = parts.areas(area);
    frame.render_widget(Paragraph::new(title(model)), head);
    main(frame, middle, model, now);
    let lines: Vec<Line<'_>> = model.lines.iter().map(|line| Line::raw(line.as_str())).collect();
    let count = model.unacknowledged;
    let heading = if count == 0 { " Events ".to_owned() } else { format!(" Events: {count} not seen yet ") };
    frame.render_widget(
        Paragraph::new(lines).block(Block::new().borders(Borders::TOP).title(heading)),
        events,
    );
    let mut lines = below(model);
    if is_narrow(area) {
        // Whatever is cut off below, the keys stay.
        lines.rotate_left(1);
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), foot);
}

fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(safe(&text.into()).into_owned(), Style::new().add_modifier(Modifier::BOLD))
}

fn raw(text: impl Into<String>) -> Line<'static> {
    Line::raw(safe(&text.into()).into_owned())
}

fn title(model: &Model) -> Line<'static> {
    let link =
        model.away.as_ref().map_or_else(|| "connected".to_owned(), |why| format!("NO CONNECTION: {why}"));
    Line::from(vec![bold(format!(" Ficha  {} ", model.register)), Span::raw(safe(&link).into_owned())])
}

fn main(frame: &mut Frame<'_>, area: Rect, model: &Model, now: i64) {
    let block = |heading: &'static str| Block::new().borders(Borders::TOP).title(heading);
    let narrow = is_narrow(area);
    let (heading, lines) = match (&model.mode, &model.current) {
        (Mode::Form(wish, form), _) => (heading(*wish), form_lines(form, area)),
        (Mode::Rows { rows, at }, _) => (" Found ", row_lines(rows, *at, narrow)),
        (Mode::File, Some(current)) => (" Customer ", file_lines(current, now)),
        (Mode::File, None) => {
            (" Customer ", vec![raw(""), raw("  No customer. Let a card be shown, or `f` finds one.")])
        }
    };
    let mut lines = lines;
    if area.height < LOW_MIDDLE_BELOW && matches!(model.mode, Mode::File) {
        lines.retain(|line| line.width() > 0);
    }
    let paragraph = Paragraph::new(lines).block(block(heading));
    // A form's lines are where the cursor is looked for.
    let is_form = matches!(model.mode, Mode::Form(..));
    let paragraph = if is_form { paragraph } else { paragraph.wrap(Wrap { trim: false }) };
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
        Wish::Open | Wish::Issues | Wish::Answer | Wish::Print | Wish::Dismiss => " ",
    }
}

fn form_lines(form: &Form, area: Rect) -> Vec<Line<'static>> {
    let mut lines = vec![raw("")];
    let columns = fit(LABEL_COLUMNS, is_narrow(area));
    for (number, field) in form.fields.iter().enumerate() {
        let label = format!("  {:<columns$.columns$}", field.label);
        let shown =
            if field.choices.is_empty() { end_of(&field.text, area) } else { format!("< {} >", field.text) };
        let label = if number == form.at { bold(label) } else { Span::raw(label) };
        lines.push(Line::from(vec![label, Span::raw(safe(&shown).into_owned())]));
    }
    lines
}

/// As much of a text's end as stands beside a label, the cursor included.
fn end_of(text: &str, area: Rect) -> String {
    let taken = fit(LABEL_COLUMNS, is_narrow(area)).saturating_add(3);
    let room = usize::from(area.width).saturating_sub(taken);
    let text = safe(text);
    let too_many = text.chars().count().saturating_sub(room);
    text.chars().skip(too_many).collect()
}

fn place_cursor(frame: &mut Frame<'_>, area: Rect, form: &Form) {
    let Some(field) = form.fields.get(form.at).filter(|field| field.choices.is_empty()) else { return };
    let columns = fit(LABEL_COLUMNS, is_narrow(area));
    let width = Line::raw(end_of(&field.text, area)).width().saturating_add(columns).saturating_add(2);
    let column = u16::try_from(width).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    // The border and the empty line come first.
    let line =
        u16::try_from(form.at).unwrap_or(u16::MAX).saturating_add(2).min(area.height.saturating_sub(1));
    frame.set_cursor_position((area.x.saturating_add(column), area.y.saturating_add(line)));
}

fn row_lines(found: &[Value], chosen: usize, narrow: bool) -> Vec<Line<'static>> {
    let mut lines = vec![raw("")];
    let (name, phone) = fit([(30, 20), (15, 12)], narrow);
    for (number, row) in found.iter().enumerate() {
        let mark = if number == chosen { ">" } else { " " };
        let text = format!(
            " {mark} {:<name$.name$} {:<phone$.phone$} issues {}",
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
        None if locked => "(names are locked away just now)".to_owned(),
        None => "(no name)".to_owned(),
    };
    let mut lines = vec![raw(""), Line::from(bold(format!("  {name}")))];
    if let Some(holder) = get(file, "holder").as_str() {
        lines.push(Line::from(bold(format!("  The card is {holder}'s"))));
    }
    if current.repaired {
        lines.push(Line::from(bold(
            "  The code was damaged and repaired: let the customer confirm the name.",
        )));
    }
    if let Some(alike) = &current.alike {
        lines.push(Line::from(bold(format!("  {alike}"))));
    }
    let class = match get(file, "class").as_str() {
        Some(class) => format!("  Class {class}"),
        None => String::new(),
    };
    lines.push(raw(format!("  Level {}{class}  Points {}", at(file, "/level"), in_words(file))));
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
    if let Some(issue) = to_be_answered(file) {
        let kind = at(issue, "/kind");
        lines.push(Line::from(bold(format!("  How content with the {kind}? Keys 1 (bad) to 5 (good)"))));
    }
    for (word, few) in
        [("Plans", crate::cli::file::plans(file)), ("Ask for", crate::cli::file::questions(file))]
    {
        if !few.is_empty() {
            lines.push(raw(format!("  {word} {}", few.join("; "))));
        }
    }
    lines
}

fn issue_line(issue: &Value, now: i64) -> Line<'static> {
    let model = get(issue, "model").as_str().map(|model| format!(" {model}")).unwrap_or_default();
    let hint = get(issue, "hint").as_str().map(|hint| format!(": {hint}")).unwrap_or_default();
    let age = age(get(issue, "opened_at").as_str().unwrap_or_default(), now);
    let due = match get(issue, "colour").as_str() {
        Some("RED") => ", overdue",
        Some("AMBER") => ", soon due",
        _ => "",
    };
    raw(format!("  {} {}{model}{age}{due}{hint}", at(issue, "/kind"), at(issue, "/state")))
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
        Mode::File => " e enrol  f find  i issue  p print card  d done  a seen  q quit",
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
mod tests;
