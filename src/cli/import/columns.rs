//! Which column of a file is what: by our own names of fields, and by what other systems call them in English and Spanish.
//!
//! Pure. A column that nobody knows is named and stops the import, until it is said what it is or that it is left out.

use crate::cli::ask::Usage;
use crate::domain::person::fields::{self, Kind};
use unicode_normalization::UnicodeNormalization as _;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A field of the registry that holds one value.
    One(&'static str, Kind),
    /// One that holds several, a line each.
    Many(&'static str),
    /// Telephone numbers, with their kind if the column says it.
    Telephone(Option<&'static str>),
    /// The kinds of the telephone numbers, a line each.
    TelephoneType,
    /// A part of the postal address.
    Address(&'static str),
    /// A birthday, or a whole date of birth.
    BirthDate,
    /// Codes of cards.
    Card,
    /// The programme of the card.
    Programme,
    /// Points, one number a lot.
    Points,
    /// The last day of each lot.
    Expiry,
    /// Of our own export, and made anew: the number, when they were enrolled, what the cards are.
    LeftOut,
}

impl Target {
    /// Its name, as `--map` has it.
    pub(super) fn word(self) -> &'static str {
        if let Self::One(name, _) | Self::Many(name) = self {
            return name;
        }
        OWN.iter().find(|(_, target)| *target == self).map_or("telephone", |(name, _)| *name)
    }
}

/// The names of columns that are no fields of the registry, as `--map` and our own export have them.
const OWN: &[(&str, Target)] = &[
    ("addressType", Target::Address("type")),
    ("streetAddress", Target::Address("streetAddress")),
    ("extendedAddress", Target::Address("extendedAddress")),
    ("postOfficeBox", Target::Address("postOfficeBox")),
    ("addressLocality", Target::Address("addressLocality")),
    ("addressRegion", Target::Address("addressRegion")),
    ("postalCode", Target::Address("postalCode")),
    ("addressCountry", Target::Address("addressCountry")),
    ("telephoneType", Target::TelephoneType),
    ("mobile", Target::Telephone(Some("cell"))),
    ("homePhone", Target::Telephone(Some("home"))),
    ("workPhone", Target::Telephone(Some("work"))),
    ("birthDate", Target::BirthDate),
    ("card", Target::Card),
    ("cardProgramme", Target::Programme),
    ("points", Target::Points),
    ("pointsExpireOn", Target::Expiry),
    ("customer", Target::LeftOut),
    ("enrolledAt", Target::LeftOut),
    ("cards", Target::LeftOut),
];

/// What others call them, in small letters without accents and signs. What could be taken for two things is not here: `sexo`
/// has M for men in one system and for women in the next.
const CALLED: &[(&str, &[&str])] = &[
    ("honorificPrefix", &["title", "salutation", "prefix", "tratamiento", "titulo"]),
    ("givenName", &["firstname", "forename", "nombre", "nombredepila", "nombrecliente"]),
    ("additionalName", &["middlename", "segundonombre"]),
    (
        "familyName",
        &["lastname", "surname", "apellido", "primerapellido", "apellido1", "1apellido", "apellidos"],
    ),
    (
        "familyName2",
        &["secondlastname", "secondsurname", "lastname2", "segundoapellido", "apellido2", "2apellido"],
    ),
    ("honorificSuffix", &["suffix", "sufijo"]),
    (
        "preferredName",
        &["name", "fullname", "displayname", "nickname", "nombrecompleto", "nombreyapellidos", "alias"],
    ),
    ("org", &["company", "organization", "organisation", "empresa", "razonsocial", "compania"]),
    ("jobTitle", &["position", "role", "cargo", "puesto"]),
    ("telephone", &["phone", "phonenumber", "tel", "telefono", "telefono1", "phone1", "tlf"]),
    ("mobile", &["cell", "cellphone", "mobilephone", "mobilenumber", "movil", "telefonomovil", "celular"]),
    ("homePhone", &["telefonofijo", "fijo", "telefonocasa"]),
    ("workPhone", &["businessphone", "telefonotrabajo"]),
    ("email", &["mail", "emailaddress", "correo", "correoelectronico", "emailcliente"]),
    ("knowsLanguage", &["language", "lang", "locale", "idioma", "lengua"]),
    (
        "streetAddress",
        &["street", "address", "address1", "addressline1", "direccion", "domicilio", "calle", "direccion1"],
    ),
    ("extendedAddress", &["address2", "addressline2", "direccion2", "piso", "escalera"]),
    ("postOfficeBox", &["pobox", "apartadodecorreos", "apartado"]),
    ("addressLocality", &["city", "town", "locality", "ciudad", "poblacion", "localidad", "municipio"]),
    ("addressRegion", &["state", "region", "province", "county", "provincia", "estado"]),
    ("postalCode", &["zip", "zipcode", "postcode", "codigopostal", "cp"]),
    ("addressCountry", &["country", "countrycode", "pais"]),
    (
        "birthDate",
        &["dateofbirth", "dob", "fechadenacimiento", "fechanacimiento", "nacimiento", "cumpleanos"],
    ),
    ("birthYear", &["anodenacimiento"]),
    ("taxID", &["vat", "vatnumber", "taxnumber", "nif", "dni", "cif", "nie", "nifcif", "rfc"]),
    ("occupation", &["profession", "profesion", "ocupacion"]),
    ("maritalStatus", &["estadocivil"]),
    ("childrenCount", &["children", "hijos", "numerodehijos"]),
    (
        "card",
        &[
            "cardnumber",
            "cardcode",
            "loyaltycard",
            "membercard",
            "barcode",
            "tarjeta",
            "numerodetarjeta",
            "numerotarjeta",
            "codigodebarras",
            "tarjetacliente",
        ],
    ),
    (
        "points",
        &["balance", "pointsbalance", "loyaltypoints", "puntos", "saldo", "saldopuntos", "saldodepuntos"],
    ),
    (
        "pointsExpireOn",
        &[
            "pointsexpiry",
            "pointsexpire",
            "expirydate",
            "caducidad",
            "fechadecaducidad",
            "caducidadpuntos",
            "caducan",
        ],
    ),
];

/// A column's name as it is compared.
fn plain(name: &str) -> String {
    let letters = name.nfkd().flat_map(char::to_lowercase);
    letters.filter(|letter| letter.is_alphanumeric()).collect()
}

/// What a name stands for: one of ours, or what others call it.
pub(super) fn target(name: &str) -> Option<Target> {
    let wanted = plain(name);
    let called = CALLED.iter().find(|(_, names)| names.contains(&wanted.as_str())).map(|(own, _)| *own);
    let own = |own: &str| {
        let of_ours = OWN.iter().find(|(name, _)| plain(name) == plain(own)).map(|(_, target)| *target);
        of_ours.or_else(|| {
            let field = fields::FIELDS.iter().find(|field| plain(field.name) == plain(own))?;
            of_kind(field.name, field.kind)
        })
    };
    own(&wanted).or_else(|| called.and_then(own))
}

fn of_kind(name: &'static str, kind: Kind) -> Option<Target> {
    match kind {
        Kind::Text | Kind::Number(..) | Kind::Word(_) => Some(Target::One(name, kind)),
        Kind::Day => Some(Target::BirthDate),
        Kind::Texts | Kind::Emails | Kind::Languages => Some(Target::Many(name)),
        Kind::Telephones => Some(Target::Telephone(None)),
        Kind::Addresses | Kind::Free => None,
    }
}

/// The columns of a file, each with what it holds; `None` for one that is left out.
#[derive(Debug)]
pub(super) struct Columns(pub(super) Vec<(String, Option<Target>)>);

/// What the user says of columns.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Field and column.
    pub(super) map: &'a [(String, String)],
    pub(super) ignore: &'a [String],
}

impl Columns {
    /// Tells the columns of a header; every one that is not known is named.
    pub(super) fn tell(header: &[String], said: &Said<'_>) -> Result<Self, Usage> {
        let mut mapped = Vec::new();
        for (field, column) in said.map {
            let target =
                target(field).ok_or_else(|| Usage(format!("`--map {field}=…`: there is no such field")))?;
            if !header.contains(column) {
                return Err(Usage(format!("`--map {field}=…` names a column that the file does not have")));
            }
            mapped.push((column, target));
        }
        if let Some(missing) = said.ignore.iter().find(|column| !header.contains(column)) {
            return Err(Usage(format!("`--ignore {missing}` names a column that the file does not have")));
        }
        let (mut columns, mut unknown) = (Vec::new(), Vec::new());
        for name in header {
            let given = mapped.iter().find(|(column, _)| *column == name).map(|(_, target)| *target);
            let found = given.or_else(|| target(name).filter(|_| !said.ignore.contains(name)));
            if found.is_none() && !said.ignore.contains(name) {
                unknown.push(name.as_str());
            }
            columns.push((name.clone(), found));
        }
        if columns.iter().all(|(_, target)| target.is_none()) {
            let message = "the first line names no column that is known: it has to hold the names of the columns; say what each is with `--map FIELD=COLUMN`";
            return Err(Usage(message.to_owned()));
        }
        if !unknown.is_empty() {
            let options: Vec<String> = unknown.iter().map(|name| format!("--ignore '{name}'")).collect();
            return Err(Usage(format!(
                "columns that nobody knows: {}\nsay what each is with `--map FIELD=COLUMN`, or leave them out: {}",
                unknown.join(", "),
                options.join(" ")
            )));
        }
        let columns = Self(columns);
        columns.must_differ()?;
        Ok(columns)
    }

    /// One value cannot come from two columns.
    fn must_differ(&self) -> Result<(), Usage> {
        for (index, (name, target)) in self.0.iter().enumerate() {
            let several = matches!(
                target,
                None | Some(Target::Many(_) | Target::Telephone(_) | Target::Card | Target::LeftOut)
            );
            let other = self.0.iter().skip(index.saturating_add(1)).find(|(_, other)| other == target);
            if let (false, Some((other, _))) = (several, other) {
                return Err(Usage(format!(
                    "`{name}` and `{other}` are the same field: leave one out with `--ignore`, or say with `--map` what it is"
                )));
            }
        }
        Ok(())
    }

    /// How many of them are known by name.
    pub(super) fn known(header: &[String]) -> usize {
        header.iter().filter(|name| target(name).is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_name_stands_for_one_field() {
        let mut seen = std::collections::BTreeSet::new();
        for (own, names) in CALLED {
            assert!(target(own).is_some(), "{own}");
            for name in *names {
                assert_eq!(plain(name), *name);
                assert_eq!(target(name), target(own), "{name}");
                assert!(seen.insert(*name), "{name} twice");
            }
        }
        for field in fields::FIELDS.iter().filter(|field| !matches!(field.kind, Kind::Free | Kind::Addresses))
        {
            assert!(target(field.name).is_some(), "{}", field.name);
        }
    }

    #[test]
    fn columns_are_known_in_english_and_spanish() {
        let names =
            ["Primer apellido", "Segundo Apellido", "Correo electrónico", "C.P.", "E-mail address", "Móvil"];
        assert!(names.iter().all(|name| target(name).is_some()), "{names:?}");
        assert_eq!(target("Teléfono móvil"), Some(Target::Telephone(Some("cell"))));
        assert_eq!(target("FECHA DE NACIMIENTO"), Some(Target::BirthDate));
        assert_eq!((target("Sexo"), target("note")), (None, None));
    }

    #[test]
    fn what_is_not_known_is_named_and_left_out_only_if_told() {
        let names = header(&["Nombre", "Zapato", "Ruta"]);
        let error = Columns::tell(&names, &Said::default()).unwrap_err().0;
        assert!(
            error.contains("Zapato, Ruta") && error.contains("--ignore 'Zapato' --ignore 'Ruta'"),
            "{error}"
        );
        let (map, ignore) = ([("org".to_owned(), "Ruta".to_owned())], header(&["Zapato"]));
        let columns = Columns::tell(&names, &Said { map: &map, ignore: &ignore }).unwrap();
        let targets: Vec<bool> = columns.0.iter().map(|(_, target)| target.is_some()).collect();
        assert_eq!(targets, [true, false, true]);
        let nobody = Columns::tell(&header(&["García", "600123456"]), &Said::default()).unwrap_err().0;
        assert!(!nobody.contains("García"), "a first line may be a person");
        let twice = Columns::tell(&header(&["Nombre", "First name"]), &Said::default()).unwrap_err().0;
        assert!(twice.contains("same field"), "{twice}");
        assert!(Columns::tell(&header(&["Nombre", "Phone", "Tel"]), &Said::default()).is_ok());
        let map = [("shoe".to_owned(), "Ruta".to_owned())];
        assert!(Columns::tell(&names, &Said { map: &map, ignore: &[] }).is_err());
    }
}
