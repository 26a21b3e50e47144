//! What customers are contacted for and how often, as the config has it: `[contact]`, `[[consent]]` and `[[consent_text]]`.

use crate::desk::file::ConsentDue;
use crate::domain::consent::{self, Consent, ConsentText, Purpose, TEXT_CHARS_MAX, TextHash};
use crate::domain::contact::Channel;
use crate::domain::person::fields::Basis;
use crate::domain::settings::Keys;
use crate::domain::time::Timestamp;
use crate::vault::Till;
use std::collections::BTreeMap;

/// The most purposes.
const PURPOSES_MAX: usize = 16;

/// The most texts, of all purposes and languages.
const TEXTS_MAX: usize = 128;

/// The most questions, a purpose and a channel each: the answers of a customer lie in the section that a scan opens.
const QUESTIONS_MAX: usize = 16;

/// The longest word for a language or a version, in characters.
const WORD_CHARS_MAX: usize = 35;

/// In a [`Till`]'s answers: nothing more at all.
pub(in crate::desk) const EVERYTHING: &str = "*";

/// What customers are contacted for, and how often.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How often a customer is contacted in seven days, at most; `None`: as often as the shop likes.
    pub max_per_week: Option<u32>,
    /// `[[consent]]`, in the config's order.
    pub purposes: Vec<Pursued>,
}

/// One purpose: one `[[consent]]` and its texts.
#[derive(Debug, Clone)]
pub struct Pursued {
    /// Its word.
    pub purpose: Purpose,
    /// On which ground.
    pub basis: Basis,
    /// After how many months a customer is asked again.
    pub review_months: u32,
    /// By which ways.
    pub by: Vec<By>,
    /// What customers are shown, by what names it.
    pub texts: Vec<(TextHash, ConsentText)>,
}

/// A way in which a purpose is pursued.
#[derive(Debug, Clone)]
pub struct By {
    /// The channel; `None`: the purpose needs none.
    pub channel: Option<Channel>,
    /// What a [`Till`] calls the question.
    pub(in crate::desk) key: String,
}

impl Settings {
    /// Reads `[contact]`.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let max = keys.number("max_per_week", 1..=100, "contacts in seven days");
        Self { max_per_week: max.and_then(|max| u32::try_from(max).ok()), purposes: Vec::new() }
    }

    /// Reads every `[[consent]]` and `[[consent_text]]`.
    pub fn read_purposes(&mut self, keys: &mut Keys<'_>) {
        let mut questions = 0_usize;
        let mut purposes = keys.distinct(
            "consent",
            PURPOSES_MAX,
            "purpose",
            |pursued: &Pursued| pursued.purpose.clone(),
            |keys| {
                let pursued = read_purpose(keys)?;
                let asked = if pursued.basis == Basis::Consent { pursued.by.len() } else { 0 };
                questions = questions.saturating_add(asked);
                if questions > QUESTIONS_MAX {
                    let problem = format!("too many questions: {QUESTIONS_MAX} channels of all purposes with the basis `consent`");
                    keys.refuse("channels", problem);
                }
                Some(pursued)
            },
        );
        keys.tables("consent_text", TEXTS_MAX, |keys| read_text(keys, &mut purposes));
        for (at, pursued) in purposes.iter().enumerate() {
            if pursued.basis == Basis::Consent && pursued.texts.is_empty() {
                let problem = "has no text that customers are shown; add a [[consent_text]]";
                keys.refuse(&format!("consent[{at}].purpose"), problem);
            }
        }
        self.purposes = purposes;
    }

    /// One purpose, if it is pursued.
    pub(in crate::desk) fn of(&self, purpose: &Purpose) -> Option<&Pursued> {
        self.purposes.iter().find(|pursued| pursued.purpose == *purpose)
    }

    /// The questions that customers are asked: by purpose and channel.
    pub(in crate::desk) fn questions(&self) -> impl Iterator<Item = (&Pursued, &By)> {
        let asked = self.purposes.iter().filter(|pursued| pursued.basis == Basis::Consent);
        asked.flat_map(|pursued| pursued.by.iter().map(move |by| (pursued, by)))
    }

    /// What a till has to know of a customer's consents.
    pub(in crate::desk) fn asked(&self, records: &[Consent]) -> BTreeMap<String, Option<Timestamp>> {
        let mut asked = BTreeMap::new();
        for (pursued, by) in self.questions() {
            if let Some(latest) = consent::latest(records, &pursued.purpose, by.channel) {
                asked.insert(by.key.clone(), latest.review_at);
            }
        }
        if consent::withdrawn_all(records).is_some() {
            asked.insert(EVERYTHING.to_owned(), None);
        }
        asked
    }

    /// The questions that are due, of the first few purposes: never asked, or to be asked again.
    pub(in crate::desk) fn due(&self, till: &Till, now: Timestamp, purposes_max: usize) -> Vec<ConsentDue> {
        let mut due: Vec<ConsentDue> = Vec::new();
        for (pursued, by) in self.questions() {
            let is_due = match till.asked.get(&by.key) {
                Some(again) => again.is_some_and(|again| again <= now),
                None => !till.asked.contains_key(EVERYTHING),
            };
            if !is_due {
                continue;
            }
            let channel = by.channel.map(|channel| channel.word().to_owned());
            let full = due.len() >= purposes_max;
            match due.last_mut().filter(|last| last.purpose == pursued.purpose.as_str()) {
                Some(last) => last.channels.extend(channel),
                None if full => break,
                None => {
                    let purpose = pursued.purpose.as_str().to_owned();
                    due.push(ConsentDue { purpose, channels: channel.into_iter().collect() });
                }
            }
        }
        due
    }
}

