//! Splits a search into its terms: words, names with an operator and a value, quotes. `parse` gives them
//! their meaning.
//!
//! Not a parser library: a search has no nesting, and its errors name a character and a suggested term.

use super::{SearchError, Sign, begins_name, is_of_name};

/// A text with its position, from 1.
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) at: usize,
}

pub(super) enum Term {
    Word(Placed),
    Field { name: Placed, sign: Sign, value: Placed },
}

pub(super) struct Terms {
    characters: Vec<char>,
    /// How many characters were read.
    place: usize,
}

impl Terms {
    pub(super) fn of(text: &str) -> Result<Self, SearchError> {
        let characters: Vec<char> = text.chars().collect();
        if let Some(at) = characters.iter().position(|character| *character == '\0') {
            return Err(wrong(at, "the character U+0000 is in no job"));
        }
        Ok(Self { characters, place: 0 })
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.place).copied()
    }

    pub(super) fn next(&mut self) -> Result<Option<Term>, SearchError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.place += 1;
        }
        if self.peek().is_none() {
            return Ok(None);
        }
        if let Some((name, sign)) = self.name_and_sign() {
            let at = self.place;
            let value = self.value()?;
            if value.is_empty() {
                let message = format!(
                    "a value is missing after {:?}; to look for words with such a sign, put them in quotes",
                    name.text
                );
                return Err(wrong(at, message));
            }
            let value = Placed {
                text: value,
                at: at + 1,
            };
            return Ok(Some(Term::Field { name, sign, value }));
        }
        let at = self.place;
        let text = self.value()?;
        if text.is_empty() {
            return Err(wrong(at, "there is nothing between the quotes"));
        }
        Ok(Some(Term::Word(Placed { text, at: at + 1 })))
    }

    /// Nothing is consumed unless both are there.
    fn name_and_sign(&mut self) -> Option<(Placed, Sign)> {
        let rest = &self.characters[self.place..];
        let length = rest
            .iter()
            .take_while(|character| is_of_name(**character) || **character == '.')
            .count();
        if !rest.first().copied().is_some_and(begins_name) {
            return None;
        }
        let text: String = rest[..length].iter().collect();
        let after: String = rest[length..].iter().take(2).collect();
        let (written, sign) = Sign::ALL
            .into_iter()
            .find(|(written, _)| after.starts_with(written))?;
        let name = Placed {
            text,
            at: self.place + 1,
        };
        self.place += length + written.len();
        Some((name, sign))
    }

    /// A text in quotes, or everything up to the next blank.
    fn value(&mut self) -> Result<String, SearchError> {
        let mut text = String::new();
        if self.peek() != Some('"') {
            while let Some(character) = self.peek().filter(|character| !character.is_whitespace()) {
                text.push(character);
                self.place += 1;
            }
            return Ok(text);
        }
        let opened = self.place;
        self.place += 1;
        loop {
            match self.peek() {
                None => return Err(wrong(opened, "the quotes that begin here do not end")),
                Some('"') => {
                    self.place += 1;
                    return match self.peek() {
                        Some(next) if !next.is_whitespace() => {
                            Err(wrong(self.place, "a blank is missing after the quotes"))
                        }
                        _ => Ok(text),
                    };
                }
                Some('\\') => {
                    self.place += 1;
                    match self.peek() {
                        Some(escaped @ ('"' | '\\')) => text.push(escaped),
                        _ => return Err(wrong(self.place, "only \\\" and \\\\ are known within quotes")),
                    }
                }
                Some(character) => text.push(character),
            }
            self.place += 1;
        }
    }
}

/// `place` is counted from 0.
pub(super) fn wrong(place: usize, message: impl Into<String>) -> SearchError {
    SearchError {
        at: place + 1,
        message: message.into(),
    }
}
