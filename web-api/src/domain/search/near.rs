//! Suggests the term for a mistyped name.

use super::NAMES;

/// The term with nearly this name. A value in the input with such a name is found by `input.NAME`.
pub(super) fn near(name: &str) -> Option<&'static str> {
    // A path of several names leads into the input.
    if NAMES.contains(&name) || name.contains('.') {
        return None;
    }
    let name = name.to_lowercase();
    let known = NAMES.into_iter().filter(|known| is_near(&name, known));
    known.min_by_key(|known| distance(&name, known))
}

fn is_near(name: &str, known: &str) -> bool {
    let distance = distance(name, known);
    match known.len() {
        // Short names allow only a plural or two swapped letters: too many words are one letter away.
        ..4 => {
            distance == 0
                || name.strip_suffix('s') == Some(known)
                || distance == 1 && name.len() == known.len() && same_letters(name, known)
        }
        4..7 => distance <= 1,
        _ => distance <= 2,
    }
}

fn same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(other)
}

/// The edit distance: letters added, left out, replaced, or swapped with the next one.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // A name that is much longer cannot be near.
    if one.len().abs_diff(other.len()) > 2 {
        return one.len().abs_diff(other.len());
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, wanted) in other.iter().enumerate() {
            let above = &rows[i];
            let replaced = above[j] + usize::from(letter != wanted);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && letter == &other[j - 1] && &one[i - 1] == wanted {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mistyped_is_told_from_what_is_called_otherwise() {
        for (name, meant) in [
            ("satte", "state"),
            ("State", "state"),
            ("states", "state"),
            ("fucntion", "function"),
            ("fnction", "function"),
            ("queues", "queue"),
            ("tags", "tag"),
            ("tga", "tag"),
            ("ids", "id"),
            ("prioirty", "priority"),
            ("finishd", "finished"),
            ("erorr", "error"),
        ] {
            assert_eq!(near(name), Some(meant), "{name}");
        }
        for name in [
            "index",
            "user",
            "order",
            "email",
            "status",
            "tax",
            "bag",
            "uid",
            "url",
            "customer_id",
            "function.x",
            "name",
            "i",
            "",
        ] {
            assert_eq!(near(name), None, "{name}");
        }
    }
}