fn read_purpose(keys: &mut Keys<'_>) -> Option<Pursued> {
    let purpose = keys.parsed("purpose", str::parse::<Purpose>);
    let purpose = keys.required("purpose", purpose);
    let words = [
        ("consent", Basis::Consent),
        ("contract", Basis::Contract),
        ("law", Basis::Law),
        ("interest", Basis::Interest),
    ];
    let basis = keys.word("basis", &words).unwrap_or(Basis::Consent);
    let months = keys.number("review_months", 1..=120, "months").unwrap_or(24);
    let mut channels = Vec::new();
    for word in keys.texts("channels").unwrap_or_default() {
        let channel = Channel::ALL.into_iter().find(|channel| channel.word() == word);
        if channel.is_none() || channels.contains(&channel) {
            let all = Channel::ALL.map(Channel::word).join("`, `");
            keys.refuse("channels", format!("`{word}` must be one of `{all}`, and stand there once"));
        }
        channels.extend(channel.map(Some));
    }
    if channels.is_empty() {
        channels.push(None);
    }
    let purpose = purpose?;
    let by = |channel: Option<Channel>| By {
        channel,
        key: channel.map_or_else(|| purpose.to_string(), |channel| format!("{purpose}/{}", channel.word())),
    };
    let by = channels.into_iter().map(by).collect();
    let review_months = u32::try_from(months).unwrap_or(24);
    Some(Pursued { purpose, basis, review_months, by, texts: Vec::new() })
}

