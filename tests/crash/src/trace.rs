//! What strace(1) saw the daemon do to its files, and what it sent: one list of steps in the order in which they happened.
//!
//! A write counts from its beginning, for a part of it may be on the disk before it returns; a sync counts once it has
//! returned, and for the writes that had returned when it began; an answer counts from the moment it is being sent.

use crate::made_up::write;
use anyhow::{Context as _, bail, ensure};
use std::collections::HashMap;

/// The system calls that are recorded. One that changes a file and is not among them would be missed, so those that a
/// later version may use are recorded too, and end the run.
pub(crate) const CALLS: &str = "open,openat,openat2,creat,close,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,\
fallocate,fsync,fdatasync,sync_file_range,sync,syncfs,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,\
unlinkat,mkdir,mkdirat,rmdir,sendto,sendmsg,copy_file_range,sendfile,splice,dup,dup2,dup3";

/// A file or folder, by the order in which they were first seen.
pub(crate) type Node = usize;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A name appeared: of a new file or folder, or one more of a file.
    Name {
        path: String,
        node: Node,
        folder: bool,
    },
    Unname {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Write {
        node: Node,
        at: usize,
        bytes: Vec<u8>,
    },
    Length {
        node: Node,
        length: usize,
    },
    /// The write or length of that step has returned.
    Done {
        step: usize,
    },
    /// Everything of the node that had returned before `began` is on the disk.
    Synced {
        node: Node,
        began: usize,
    },
    /// The answer to the request of this id was on its way.
    Sent {
        id: String,
    },
}

/// Open descriptors.
#[derive(Clone, Debug)]
struct Open {
    node: Node,
    at: usize,
    append: bool,
}

/// A call that has not returned.
#[derive(Clone, Debug)]
struct Begun {
    text: String,
    /// How many steps there were before it.
    began: usize,
    /// The write that it is.
    step: Option<usize>,
}

/// Builds the list from strace's lines (`-f -xx`, all strings in hexadecimal).
#[derive(Debug)]
pub(crate) struct Trace {
    /// Only what lies below is of interest.
    root: String,
    pub(crate) steps: Vec<Step>,
    /// The folders that were there from the beginning.
    pub(crate) given: Vec<(String, Node)>,
    names: HashMap<String, Node>,
    /// What each file has, as whoever reads it finds it.
    contents: HashMap<Node, Vec<u8>>,
    nodes: usize,
    files: HashMap<i64, Open>,
    /// By thread: the call that has not returned, its text and the step it made.
    begun: HashMap<String, Begun>,
}

impl Trace {
    /// Reads a whole recording; `root` and the folders `given` in it were there from the beginning, and empty.
    pub(crate) fn read(text: &str, root: &str, given: &[String]) -> anyhow::Result<Self> {
        let mut trace = Self {
            root: root.to_owned(),
            steps: Vec::new(),
            given: Vec::new(),
            names: HashMap::new(),
            contents: HashMap::new(),
            nodes: 0,
            files: HashMap::new(),
            begun: HashMap::new(),
        };
        for folder in std::iter::once(root).chain(given.iter().map(String::as_str)) {
            let node = trace.new_node();
            trace.names.insert(folder.to_owned(), node);
            trace.given.push((folder.to_owned(), node));
        }
        for line in text.lines() {
            trace.line(line).with_context(|| line.chars().take(200).collect::<String>())?;
        }
        Ok(trace)
    }

