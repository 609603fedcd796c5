//! What was copied, remembered in a file: a line for each object before it is copied (`?`), when it was read back and compared (`+`), and
//! when it was removed again (`-`). Whatever ends the program, what stands there is so; and at most the objects that were under way
//! are copied once more.
//!
//! Not how far the copy came: keys begin with an account's id, so that new ones sort anywhere.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fs::{File, TryLockError},
    io::{BufRead, BufReader, Error, ErrorKind, Result, Seek, SeekFrom, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

/// A key by half its hash: there may be millions.
type Mark = u128;

/// The objects that are at the destination, or may be. No two programs have it at a time.
pub(super) struct Done {
    file: File,
    /// Whether each is there for sure.
    marks: HashMap<Mark, bool>,
}

impl Done {
    /// Of a copy between `places`; that of others is forgotten.
    pub(super) fn open(path: &Path, places: &str) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = File::options().create(true).read(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::ResourceBusy, "another copy is being made"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut done = Self { file, marks: HashMap::new() };
        let header = format!("darkroom storage copy, {places}");
        let mut is_same = None;
        let mut marks = HashMap::new();
        let end = done.read(|line| {
            if is_same.is_none() {
                is_same = Some(line == header);
            } else if let Some(key) = line.strip_prefix('+') {
                marks.insert(mark(key), true);
            } else if let Some(key) = line.strip_prefix('?') {
                marks.entry(mark(key)).or_insert(false);
            } else if let Some(key) = line.strip_prefix('-') {
                marks.remove(&mark(key));
            }
        })?;
        if is_same == Some(true) {
            // A line that was cut off by the end of a program is no line.
            done.file.set_len(end)?;
            done.marks = marks;
        } else {
            done.file.set_len(0)?;
            writeln!(done.file, "{header}")?;
        }
        Ok(done)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.marks.get(&mark(key)) == Some(&true)
    }

    /// Remembers an object that may be there from now on.
    pub(super) fn begin(&mut self, key: &str) -> Result<()> {
        if let Entry::Vacant(entry) = self.marks.entry(mark(key)) {
            entry.insert(false);
            self.write('?', key)?;
        }
        Ok(())
    }

    /// Remembers an object that is there.
    pub(super) fn add(&mut self, key: &str) -> Result<()> {
        if self.marks.insert(mark(key), true) != Some(true) {
            self.write('+', key)?;
        }
        Ok(())
    }

    /// Forgets an object that is there no longer.
    pub(super) fn remove(&mut self, key: &str) -> Result<()> {
        if self.marks.remove(&mark(key)).is_some() {
            self.write('-', key)?;
        }
        Ok(())
    }

    /// The keys of those that are there, or may be, and are not among `these`.
    pub(super) fn beside(&mut self, these: &Keys) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.read(|line| {
            if let Some(key) = line.strip_prefix(['?', '+'])
                && !these.has(key)
            {
                found.push(key.to_owned());
            }
        })?;
        found.retain(|key| self.marks.contains_key(&mark(key)));
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// In one piece, so that no line is ever mixed with another.
    fn write(&mut self, what: char, key: &str) -> Result<()> {
        self.file.write_all(format!("{what}{key}\n").as_bytes())
    }

    /// Reads every line that was ended; where the last of them ends.
    fn read(&mut self, mut each: impl FnMut(&str)) -> Result<u64> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&self.file);
        let (mut line, mut end) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            let Some((b'\n', text)) = line.split_last() else { return Ok(end) };
            end += read as u64;
            // What a disk made of it when the power went is no key of ours.
            if let Ok(text) = std::str::from_utf8(text) {
                each(text);
            }
        }
    }
}

/// Keys that were met.
#[derive(Default)]
pub(super) struct Keys(HashSet<Mark>);

impl Keys {
    /// Whether it was not met before.
    pub(super) fn meet(&mut self, key: &str) -> bool {
        self.0.insert(mark(key))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains(&mark(key))
    }
}

fn mark(key: &str) -> Mark {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    hash.iter().take(16).fold(0, |mark, byte| mark << 8 | Mark::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_is_known_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("not yet/there");
        let open = |places| Done::open(&path, places);
        let mut done = open("here to there").unwrap();
        for key in ["a", "b", "c", "b"] {
            done.add(key).unwrap();
        }
        done.remove("c").unwrap();
        assert!(open("here to there").is_err(), "another has it");
        drop(done);
        let mut done = open("here to there").unwrap();
        assert!(done.has("a") && done.has("b") && !done.has("c"));
        let mut keys = Keys::default();
        assert!(keys.meet("a") && !keys.meet("a"));
        assert_eq!(done.beside(&keys).unwrap(), ["b"]);
        done.begin("b").unwrap();
        done.begin("c").unwrap();
        assert!(done.has("b") && !done.has("c"));
        assert_eq!(done.beside(&keys).unwrap(), ["b", "c"], "c may be there");
        drop(done);
        assert!(!open("here to elsewhere").unwrap().has("a"));
        assert!(!open("here to there").unwrap().has("a"), "it was forgotten");
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        Done::open(&path, "x").unwrap().add("abc").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}+de")).unwrap();
        let mut done = Done::open(&path, "x").unwrap();
        assert!(done.has("abc") && !done.has("de"));
        done.add("def").unwrap();
        drop(done);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{text}+def\n"));
    }
}
