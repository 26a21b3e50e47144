//! Drafts of what the authority is told, in the words of article 33(3) of the GDPR. What only the shop knows is a line to fill in.

use crate::domain::breach::{Breach, Duty, KeyPlace, NOTIFY_WITHIN, Readable, Taken};
use crate::domain::time::Timestamp;
use serde_json::{Value, json};

/// To be filled in by a person.
const BLANK: &str = "________";

/// One language's words.
struct Words {
    title: &'static str,
    controller: &'static str,
    aware: &'static str,
    due: &'static str,
    happened: &'static str,
    taken: &'static str,
    persons: &'static str,
    erased: &'static str,
    categories: &'static str,
    sealed: &'static str,
    consequences: &'static str,
    telling: &'static str,
    measures: &'static str,
    of_taken: fn(Taken) -> &'static str,
    of_key: fn(KeyPlace) -> &'static str,
    of_readable: fn(Readable) -> &'static str,
    of_section: fn(&str) -> Option<&'static str>,
    guessing: &'static str,
    of_duty: fn(Duty) -> &'static str,
}

/// The draft in each language there is, by its tag.
pub(super) fn drafts(found: &Breach, shop: Option<&str>) -> Value {
    json!({ "en": draft(&ENGLISH, found, shop), "es": draft(&SPANISH, found, shop) })
}

fn draft(words: &Words, found: &Breach, shop: Option<&str>) -> String {
    let taken: Vec<&str> = found.taken.iter().map(|one| (words.of_taken)(*one)).collect();
    let sections = found
        .whose
        .sections
        .iter()
        .filter_map(|(kind, persons)| (words.of_section)(kind).map(|what| format!("{what} ({persons})")));
    let sections: Vec<String> = sections.collect();
    let mut consequences = (words.of_readable)(found.reach.readable).to_owned();
    if found.reach.by_guessing {
        consequences.push(' ');
        consequences.push_str(words.guessing);
    }
    [
        words.title.to_owned(),
        String::new(),
        format!("1. {}: {}. {BLANK}", words.controller, shop.unwrap_or(BLANK)),
        format!(
            "2. {} {}. {} {}.",
            words.aware,
            minute(found.found_at),
            words.due,
            minute(found.found_at.after(NOTIFY_WITHIN))
        ),
        format!("3. {}: {BLANK}. {}: {}.", words.happened, words.taken, taken.join("; ")),
        format!("4. {}: {}. {}: {}.", words.persons, found.whose.persons, words.erased, found.whose.erased),
        format!(
            "5. {}: {}.",
            words.categories,
            if sections.is_empty() { BLANK.to_owned() } else { sections.join(", ") }
        ),
        format!("6. {} {}.", words.sealed, (words.of_key)(found.key)),
        format!("7. {}: {consequences}", words.consequences),
        format!("8. {}: {}", words.telling, (words.of_duty)(found.reach.persons())),
        format!("9. {}: {BLANK}.", words.measures),
    ]
    .join("\n")
}

/// As people write it: `2026-09-14 09:00 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.rfc3339();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

const ENGLISH: Words = Words {
    title: "Notification of a personal data breach (GDPR, article 33)",
    controller: "Controller and contact point",
    aware: "Aware of it since",
    due: "This notification is due by",
    happened: "What happened, when and how",
    taken: "What got into other hands",
    persons: "Persons concerned, approximately",
    erased: "Persons who had been erased before, of whom nothing can be read",
    categories: "Categories of data, each with the number of persons of whom there is any",
    sealed: "All data about persons are encrypted (XChaCha20-Poly1305), each person's with a key of its own; those keys are encrypted with a \
             key that was kept",
    consequences: "Likely consequences",
    telling: "Telling the persons (article 34)",
    measures: "Measures taken or proposed",
    of_taken: |taken| match taken {
        Taken::Store => {
            "the store: numbered customers with sales, points and issues, and the encrypted data about persons"
        }
        Taken::Keyring => "the keyring, with which search terms are hashed",
        Taken::Keys => "the persons' encrypted keys",
        Taken::VaultKey => "the key that opens them",
        Taken::Machine => "the machine while the service ran",
    },
    of_key: |key| match key {
        KeyPlace::StateFolder => "in a file beside the data",
        KeyPlace::File => "in a file apart from the data",
        KeyPlace::Credential => "as an encrypted credential of the operating system, apart from the data",
        KeyPlace::Passphrase => "nowhere in clear: a passphrase opens it (Argon2id)",
    },
    of_readable: |readable| match readable {
        Readable::Nothing => "none: nothing of what was taken can be read.",
        Readable::Books => {
            "purchases, points and issues of numbered customers can be read; who they are cannot."
        }
        Readable::Matching => {
            "purchases, points and issues of numbered customers can be read; and whoever knows a person's name, telephone number or card can find \
             out whether they are a customer, and under which number."
        }
        Readable::Everything => "all data can be read: the encryption protects from nothing.",
    },
    of_section: |kind| match kind {
        "person" => Some("names, telephone numbers, addresses"),
        "demographic" => Some("birthday, gender"),
        "complementary" => Some("contacts at a business"),
        "academic" => Some("studies and occupation"),
        "family" => Some("marital status, children"),
        "other" => Some("tax number and other marks"),
        "till" => Some("form of address, preferences, notes for the till"),
        "note" => Some("notes of the service desk"),
        "consent" => Some("consents"),
        "contact" => Some("history of contacts"),
        "plan" => Some("planned purchases"),
        "survey" => Some("answers to surveys"),
        "card" => Some("loyalty cards"),
        _ => None,
    },
    guessing: "Whoever guesses the passphrase can read everything.",
    of_duty: |duty| match duty {
        Duty::Due => "needed, unless the risk for them is not high.",
        Duty::Judge => "depends on how high the risk for them is: ________",
        Duty::None => "not needed, article 34(3)(a): to whoever has the data they are unintelligible.",
    },
};

