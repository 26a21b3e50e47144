//! The surveys of the config: `[[survey]]` and `[[survey_question]]`.

use crate::domain::purchase::check_word;
use crate::domain::settings::Keys;
use crate::domain::survey::{CHOICES_MAX, Kind, QUESTIONS_MAX, Question, SCALE_MAX, Survey};
use std::collections::BTreeMap;

/// The most surveys.
const SURVEYS_MAX: usize = 16;

/// The longest text of a question, in characters: a customer reads it at a counter.
const TEXT_CHARS_MAX: usize = 200;

/// The most days until a survey is asked again.
const AGAIN_DAYS_MAX: u64 = 3_660;

/// Reads every survey with its questions.
pub fn read(keys: &mut Keys<'_>) -> Vec<Survey> {
    let name = |survey: &Survey| survey.name.clone();
    let mut surveys = keys.distinct("survey", SURVEYS_MAX, "name", name, read_survey);
    let questions_max = SURVEYS_MAX.saturating_mul(QUESTIONS_MAX);
    keys.tables("survey_question", questions_max, |keys| read_question(keys, &mut surveys));
    for (at, survey) in surveys.iter().enumerate() {
        if survey.questions.is_empty() {
            keys.refuse(&format!("survey[{at}].name"), "has no question; add a [[survey_question]]");
        }
    }
    surveys
}

fn word(text: &str) -> Result<String, String> {
    check_word("", text).map(|()| text.to_owned()).map_err(|(_, problem)| problem)
}

fn read_survey(keys: &mut Keys<'_>) -> Option<Survey> {
    let name = keys.parsed("name", word);
    let name = keys.required("name", name);
    let from = keys.parsed("from", str::parse);
    let from = keys.required("from", from);
    let to = keys.parsed("to", str::parse);
    let again = keys.number("again_days", 1..=AGAIN_DAYS_MAX, "days");
    let (name, from) = (name?, from?);
    if to.is_some_and(|to| to < from) {
        keys.refuse("to", "must not be before `from`");
    }
    let again_days = again.and_then(|days| u32::try_from(days).ok());
    Some(Survey { name, from, to, again_days, questions: Vec::new() })
}

fn read_question(keys: &mut Keys<'_>, surveys: &mut [Survey]) -> Option<()> {
    let of = keys.text("survey");
    let of = keys.required("survey", of);
    let name = keys.parsed("name", word);
    let name = keys.required("name", name);
    let kind = read_kind(keys);
    let texts = read_texts(keys);
    let (of, name, kind) = (of?, name?, kind?);
    let Some(survey) = surveys.iter_mut().find(|survey| survey.name == of) else {
        keys.refuse("survey", format!("`{of}` has no [[survey]]"));
        return None;
    };
    if survey.questions.iter().any(|question| question.name == name) {
        keys.refuse("name", format!("`{of}` asks `{name}` already"));
    } else if survey.questions.len() >= QUESTIONS_MAX {
        keys.refuse("survey", format!("`{of}` has {QUESTIONS_MAX} questions already"));
    } else {
        survey.questions.push(Question { name, kind, texts });
    }
    Some(())
}

/// What can be answered, by `kind` and what goes with it.
fn read_kind(keys: &mut Keys<'_>) -> Option<Kind> {
    let kinds = ["choice", "scale", "yes_no", "text"].map(|kind| (kind, kind));
    let kind = keys.word("kind", &kinds);
    let kind = keys.required("kind", kind);
    let choices = keys.texts("choices");
    let least = keys.number("min", 0..=1, "the least number");
    let most = keys.number("max", 2..=SCALE_MAX.unsigned_abs(), "the greatest number");
    let kind = kind?;
    if choices.is_some() && kind != "choice" {
        keys.refuse("choices", "is for the kind `choice`");
    }
    if (least.is_some() || most.is_some()) && kind != "scale" {
        keys.refuse(if least.is_some() { "min" } else { "max" }, "is for the kind `scale`");
    }
    Some(match kind {
        "choice" => {
            let choices = choices.unwrap_or_default();
            let twice = |at: usize, choice: &String| choices.iter().take(at).any(|earlier| earlier == choice);
            for (at, choice) in choices.iter().enumerate() {
                if word(choice).is_err() || twice(at, choice) {
                    let problem = format!(
                        "`{choice}` must be 1 to 40 printable ASCII characters without a space, and stand there once"
                    );
                    keys.refuse("choices", problem);
                }
            }
            if !(2..=CHOICES_MAX).contains(&choices.len()) {
                keys.refuse("choices", format!("must be 2 to {CHOICES_MAX} words"));
            }
            Kind::Choice(choices)
        }
        "scale" => {
            let number =
                |number: Option<u64>, usual| number.map_or(Some(usual), |number| number.try_into().ok());
            Kind::Scale(number(least, 0)?, number(most, SCALE_MAX)?)
        }
        "yes_no" => Kind::YesNo,
        _ => Kind::Text,
    })
}

