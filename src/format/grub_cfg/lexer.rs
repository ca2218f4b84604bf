//! GRUB's own lexer: words with their quotes undone, and what stands between commands.
//!
//! The rules are those of grub-core/script/yylex.l. They look like a shell's and are not: there are no
//! tildes, no command substitution and no escapes inside single quotes.

use super::GrubCfgError;

/// One word: texts and variables, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
    /// Whether it is written without any quote or backslash, as a reserved word must be.
    pub(super) bare: bool,
    /// From 1.
    pub(super) line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    /// Outside quotes its value is split at blanks.
    Variable {
        name: String,
        quoted: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// A newline or one of `; & | < >`: a command ends here.
    End,
    Open,
    Close,
}

impl Word {
    /// The text of a word without variables.
    pub(super) fn literal(&self) -> Option<String> {
        match self.parts.as_slice() {
            [] => Some(String::new()),
            [Part::Text(text)] => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// Whether it is exactly this reserved word.
    pub(super) fn is_reserved(&self, word: &str) -> bool {
        self.bare && matches!(self.parts.as_slice(), [Part::Text(text)] if text == word.as_bytes())
    }
}

/// Reads tokens one by one; every byte is looked at once.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Behind the last token.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(byte)
    }

    pub(super) fn next_token(&mut self) -> Result<Option<Token>, GrubCfgError> {
        loop {
            match self.peek() {
                None => return Ok(None),
                Some(b' ' | b'\t') => {
                    self.bump();
                }
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.bump();
                    }
                }
                Some(b'\n' | b';' | b'&' | b'|' | b'<' | b'>') => {
                    self.bump();
                    return Ok(Some(Token::End));
                }
                Some(b'{') => {
                    self.bump();
                    return Ok(Some(Token::Open));
                }
                Some(b'}') => {
                    self.bump();
                    return Ok(Some(Token::Close));
                }
                Some(_) => {
                    let word = self.word()?;
                    // A backslash and a newline between blanks is no word.
                    if word.bare || !word.parts.is_empty() {
                        return Ok(Some(Token::Word(word)));
                    }
                }
            }
        }
    }

    fn word(&mut self) -> Result<Word, GrubCfgError> {
        let mut word = Builder { parts: Vec::new(), text: Vec::new(), quoted: false };
        let line = self.line;
        let mut bare = true;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'{' | b'}' => break,
                b'\\' => {
                    bare = false;
                    self.bump();
                    match self.bump() {
                        None | Some(b'\n') => {}
                        Some(escaped) => word.text.push(escaped),
                    }
                }
                b'\'' => {
                    bare = false;
                    self.single_quoted(&mut word)?;
                }
                b'"' => {
                    bare = false;
                    self.double_quoted(&mut word, true)?;
                }
                b'$' => {
                    bare = false;
                    self.bump();
                    if self.peek() == Some(b'"') {
                        // A text for translation: a dollar in it is an ordinary character.
                        self.double_quoted(&mut word, false)?;
                    } else {
                        let name = self.variable()?;
                        word.push_variable(name, false);
                    }
                }
                _ => {
                    self.bump();
                    word.text.push(byte);
                }
            }
        }
        Ok(word.finish(bare, line))
    }

    fn single_quoted(&mut self, word: &mut Builder) -> Result<(), GrubCfgError> {
        let line = self.line;
        self.bump();
        word.quoted = true;
        loop {
            match self.bump() {
                None => return Err(GrubCfgError::OpenQuote { line }),
                Some(b'\'') => return Ok(()),
                Some(byte) => word.text.push(byte),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Builder, expands: bool) -> Result<(), GrubCfgError> {
        let line = self.line;
        self.bump();
        word.quoted = true;
        loop {
            match self.bump() {
                None => return Err(GrubCfgError::OpenQuote { line }),
                Some(b'"') => return Ok(()),
                Some(b'\\') => match self.bump() {
                    None => return Err(GrubCfgError::OpenQuote { line }),
                    Some(b'\n') => {}
                    Some(byte @ (b'$' | b'\\' | b'"')) => word.text.push(byte),
                    Some(byte) => word.text.extend([b'\\', byte]),
                },
                Some(b'$') if expands => {
                    let name = self.variable()?;
                    word.push_variable(name, true);
                }
                Some(byte) => word.text.push(byte),
            }
        }
    }

    /// The name behind a dollar.
    fn variable(&mut self) -> Result<String, GrubCfgError> {
        let line = self.line;
        let braced = self.peek() == Some(b'{');
        if braced {
            self.bump();
        }
        let mut name = String::new();
        match self.peek() {
            Some(byte @ (b'?' | b'#' | b'*' | b'@')) => {
                self.bump();
                name.push(char::from(byte));
            }
            Some(first) if first.is_ascii_alphanumeric() || first == b'_' => {
                let digits = first.is_ascii_digit();
                while let Some(byte) = self.peek() {
                    let belongs = byte.is_ascii_digit()
                        || (!digits && (byte.is_ascii_alphabetic() || byte == b'_'));
                    if !belongs {
                        break;
                    }
                    self.bump();
                    name.push(char::from(byte));
                }
            }
            _ => return Err(GrubCfgError::BadVariable { line }),
        }
        if braced && self.bump() != Some(b'}') {
            return Err(GrubCfgError::BadVariable { line });
        }
        Ok(name)
    }
}

struct Builder {
    parts: Vec<Part>,
    text: Vec<u8>,
    /// Whether a quote was seen, so that the word exists even where it is empty.
    quoted: bool,
}

impl Builder {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        }
    }

    fn push_variable(&mut self, name: String, quoted: bool) {
        self.flush();
        self.parts.push(Part::Variable { name, quoted });
    }

    fn finish(mut self, bare: bool, line: u32) -> Word {
        self.flush();
        if self.parts.is_empty() && self.quoted {
            self.parts.push(Part::Text(Vec::new()));
        }
        Word { parts: self.parts, bare, line }
    }
}