fn read_text(keys: &mut Keys<'_>, purposes: &mut [Pursued]) -> Option<()> {
    let word = |text: &str| {
        let fits =
            (1..=WORD_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(text.to_owned())
        } else {
            Err(format!("expected 1 to {WORD_CHARS_MAX} ASCII characters without a space"))
        }
    };
    let purpose = keys.parsed("purpose", str::parse::<Purpose>);
    let purpose = keys.required("purpose", purpose);
    let language = keys.parsed("language", word);
    let language = keys.required("language", language);
    let version = keys.parsed("version", word);
    let version = keys.required("version", version);
    let text = keys.text("text").filter(|text| !text.trim().is_empty());
    let text = keys.required("text", text)?;
    let printable = text.chars().all(|char| !char.is_control() || char == '\n');
    if text.chars().count() > TEXT_CHARS_MAX || !printable {
        keys.refuse(
            "text",
            format!("must be at most {TEXT_CHARS_MAX} characters without control characters"),
        );
    }
    let (purpose, language, version) = (purpose?, language?, version?);
    let Some(pursued) = purposes.iter_mut().find(|pursued| pursued.purpose == purpose) else {
        keys.refuse("purpose", format!("`{purpose}` has no [[consent]]"));
        return None;
    };
    if pursued.texts.iter().any(|(_, text)| text.language == language) {
        keys.refuse("language", format!("`{purpose}` has a text in `{language}` already"));
    }
    pursued.texts.push((TextHash::of(&text), ConsentText { purpose, language, version, text }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings;

    fn read(text: &str) -> (Settings, Vec<String>) {
        let (settings, mistakes) = settings::read_text(text, |keys| {
            let mut read = keys.table("contact", Settings::read).unwrap_or_default();
            read.read_purposes(keys);
            read
        })
        .unwrap();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    const GOOD: &str = "contact.max_per_week = 2\n\
        [[consent]]\npurpose = 'OFFERS'\nchannels = ['EMAIL', 'SMS']\n\
        [[consent]]\npurpose = 'PROFILE'\nbasis = 'interest'\n\
        [[consent]]\npurpose = 'EVENTS'\nchannels = ['POST']\nreview_months = 6\n\
        [[consent_text]]\npurpose = 'OFFERS'\nlanguage = 'es'\nversion = '1'\ntext = '¿Nos deja?'\n\
        [[consent_text]]\npurpose = 'EVENTS'\nlanguage = 'es'\nversion = '1'\ntext = '¿Le invitamos?'\n";

    #[test]
    fn purposes_have_their_texts_and_their_questions() {
        let (settings, mistakes) = read(GOOD);
        assert_eq!(mistakes, [""; 0]);
        let keys: Vec<&str> = settings.questions().map(|(_, by)| by.key.as_str()).collect();
        assert_eq!(keys, ["OFFERS/EMAIL", "OFFERS/SMS", "EVENTS/POST"]);
        assert_eq!(settings.max_per_week, Some(2));
    }

    #[test]
    fn a_question_is_due_until_it_is_answered_and_again_at_its_review() {
        let (settings, _) = read(GOOD);
        let mut till = Till::default();
        let due = |till: &Till, now: i64, most: usize| {
            let due = settings.due(till, Timestamp(now), most).into_iter();
            due.map(|due| format!("{} {}", due.purpose, due.channels.join(" "))).collect::<Vec<String>>()
        };
        assert_eq!(due(&till, 0, 3), ["OFFERS EMAIL SMS", "EVENTS POST"]);
        assert_eq!(due(&till, 0, 1), ["OFFERS EMAIL SMS"]);
        till.asked.insert("OFFERS/EMAIL".to_owned(), Some(Timestamp(10)));
        till.asked.insert("OFFERS/SMS".to_owned(), None);
        assert_eq!(due(&till, 9, 3), ["EVENTS POST"]);
        assert_eq!(due(&till, 10, 3), ["OFFERS EMAIL", "EVENTS POST"]);
        till.asked.insert("*".to_owned(), None);
        assert_eq!(due(&till, 9, 3), [""; 0], "whoever wants nothing more is asked nothing new");
    }

    #[test]
    fn every_mistake_names_its_key() {
        let (_, mistakes) = read(
            "[contact]\nmax_per_week = 0\n[[consent]]\npurpose = 'offers'\n\
             [[consent]]\npurpose = 'OFFERS'\nchannels = ['FAX', 'EMAIL', 'EMAIL']\n\
             [[consent_text]]\npurpose = 'NEWS'\nlanguage = 'es'\nversion = '1'\ntext = 'x'\n",
        );
        let keys: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
        let wanted = [
            "contact.max_per_week",
            "consent[0].purpose",
            "consent[1].channels",
            "consent[1].channels",
            "consent_text[0].purpose",
            "consent[0].purpose",
        ];
        assert_eq!(keys, wanted, "{mistakes:#?}");
    }
}
