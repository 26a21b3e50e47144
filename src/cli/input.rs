//! Standard input: prompts on a terminal, lines or a whole text from a script.
//!
//! Questions go to standard error, so that standard output holds answers only.

use super::ask::Usage;
use crate::push::wire::REQUEST_BYTES_MAX;
use anyhow::Context as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use zeroize::Zeroizing;

/// The most that is read: what fits a request.
const INPUT_BYTES_MAX: usize = REQUEST_BYTES_MAX;

/// Whether a person can be asked.
pub(super) fn is_person() -> bool {
    io::stdin().is_terminal()
}

/// One line, without its end and the white space around it; empty if nothing was given. A person is asked for it.
pub(super) fn line(question: &str) -> anyhow::Result<String> {
    if is_person() {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question}: ").and_then(|()| stderr.flush()).context("cannot ask")?;
    }
    let mut bytes = Vec::new();
    limited().read_until(b'\n', &mut bytes).context("standard input cannot be read")?;
    checked(bytes)
}

/// One line that must be given.
pub(super) fn needed(question: &str) -> anyhow::Result<String> {
    let text = line(question)?;
    if text.is_empty() {
        return Err(Usage(format!("nothing was given: {question} is read from standard input")).into());
    }
    Ok(text)
}

/// One line that is not shown while it is typed.
pub(super) fn hidden(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let text = if is_person() {
        rpassword::prompt_password(format!("{question}: ")).context("cannot ask")?
    } else {
        needed(question)?
    };
    Ok(Zeroizing::new(text))
}

/// Everything up to the end of input from a script, one line from a person.
pub(super) fn whole(question: &str) -> anyhow::Result<String> {
    if is_person() {
        return needed(question);
    }
    let mut bytes = Vec::new();
    limited().read_to_end(&mut bytes).context("standard input cannot be read")?;
    let text = checked(bytes)?;
    if text.is_empty() {
        return Err(Usage(format!("nothing was given: {question} is read from standard input")).into());
    }
    Ok(text)
}

fn limited() -> io::Take<io::StdinLock<'static>> {
    // One byte more than allowed, to tell too long from just right.
    io::stdin().lock().take(u64::try_from(INPUT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1))
}

fn checked(bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(Usage(format!("more than {INPUT_BYTES_MAX} bytes on standard input")).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| Usage("standard input is not UTF-8".to_owned()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_trimmed_and_limited() {
        assert_eq!(checked(b"  a b \r\n".to_vec()).unwrap(), "a b");
        assert!(checked(vec![0xff]).is_err());
        assert!(checked(vec![b'a'; INPUT_BYTES_MAX + 1]).is_err());
        assert_eq!(checked(vec![b'a'; INPUT_BYTES_MAX]).unwrap().len(), INPUT_BYTES_MAX);
    }
}
