//! Journals on disk: the directory of a transaction, its images, and the file that is only appended to.

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};

use super::JournalError;
use super::lines::{self, End};
use super::record::{FileRecord, Prepare, Record};
use super::story::Story;
use crate::apply::replace::{self, Content};
use crate::apply::tree::{Tree, TreeError, read_whole, sync, write_whole};

/// Where this program keeps what it has to remember.
pub(in crate::apply) const STATE: &str = "/var/lib/ccgpu-node";

const TRANSACTIONS: &str = "/var/lib/ccgpu-node/transactions";

/// Bytes that a journal may have; one has a few thousand.
const CAP: u64 = 16 << 20;

const IMAGES: [&str; 2] = ["before", "after"];

/// The journal of one transaction, open to be gone on with.
#[derive(Debug)]
pub(in crate::apply) struct Transaction<'a> {
    tree: &'a Tree,
    number: u32,
    file: OwnedFd,
    end: End,
    story: Story,
}

/// Makes the directory that all of this is in, and refuses one that others can write to.
pub(in crate::apply) fn prepare_state_directory(tree: &Tree) -> Result<(), TreeError> {
    for path in ["/var", "/var/lib"] {
        if tree.stat(path)?.is_none() {
            tree.make_directory(path, 0o755)?;
        }
    }
    // All may read how things stand; what files held before is for their owner only.
    for (path, mode) in [(STATE, 0o755), (TRANSACTIONS, 0o700)] {
        if tree.stat(path)?.is_none() {
            tree.make_directory(path, mode)?;
        }
        let stat = tree.stat(path)?;
        let (owner, _) = tree.owner();
        if !stat.is_some_and(|stat| stat.st_uid == owner && stat.st_mode & 0o022 == 0) {
            let what = "not a directory that only its owner can write to";
            return Err(TreeError::Unfit { path: path.to_owned(), what });
        }
    }
    Ok(())
}