/// The words to ask in: `es: ¿Volvería?`, one for each language.
fn read_texts(keys: &mut Keys<'_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for line in keys.texts("texts").unwrap_or_default() {
        let fits = |tag: &str, text: &str| {
            let tagged = (2..=35).contains(&tag.len())
                && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            tagged
                && !text.is_empty()
                && text.chars().count() <= TEXT_CHARS_MAX
                && !text.chars().any(char::is_control)
        };
        let read = line.split_once(':').map(|(tag, text)| (tag.trim(), text.trim()));
        match read.filter(|(tag, text)| fits(tag, text)) {
            Some((tag, text)) if !texts.contains_key(tag) => {
                texts.insert(tag.to_owned(), text.to_owned());
            }
            _ => {
                let problem = format!(
                    "must be a language, a colon and at most {TEXT_CHARS_MAX} characters, as in `es: ¿Volvería?`, once for each language"
                );
                keys.refuse("texts", problem);
            }
        }
    }
    if texts.is_empty() {
        keys.required::<()>("texts", None);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    const GOOD: &str = "[[survey]]\nname = 'visit'\nfrom = '2026-09-01'\nto = '2026-10-31'\nagain_days = 90\n\
        [[survey_question]]\nsurvey = 'visit'\nname = 'again'\nkind = 'scale'\ntexts = ['es: ¿Volvería?', 'en: Would you come again?']\n\
        [[survey_question]]\nsurvey = 'visit'\nname = 'why'\nkind = 'choice'\nchoices = ['price', 'range']\ntexts = ['es: ¿Por qué?']\n";

    #[test]
    fn surveys_have_their_questions() {
        let (surveys, mistakes) = read_text(GOOD, read).unwrap();
        assert_eq!(mistakes, []);
        let [survey] = surveys.as_slice() else { panic!("{surveys:?}") };
        assert_eq!((survey.again_days, survey.questions.len()), (Some(90), 2));
        assert_eq!(survey.questions[0].kind, Kind::Scale(0, 10));
        assert_eq!(survey.questions[0].texts["en"], "Would you come again?");
    }

    #[test]
    fn every_mistake_names_its_key() {
        let (_, mistakes) = read_text(
            "[[survey]]\nname = 'two words'\nfrom = 'soon'\n\
             [[survey]]\nname = 'empty'\nfrom = '2026-09-02'\nto = '2026-09-01'\n\
             [[survey_question]]\nsurvey = 'none'\nname = 'q'\nkind = 'text'\ntexts = ['x']\n\
             [[survey_question]]\nsurvey = 'empty'\nname = 'q'\nkind = 'choice'\nchoices = ['a', 'a']\nmin = 1\n",
            read,
        )
        .unwrap();
        let keys: Vec<String> = mistakes
            .iter()
            .filter_map(|mistake| mistake.to_string().split(": ").next().map(str::to_owned))
            .collect();
        let wanted = [
            "survey[0].name",
            "survey[0].from",
            "survey[1].to",
            "survey_question[0].texts",
            "survey_question[0].survey",
            "survey_question[1].min",
            "survey_question[1].choices",
            "survey_question[1].texts",
        ];
        assert_eq!(keys, wanted, "{mistakes:#?}");
    }
}