const SPANISH: Words = Words {
    title: "Notificación de una violación de la seguridad de los datos personales (RGPD, artículo 33)",
    controller: "Responsable y punto de contacto",
    aware: "Se tiene constancia desde",
    due: "Esta notificación debe hacerse antes de",
    happened: "Qué ocurrió, cuándo y cómo",
    taken: "Qué llegó a manos ajenas",
    persons: "Interesados afectados, número aproximado",
    erased: "Interesados suprimidos con anterioridad, de quienes nada puede leerse",
    categories: "Categorías de datos, con el número de interesados de los que existe alguno",
    sealed: "Todos los datos personales están cifrados (XChaCha20-Poly1305), los de cada persona con una clave propia; esas claves están cifradas con \
             otra que se guardaba",
    consequences: "Posibles consecuencias",
    telling: "Comunicación a los interesados (artículo 34)",
    measures: "Medidas adoptadas o propuestas",
    of_taken: |taken| match taken {
        Taken::Store => {
            "el almacén: clientes numerados con ventas, puntos e incidencias, y los datos personales cifrados"
        }
        Taken::Keyring => "el llavero con el que se calculan los índices de búsqueda",
        Taken::Keys => "las claves cifradas de las personas",
        Taken::VaultKey => "la clave que las abre",
        Taken::Machine => "el equipo con el servicio en marcha",
    },
    of_key: |key| match key {
        KeyPlace::StateFolder => "en un fichero junto a los datos",
        KeyPlace::File => "en un fichero separado de los datos",
        KeyPlace::Credential => "como credencial cifrada del sistema operativo, separada de los datos",
        KeyPlace::Passphrase => "en ningún sitio en claro: la abre una contraseña (Argon2id)",
    },
    of_readable: |readable| match readable {
        Readable::Nothing => "ninguna: nada de lo sustraído puede leerse.",
        Readable::Books => {
            "pueden leerse compras, puntos e incidencias de clientes numerados; quiénes son, no."
        }
        Readable::Matching => {
            "pueden leerse compras, puntos e incidencias de clientes numerados; y quien conozca el nombre, el teléfono o la tarjeta de una persona \
             puede averiguar si es cliente y con qué número."
        }
        Readable::Everything => "pueden leerse todos los datos: el cifrado no protege de nada.",
    },
    of_section: |kind| match kind {
        "person" => Some("nombres, teléfonos, direcciones"),
        "demographic" => Some("cumpleaños, sexo"),
        "complementary" => Some("contactos en una empresa"),
        "academic" => Some("estudios y ocupación"),
        "family" => Some("estado civil, hijos"),
        "other" => Some("número fiscal y otras señas"),
        "till" => Some("tratamiento, preferencias, avisos para la caja"),
        "note" => Some("notas de atención al cliente"),
        "consent" => Some("consentimientos"),
        "contact" => Some("historial de contactos"),
        "plan" => Some("compras previstas"),
        "survey" => Some("respuestas a encuestas"),
        "card" => Some("tarjetas de fidelidad"),
        _ => None,
    },
    guessing: "Quien adivine la contraseña puede leerlo todo.",
    of_duty: |duty| match duty {
        Duty::Due => "necesaria, salvo que el riesgo para ellos no sea alto.",
        Duty::Judge => "depende de lo alto que sea el riesgo para ellos: ________",
        Duty::None => "no es necesaria, artículo 34.3.a): los datos son ininteligibles para quien los tiene.",
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::held::SEALED;

    #[test]
    fn every_sealed_section_has_its_words_in_every_language() {
        for words in [&ENGLISH, &SPANISH] {
            for section in SEALED {
                let kind = section.trim_end_matches(':');
                assert!((words.of_section)(kind).is_some(), "{kind}");
            }
        }
    }
}
