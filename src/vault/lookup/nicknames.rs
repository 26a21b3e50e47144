//! Given names and what people call those who have them, in Spanish and English.
//!
//! Pure data, of our own. A short form may belong to several names; whoever bears one of them is found by it.

/// Names with their short forms, in normal form: lower case, without diacritics. The first stands for all.
const NAMES: &[&[&str]] = &[
    &["alberto", "beto", "berto"],
    &["alejandro", "alex", "ale", "jano"],
    &["alfonso", "fonso", "poncho"],
    &["antonio", "toni", "tony", "tono", "anton"],
    &["beatriz", "bea", "betty"],
    &["carlos", "charly", "carlitos"],
    &["carmen", "mamen", "menchu", "carmela"],
    &["concepcion", "concha", "conchi", "conchita"],
    &["consuelo", "chelo"],
    &["cristina", "cris", "tina"],
    &["dolores", "lola", "loles", "lolita"],
    &["eduardo", "edu", "lalo"],
    &["enrique", "quique", "kike"],
    &["ernesto", "neto"],
    &["federico", "fede", "lico"],
    &["fernando", "fer", "nando"],
    &["francisca", "paca", "paqui", "pancha"],
    &["francisco", "paco", "pancho", "curro", "fran", "kiko", "quico", "francesc"],
    &["gabriel", "gabi"],
    &["gonzalo", "chalo"],
    &["graciela", "chela"],
    &["gregorio", "goyo"],
    &["guadalupe", "lupe", "lupita"],
    &["guillermo", "guille", "memo"],
    &["ignacio", "nacho", "inaki"],
    &["isabel", "isa", "chabela", "isabela"],
    &["jesus", "chus", "chucho", "suso"],
    &["joaquin", "quino", "chimo"],
    &["jorge", "coque"],
    &["jose", "pepe", "chepe", "josep", "pepito"],
    &["josefa", "pepa", "fina", "josefina"],
    &["juan", "juanito", "juancho", "joan"],
    &["luis", "lucho", "luisito"],
    &["manuel", "manolo", "manu", "lolo"],
    &["manuela", "manola", "manoli"],
    &["maria", "mari", "marie", "mary"],
    &["mercedes", "merche", "meche"],
    &["miguel", "migue", "miki"],
    &["montserrat", "montse"],
    &["pedro", "perico", "pedrito"],
    &["pilar", "pili"],
    &["rafael", "rafa"],
    &["ramon", "moncho"],
    &["roberto", "beto", "tito"],
    &["rosario", "charo", "chayo"],
    &["salvador", "salva", "chava"],
    &["santiago", "santi", "yago", "chago"],
    &["sebastian", "sebas"],
    &["sergio", "checo"],
    &["soledad", "sole", "chole"],
    &["susana", "susi", "su"],
    &["teresa", "tere", "teresita"],
    &["vicente", "chente", "vicen"],
    &["victoria", "vicky", "viki", "toya"],
    &["alexander", "alex", "al", "sandy", "xander"],
    &["andrew", "andy", "drew"],
    &["anthony", "tony"],
    &["barbara", "barb", "babs"],
    &["benjamin", "ben", "benny"],
    &["catherine", "cathy", "kathy", "kate", "katie", "cate", "katherine", "kathryn"],
    &["charles", "charlie", "chuck", "chas"],
    &["christopher", "chris", "kit"],
    &["christine", "chris", "chrissy", "tina"],
    &["daniel", "dan", "danny", "dani"],
    &["david", "dave", "davy"],
    &["deborah", "deb", "debbie"],
    &["donald", "don", "donny"],
    &["dorothy", "dot", "dottie"],
    &["edward", "ed", "eddie", "ted", "ned"],
    &["elizabeth", "liz", "lizzie", "beth", "betty", "eliza", "elisabeth", "bess"],
    &["frances", "fran", "fanny"],
    &["frederick", "fred", "freddie"],
    &["gregory", "greg"],
    &["harold", "harry", "hal"],
    &["henry", "harry", "hank"],
    &["james", "jim", "jimmy", "jamie"],
    &["jennifer", "jen", "jenny"],
    &["john", "jack", "johnny", "jon"],
    &["jonathan", "jon", "jonny"],
    &["joseph", "joe", "joey"],
    &["kenneth", "ken", "kenny"],
    &["lawrence", "larry", "laurence"],
    &["leonard", "len", "lenny", "leo"],
    &["margaret", "maggie", "meg", "peggy", "marge", "daisy", "greta"],
    &["martha", "marty", "patty"],
    &["matthew", "matt"],
    &["michael", "mike", "mick", "mickey"],
    &["nathaniel", "nate", "nathan"],
    &["nicholas", "nick", "nicky"],
    &["pamela", "pam"],
    &["patricia", "pat", "patty", "trish", "tricia", "patri"],
    &["patrick", "pat", "paddy"],
    &["peter", "pete"],
    &["philip", "phil"],
    &["raymond", "ray"],
    &["rebecca", "becky", "becca"],
    &["richard", "dick", "rick", "ricky", "rich"],
    &["robert", "bob", "bobby", "rob", "robbie", "bert"],
    &["ronald", "ron", "ronnie"],
    &["samuel", "sam", "sammy"],
    &["samantha", "sam", "sammy"],
    &["sarah", "sally", "sara"],
    &["sean", "shaun", "shawn"],
    &["stephen", "steve", "steven"],
    &["susan", "sue", "susie", "suzy"],
    &["theodore", "ted", "theo", "teddy"],
    &["theresa", "terry", "tess", "tessa"],
    &["thomas", "tom", "tommy"],
    &["timothy", "tim", "timmy"],
    &["victoria", "vicky", "tori"],
    &["walter", "walt", "wally"],
    &["william", "bill", "billy", "will", "willy", "liam"],
];

/// The names that `word` is, or is short for.
pub(super) fn full_names(word: &str) -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(move |forms| forms.contains(&word)).filter_map(|forms| forms.first().copied())
}

/// Whether two words are forms of one name.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    NAMES.iter().any(|forms| forms.contains(&one) && forms.contains(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_lead_to_every_name_they_stand_for() {
        assert_eq!(full_names("paco").collect::<Vec<_>>(), ["francisco"]);
        assert_eq!(full_names("beto").collect::<Vec<_>>(), ["alberto", "roberto"]);
        assert_eq!(full_names("quijote").count(), 0);
        assert!(is_same("pepe", "jose") && is_same("bill", "liam") && !is_same("bill", "bob"));
    }

    #[test]
    fn the_table_is_in_normal_form() {
        for name in NAMES.iter().copied().flatten() {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        }
        assert!(NAMES.iter().all(|forms| forms.len() > 1));
    }
}