    /// The folder of the recording.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    fn new_node(&mut self) -> Node {
        self.nodes += 1;
        self.nodes - 1
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let (thread, call) = line.split_once(' ').context("no thread")?;
        let call = call.trim_start();
        if call.starts_with("+++") || call.starts_with("---") {
            return Ok(());
        }
        if let Some(rest) = call.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").context("no resumption")?;
            let begun = self.begun.remove(thread).context("resumes what never began")?;
            return self.returned(&format!("{}{rest}", begun.text), &begun);
        }
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            let begun = self.enter(begun)?;
            self.begun.insert(thread.to_owned(), begun);
            return Ok(());
        }
        let (text, _) = call.rsplit_once(" = ").context("no result")?;
        let begun = self.enter(text)?;
        self.returned(call, &begun)
    }

    /// A call that returned.
    fn returned(&mut self, text: &str, begun: &Begun) -> anyhow::Result<()> {
        let (call, result) = text.rsplit_once(" = ").context("no result")?;
        let result: i64 = result.split(' ').next().unwrap_or_default().parse().unwrap_or(-1);
        let (name, words) = words(call)?;
        if result < 0 {
            // Whether a failed write left something is nobody's promise: it stays a write that was never synced.
            return Ok(());
        }
        match name {
            "open" | "openat" | "openat2" | "creat" => self.opened(name, &words, result)?,
            "write" | "pwrite64" | "ftruncate" | "copy_file_range" => {
                self.steps.extend(begun.step.map(|step| Step::Done { step }));
                let written = begun.step.and_then(|step| self.steps.get(step));
                if let Some(Step::Write { bytes, .. }) = written {
                    ensure!(i64::try_from(bytes.len())? == result, "a short write");
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(open) = self.files.get(&number(&words, 0)?) {
                    self.steps.push(Step::Synced { node: open.node, began: begun.began });
                }
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" | "unlink" | "unlinkat" | "mkdir"
            | "mkdirat" | "rmdir" => self.named(name, &words)?,
            "close" | "sync_file_range" | "sendto" | "sendmsg" | "writev" => {}
            _ => ensure!(!self.touches(&words), "a call that this recorder does not know"),
        }
        Ok(())
    }

    /// A call begins: what it writes may be on the disk from now on, what it sends may be read.
    fn enter(&mut self, call: &str) -> anyhow::Result<Begun> {
        let text = call.trim_end().to_owned();
        let began = self.steps.len();
        let (name, words) = words(&text)?;
        let step = match name {
            "write" | "pwrite64" => self.write(name, &words)?,
            "copy_file_range" => self.copy(&words)?,
            "ftruncate" => {
                let open = self.files.get(&number(&words, 0)?);
                let length = usize::try_from(number(&words, 1)?)?;
                open.map(|open| Step::Length { node: open.node, length })
            }
            // Before it returns another thread may have opened something else under the number.
            "close" => {
                self.files.remove(&number(&words, 0)?);
                None
            }
            "sendto" => {
                self.sent(&text_of(words.get(1).context("no bytes")?)?);
                None
            }
            "sendmsg" | "writev" if text.contains("\\x22\\x69\\x64\\x22") => {
                bail!("an answer is sent in a way that this recorder does not know")
            }
            _ => None,
        };
        let step = step.map(|step| self.changes(step));
        Ok(Begun { text, began, step })
    }

    /// Notes a step that changes what a file has; gives its place.
    fn changes(&mut self, step: Step) -> usize {
        match &step {
            Step::Write { node, .. } | Step::Length { node, .. } => {
                write(self.contents.entry(*node).or_default(), &step, |_| true);
            }
            _ => {}
        }
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// What is written to a file of ours; what is sent otherwise.
    fn write(&mut self, name: &str, words: &[&str]) -> anyhow::Result<Option<Step>> {
        let file = number(words, 0)?;
        let bytes = text_of(words.get(1).context("no bytes")?)?;
        let Some(open) = self.files.get_mut(&file) else {
            self.sent(&bytes);
            return Ok(None);
        };
        ensure!(!(open.append && name == "write"), "a write at the end, which this recorder does not know");
        let at = if name == "write" { open.at } else { usize::try_from(number(words, 3)?)? };
        if name == "write" {
            open.at += bytes.len();
        }
        Ok(Some(Step::Write { node: open.node, at, bytes }))
    }

    /// What is copied from one file of ours to another, each from where it stands.
    fn copy(&mut self, words: &[&str]) -> anyhow::Result<Option<Step>> {
        let (from, to, length) = (number(words, 0)?, number(words, 2)?, usize::try_from(number(words, 4)?)?);
        ensure!(words.get(1) == Some(&"NULL") && words.get(3) == Some(&"NULL"), "a copy from elsewhere");
        let Some(open) = self.files.get_mut(&from) else { return Ok(None) };
        let content = self.contents.get(&open.node).map_or(&[][..], Vec::as_slice);
        let rest = content.get(open.at..).unwrap_or_default();
        let bytes = rest[..rest.len().min(length)].to_vec();
        open.at += bytes.len();
        let open = self.files.get_mut(&to).context("a copy to a file that is not known")?;
        let at = open.at;
        open.at += bytes.len();
        Ok((!bytes.is_empty()).then_some(Step::Write { node: open.node, at, bytes }))
    }

    /// Lines that a client was sent.
    fn sent(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            if let (Some(id), true) = (line["id"].as_str(), line.get("result").is_some()) {
                self.steps.push(Step::Sent { id: id.to_owned() });
            }
        }
    }

    fn opened(&mut self, name: &str, words: &[&str], file: i64) -> anyhow::Result<()> {
        self.files.remove(&file);
        let first = usize::from(name.starts_with("openat"));
        let path = path(words.get(first).context("no path")?)?;
        let path = self.below(words.first().copied().unwrap_or_default(), path);
        let flags = words.get(first + 1).copied().unwrap_or_default();
        // A file without a name is gone after a crash, whatever was written to it.
        if !path.starts_with(&self.root) || flags.contains("O_TMPFILE") {
            return Ok(());
        }
        let node = match self.names.get(&path) {
            Some(node) => *node,
            None => {
                let node = self.new_node();
                self.names.insert(path.clone(), node);
                self.steps.push(Step::Name { path, node, folder: false });
                node
            }
        };
        if flags.contains("O_TRUNC") {
            let step = self.changes(Step::Length { node, length: 0 });
            self.steps.push(Step::Done { step });
        }
        self.files.insert(file, Open { node, at: 0, append: flags.contains("O_APPEND") });
        Ok(())
    }

    /// A path from the root, also of a name in a folder that is open as `folder`.
    fn below(&self, folder: &str, path: String) -> String {
        if path.starts_with('/') {
            return path;
        }
        let open = folder.parse().ok().and_then(|file: i64| self.files.get(&file));
        let dir = open.and_then(|open| self.names.iter().find(|(_, node)| **node == open.node));
        match dir {
            Some((dir, _)) => format!("{dir}/{path}"),
            None => path,
        }
    }

    /// Names that come, go and change.
    fn named(&mut self, name: &str, words: &[&str]) -> anyhow::Result<()> {
        // A name in an open folder follows that folder.
        let folders = std::iter::once("").chain(words.iter().copied());
        let paths: Vec<String> = words
            .iter()
            .zip(folders)
            .filter(|(word, _)| word.starts_with('"'))
            .map(|(word, folder)| Ok(self.below(folder, path(word)?)))
            .collect::<anyhow::Result<_>>()?;
        let (Some(first), last) = (paths.first().cloned(), paths.last().cloned().unwrap_or_default()) else {
            bail!("no path");
        };
        if !first.starts_with(&self.root) {
            ensure!(first.starts_with('/'), "a path that this recorder does not know");
            return Ok(());
        }
        let folder = name.starts_with("mkdir");
        if name.starts_with("rename") {
            let below = format!("{first}/");
            let moved: Vec<String> =
                self.names.keys().filter(|known| known.starts_with(&below)).cloned().collect();
            for known in moved.into_iter().chain([first.clone()]) {
                let new = format!("{last}{}", known.get(first.len()..).unwrap_or_default());
                let node = self.names.remove(&known).context("a name moves that never came")?;
                self.names.insert(new, node);
            }
            self.steps.push(Step::Rename { from: first, to: last });
        } else if name.starts_with("link") || folder {
            let old = self.names.get(&first).copied();
            let node = if folder { self.new_node() } else { old.context("a link to what never came")? };
            let path = if folder { first } else { last };
            self.names.insert(path.clone(), node);
            self.steps.push(Step::Name { path, node, folder });
        } else {
            self.names.remove(&first);
            self.steps.push(Step::Unname { path: first });
        }
        Ok(())
    }

    fn touches(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            let file = word.parse::<i64>().is_ok_and(|file| self.files.contains_key(&file));
            file || path(word).is_ok_and(|path| path.starts_with(&self.root))
        })
    }
}

/// A call's name and its arguments; strings hold no comma, for they are in hexadecimal.
fn words(call: &str) -> anyhow::Result<(&str, Vec<&str>)> {
    let (name, rest) = call.split_once('(').context("no call")?;
    let rest = rest.trim_end().strip_suffix(')').unwrap_or(rest);
    Ok((name, rest.split(", ").collect()))
}

fn number(words: &[&str], place: usize) -> anyhow::Result<i64> {
    words.get(place).and_then(|word| word.trim_end_matches(')').parse().ok()).context("no number")
}

fn path(word: &str) -> anyhow::Result<String> {
    Ok(String::from_utf8(text_of(word)?)?)
}

/// `"\x61\x62"` as bytes.
fn text_of(word: &str) -> anyhow::Result<Vec<u8>> {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).context("no whole text")?;
    let mut bytes = Vec::with_capacity(inner.len() / 4);
    for code in inner.as_bytes().chunks(4) {
        let digits = code.strip_prefix(b"\\x").context("not in hexadecimal")?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits)?, 16)?);
    }
    Ok(bytes)
}
