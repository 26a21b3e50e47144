//! A few lines to fill in. Pure: keys in, texts out.

/// The longest text of a field, in characters: as long as any field of a person.
const FIELD_CHARS_MAX: usize = 100;

/// A key, as far as the register knows keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    Char(char),
    Enter,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Backspace,
}

/// One line: free text, or one of `choices`.
pub(super) struct Field {
    pub(super) label: &'static str,
    pub(super) choices: &'static [&'static str],
    pub(super) text: String,
}

impl Field {
    pub(super) fn text(label: &'static str) -> Self {
        Self { label, choices: &[], text: String::new() }
    }

    pub(super) fn choice(label: &'static str, choices: &'static [&'static str]) -> Self {
        Self { label, choices, text: choices.first().copied().unwrap_or_default().to_owned() }
    }

    /// Goes to the choice `step` places on, round and round.
    fn turn(&mut self, step: isize) {
        let count = self.choices.len();
        let now = self.choices.iter().position(|choice| *choice == self.text).unwrap_or(0);
        let next = now.checked_add_signed(step).unwrap_or(count.saturating_sub(1));
        let next = if next >= count { 0 } else { next };
        if let Some(choice) = self.choices.get(next) {
            (*choice).clone_into(&mut self.text);
        }
    }
}

/// The lines, and the one that is being filled in.
pub(super) struct Form {
    pub(super) fields: Vec<Field>,
    pub(super) at: usize,
}

/// What a key did to the form.
#[derive(PartialEq, Eq)]
pub(super) enum Filled {
    NotYet,
    Cancelled,
    Done(Vec<String>),
}

/// Never shows the texts: they are a person's.
impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotYet => "NotYet",
            Self::Cancelled => "Cancelled",
            Self::Done(_) => "Done(••)",
        })
    }
}

impl Form {
    pub(super) fn new(fields: Vec<Field>) -> Self {
        Self { fields, at: 0 }
    }

    /// Enter goes on to the next line, and on the last one ends the form.
    pub(super) fn key(&mut self, press: Press) -> Filled {
        let last = self.fields.len().saturating_sub(1);
        let Some(field) = self.fields.get_mut(self.at) else { return Filled::Cancelled };
        let chosen = !field.choices.is_empty();
        match press {
            Press::Escape => return Filled::Cancelled,
            Press::Enter if self.at == last => {
                return Filled::Done(self.fields.iter().map(|field| field.text.trim().to_owned()).collect());
            }
            Press::Enter | Press::Down => self.at = self.at.saturating_add(1).min(last),
            Press::Up => self.at = self.at.saturating_sub(1),
            Press::Right | Press::Char(' ') if chosen => field.turn(1),
            Press::Left if chosen => field.turn(-1),
            Press::Backspace if !chosen => drop(field.text.pop()),
            Press::Char(character)
                if !chosen && !character.is_control() && field.text.chars().count() < FIELD_CHARS_MAX =>
            {
                field.text.push(character);
            }
            Press::Char(_) | Press::Left | Press::Right | Press::Backspace => {}
        }
        Filled::NotYet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(form: &mut Form, text: &str) {
        for character in text.chars() {
            assert_eq!(form.key(Press::Char(character)), Filled::NotYet);
        }
    }

    #[test]
    fn lines_are_filled_in_one_after_another() {
        let mut form = Form::new(vec![Field::choice("kind", &["A", "B", "C"]), Field::text("hint")]);
        form.key(Press::Left);
        assert_eq!(form.fields[0].text, "C");
        form.key(Press::Right);
        form.key(Press::Char(' '));
        typed(&mut form, "x");
        assert_eq!(form.fields[0].text, "B", "letters do not change a choice");
        assert_eq!(form.key(Press::Enter), Filled::NotYet);
        typed(&mut form, " año\u{1b}n");
        form.key(Press::Backspace);
        assert_eq!(form.key(Press::Enter), Filled::Done(vec!["B".to_owned(), "año".to_owned()]));
        assert_eq!(form.key(Press::Escape), Filled::Cancelled);
    }

    #[test]
    fn a_field_has_an_end() {
        let mut form = Form::new(vec![Field::text("name")]);
        typed(&mut form, &"x".repeat(FIELD_CHARS_MAX + 20));
        assert_eq!(form.fields[0].text.len(), FIELD_CHARS_MAX);
    }
}
