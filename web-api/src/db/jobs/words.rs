//! Patterns that find a word in a text, in lower or upper case of any script.
//!
//! Both databases get every form of each letter: SQLite's LIKE ignores case only in ASCII, and PostgreSQL's
//! ILIKE does the same in a database with the locale C.

/// For PostgreSQL's `~`.
pub(super) fn regular_expression(word: &str) -> String {
    pattern(word, |pattern, character| {
        if character.is_ascii_punctuation() || character.is_ascii_whitespace() {
            pattern.push('\\');
        }
        pattern.push(character);
    })
}

/// For SQLite's GLOB, which matches the whole text.
pub(super) fn glob(word: &str) -> String {
    let inner = pattern(word, |pattern, character| {
        if matches!(character, '*' | '?' | '[') {
            pattern.extend(['[', character, ']']);
        } else {
            pattern.push(character);
        }
    });
    format!("*{inner}*")
}

fn pattern(word: &str, literal: impl Fn(&mut String, char)) -> String {
    let mut pattern = String::with_capacity(word.len() * 4);
    for character in word.chars() {
        let forms = forms(character);
        if forms.len() == 1 {
            literal(&mut pattern, character);
        } else {
            pattern.push('[');
            pattern.extend(forms);
            pattern.push(']');
        }
    }
    pattern
}

/// A letter in lower and upper case; itself alone when it has one form, or a form of several letters.
fn forms(character: char) -> Vec<char> {
    let small = single(character.to_lowercase()).unwrap_or(character);
    let large = single(small.to_uppercase()).unwrap_or(small);
    let mut forms = vec![character];
    for form in [small, large, if small == 'ß' { 'ẞ' } else { large }] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    first.filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_have_two_forms() {
        assert_eq!(glob("Üb1-"), "*[Üü][bB]1-*");
        assert_eq!(glob("δ ж ß İ 日"), "*[δΔ] [жЖ] [ßẞ] İ 日*");
    }

    #[test]
    fn what_means_something_in_a_pattern_stands_for_itself() {
        assert_eq!(glob("*?[]^_%\\"), "*[*][?][[]]^_%\\*");
        assert_eq!(
            regular_expression("***.(?i)[^]$ {2}|+\\"),
            "\\*\\*\\*\\.\\(\\?[iI]\\)\\[\\^\\]\\$\\ \\{2\\}\\|\\+\\\\"
        );
    }
}
