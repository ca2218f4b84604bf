//! The records of a journal. Their JSON is read by later versions of this program: fields are added, never
//! renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::apply::replace::{Content, Metadata};
use crate::plan::{ArgumentChange, Digest, InitramfsTool};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// All that is to be done, with all images on disk. Nothing was changed yet.
    Prepare(Prepare),
    /// From here on files change.
    Intent,
    Started {
        step: usize,
    },
    /// What a step's files are to become, where that was known only as it ran. Their images are on disk.
    Generated {
        step: usize,
        files: Vec<FileRecord>,
    },
    Done {
        step: usize,
    },
    /// The host was judged again and is as it should be.
    Verified,
    Committed,
    /// In place, or taken back, and to be seen in the next boot.
    PendingReboot {
        boot: String,
        add: Vec<String>,
        remove: Vec<String>,
    },
    Confirmed {
        boot: String,
    },
    Ineffective {
        boot: String,
        why: String,
    },
    Undoing {
        why: String,
    },
    RolledBack,
    Manual {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// Digest of the plan, 64 hexadecimal digits.
    pub plan: String,
    /// Version of this program.
    pub program: String,
    /// `None` for a tree that is not running.
    pub boot: Option<String>,
    /// Seconds since 1970.
    pub wall: u64,
    pub steps: Vec<StepRecord>,
    /// Directories that did not exist and are made for the files, outermost first.
    pub directories: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    pub rules: Vec<String>,
    pub kind: StepKindRecord,
    /// All files that it may change.
    pub files: Vec<FileRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepKindRecord {
    Write,
    BootMenu { add: Vec<String>, remove: Vec<String> },
    LoaderEntries { add: Vec<String>, remove: Vec<String> },
    Initramfs { tool: Tool },
    Kubelet { unit: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    UpdateInitramfs,
    Dracut,
    Mkinitcpio,
}

/// One file of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Names the images: `before/3`, `after/3`.
    pub image: u32,
    /// As the plan says it.
    pub path: String,
    /// Without a link at its end.
    pub real: String,
    /// 64 hexadecimal digits, or `absent`.
    #[serde(with = "content")]
    pub before: Content,
    /// The same; nothing where that is not known yet.
    #[serde(with = "planned", default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Content>,
    /// Of the file before; nothing where there was none.
    pub metadata: Option<MetadataRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataRecord {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Values in hexadecimal digits.
    pub xattrs: BTreeMap<String, String>,
}

impl StepKindRecord {
    /// The arguments that the next boot has to show for this step.
    pub(in crate::apply) fn change(&self) -> Option<ArgumentChange> {
        match self {
            Self::BootMenu { add, remove } | Self::LoaderEntries { add, remove } => {
                Some(ArgumentChange { add: add.clone(), remove: remove.clone() })
            }
            Self::Initramfs { .. } => Some(ArgumentChange::default()),
            Self::Write | Self::Kubelet { .. } => None,
        }
    }
}

impl From<InitramfsTool> for Tool {
    fn from(tool: InitramfsTool) -> Self {
        match tool {
            InitramfsTool::UpdateInitramfs => Self::UpdateInitramfs,
            InitramfsTool::Dracut => Self::Dracut,
            InitramfsTool::Mkinitcpio => Self::Mkinitcpio,
        }
    }
}

impl From<Tool> for InitramfsTool {
    fn from(tool: Tool) -> Self {
        match tool {
            Tool::UpdateInitramfs => Self::UpdateInitramfs,
            Tool::Dracut => Self::Dracut,
            Tool::Mkinitcpio => Self::Mkinitcpio,
        }
    }
}

impl MetadataRecord {
    pub(in crate::apply) fn of(metadata: &Metadata) -> Self {
        let xattrs = metadata.xattrs.iter().flatten();
        Self {
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            xattrs: xattrs.map(|(name, value)| (name.clone(), to_hex(value))).collect(),
        }
    }

    /// `None` where a value is no hexadecimal text.
    pub(in crate::apply) fn metadata(&self) -> Option<Metadata> {
        let xattrs = self.xattrs.iter().map(|(name, value)| Some((name.clone(), from_hex(value)?)));
        let xattrs = xattrs.collect::<Option<_>>()?;
        let Self { mode, uid, gid, .. } = *self;
        Some(Metadata { mode: mode & 0o7777, uid, gid, xattrs: Some(xattrs) })
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| u8::try_from(digit(high)? << 4 | digit(low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

fn written(content: Content) -> String {
    match content {
        Content::Absent => "absent".to_owned(),
        Content::Bytes(digest) => digest.to_string(),
    }
}

fn read(text: &str) -> Option<Content> {
    match text {
        "absent" => Some(Content::Absent),
        digest => Digest::parse(digest).map(Content::Bytes),
    }
}

mod content {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Content;

    pub(super) fn serialize<S: Serializer>(content: &Content, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::written(*content))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(input: D) -> Result<Content, D::Error> {
        let text = String::deserialize(input)?;
        super::read(&text).ok_or_else(|| D::Error::custom("no digest"))
    }
}

mod planned {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Content;

    #[expect(clippy::ref_option, reason = "serde asks for this signature")]
    pub(super) fn serialize<S: Serializer>(
        content: &Option<Content>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match content {
            Some(content) => out.serialize_str(&super::written(*content)),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        input: D,
    ) -> Result<Option<Content>, D::Error> {
        let text = Option::<String>::deserialize(input)?;
        let read = |text: String| super::read(&text).ok_or_else(|| D::Error::custom("no digest"));
        text.map(read).transpose()
    }
}