/// Numbers of all transactions, in order.
pub(in crate::apply) fn numbers(tree: &Tree) -> Result<Vec<u32>, TreeError> {
    let names = tree.list(TRANSACTIONS)?;
    let number = |name: &String| {
        let digits = name.len() >= 6 && name.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| name.parse().ok())?.filter(|number| *number > 0)
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn directory(number: u32) -> String {
    format!("{TRANSACTIONS}/{number:06}")
}

/// A number that is ours from here on.
pub(in crate::apply) fn claim(tree: &Tree) -> Result<u32, TreeError> {
    prepare_state_directory(tree)?;
    let mut number = numbers(tree)?.last().copied().unwrap_or_default();
    loop {
        number = number.saturating_add(1);
        if tree.make_directory(&directory(number), 0o700)? {
            break;
        }
    }
    for images in IMAGES {
        tree.make_directory(&format!("{}/{images}", directory(number)), 0o700)?;
    }
    Ok(number)
}

/// Forgets a transaction that changed nothing. The journal goes last but one: without an intent, all
/// that is left on the way is still one that changed nothing.
pub(in crate::apply) fn discard(tree: &Tree, number: u32) -> Result<(), TreeError> {
    let directory = directory(number);
    for images in IMAGES {
        let images = format!("{directory}/{images}");
        for name in tree.list(&images)? {
            tree.remove_file(&format!("{images}/{name}"))?;
        }
        tree.remove_empty_directory(&images)?;
    }
    tree.remove_file(&format!("{directory}/journal"))?;
    tree.remove_empty_directory(&directory)?;
    Ok(())
}

/// Writes an image and makes it last.
fn write_image(
    tree: &Tree,
    number: u32,
    which: &str,
    image: u32,
    bytes: &[u8],
) -> Result<(), TreeError> {
    let parent = format!("{}/{which}", directory(number));
    let path = format!("{parent}/{image}");
    let file = tree.open_own(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    write_whole(&file, bytes).map_err(TreeError::failed("write", &path))?;
    sync(&file, &path)?;
    sync(tree.open_directory(&parent)?, &parent)
}

/// What a file was before, kept.
pub(in crate::apply) fn keep_before(
    tree: &Tree,
    number: u32,
    image: u32,
    bytes: &[u8],
) -> Result<(), TreeError> {
    write_image(tree, number, "before", image, bytes)
}

/// What a file is to become, kept.
pub(in crate::apply) fn keep_after(
    tree: &Tree,
    number: u32,
    image: u32,
    bytes: &[u8],
) -> Result<(), TreeError> {
    write_image(tree, number, "after", image, bytes)
}

impl<'a> Transaction<'a> {
    /// Begins the journal; all images are on disk by now.
    pub(in crate::apply) fn begin(
        tree: &'a Tree,
        number: u32,
        prepare: Prepare,
    ) -> Result<Self, JournalError> {
        let directory = directory(number);
        let path = format!("{directory}/journal");
        let file = tree.open_own(&path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        let record = Record::Prepare(prepare);
        let impossible = || JournalError::Damaged {
            path: path.clone(),
            why: "it would not be understood again".to_owned(),
        };
        let story = Story::of(std::slice::from_ref(&record)).map_err(|_| impossible())?;
        let story = story.ok_or_else(impossible)?;
        let mut transaction = Self { tree, number, file, end: End::default(), story };
        transaction.write(&record)?;
        sync(tree.open_directory(&directory)?, &directory)?;
        Ok(transaction)
    }

    /// Reads a journal; `None` where it did not come to its first record.
    pub(in crate::apply) fn open(
        tree: &'a Tree,
        number: u32,
    ) -> Result<Option<Self>, JournalError> {
        let path = format!("{}/journal", directory(number));
        let file = match tree.open_own(&path, OFlags::RDWR) {
            // A tree that is only read is fine for whoever only reads.
            Err(TreeError::Failed { source: Errno::ROFS, .. }) => {
                tree.open_own(&path, OFlags::RDONLY)
            }
            other => other,
        };
        let file = match file {
            Err(TreeError::Failed { source: Errno::NOENT, .. }) => return Ok(None),
            other => other?,
        };
        let bytes = read_whole(&file, CAP, &path)?;
        let damaged = |why: String| JournalError::Damaged { path: path.clone(), why };
        let lines = lines::parse(&bytes).map_err(|damage| damaged(damage.to_string()))?;
        let story = Story::of(&lines.records).map_err(|error| damaged(error.to_string()))?;
        Ok(story.map(|story| Self { tree, number, file, end: lines.end, story }))
    }

    pub(in crate::apply) fn number(&self) -> u32 {
        self.number
    }

    pub(in crate::apply) fn story(&self) -> &Story {
        &self.story
    }

    /// Appends a record and makes it last. A record that could not be written is as if never begun.
    pub(in crate::apply) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let mut story = self.story.clone();
        if story.follow(record).is_none() {
            let path = format!("{}/journal", directory(self.number));
            let why = format!("{record:?} cannot follow");
            return Err(JournalError::Damaged { path, why });
        }
        self.write(record)?;
        self.story = story;
        Ok(())
    }

    fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        let number = self.number;
        let (line, end) = lines::line(record, &self.end)
            .map_err(|source| JournalError::Record { number, source })?;
        let path = format!("{}/journal", directory(number));
        let written = self.put(&line).map_err(TreeError::failed("write", &path));
        if let Err(error) = written.and_then(|()| sync(&self.file, &path)) {
            // What cannot be taken back either is a torn line or one that recovery can live with.
            let _ = retry_on_intr(|| rustix::fs::ftruncate(&self.file, self.end.length));
            return Err(error.into());
        }
        self.end = end;
        Ok(())
    }

    fn put(&self, line: &[u8]) -> Result<(), Errno> {
        let length = self.end.length;
        // A torn line of an earlier run must not run into this one.
        if rustix::fs::fstat(&self.file)?.st_size.cast_unsigned() != length {
            retry_on_intr(|| rustix::fs::ftruncate(&self.file, length))?;
        }
        let mut done = 0;
        while let Some(rest) = line.get(done..).filter(|rest| !rest.is_empty()) {
            let at = length + done as u64;
            match retry_on_intr(|| rustix::io::pwrite(&self.file, rest, at))? {
                0 => return Err(Errno::IO),
                count => done += count,
            }
        }
        Ok(())
    }

    /// The bytes of a file as it was before, checked; `None` where there was none.
    pub(in crate::apply) fn before(
        &self,
        file: &FileRecord,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let Content::Bytes(digest) = file.before else { return Ok(None) };
        let path = format!("{}/before/{}", directory(self.number), file.image);
        let image = self.tree.open_own(&path, OFlags::RDONLY)?;
        let bytes = read_whole(&image, replace::CAP, &path)?;
        if Content::of(Some(&bytes)) != Content::Bytes(digest) {
            return Err(JournalError::Image { path });
        }
        Ok(Some(bytes))
    }

    /// Keeps what stands in the place of a file that is about to be put back without knowing whose work
    /// it is.
    pub(in crate::apply) fn keep_found(
        &self,
        file: &FileRecord,
        bytes: &[u8],
    ) -> Result<(), TreeError> {
        let found = format!("{}/found", directory(self.number));
        self.tree.make_directory(&found, 0o700)?;
        write_image(self.tree, self.number, "found", file.image, bytes)
    }
}
