//! Numbers with their nouns, as people write them.

/// Returns a number with its noun, `1 node`, `3 nodes`, `2 networkpolicies`; the noun is given for one.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y'), noun.strip_suffix('s')) {
        (1, ..) => format!("1 {noun}"),
        (_, Some(start), _) => format!("{number} {start}ies"),
        (_, _, Some(_)) => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_from_many() {
        for (number, noun, said) in [
            (0, "node", "0 nodes"),
            (1, "node", "1 node"),
            (1, "policy", "1 policy"),
            (3, "policy", "3 policies"),
            (2, "address", "2 addresses"),
            (1, "address", "1 address"),
        ] {
            assert_eq!(counted(number, noun), said);
        }
    }
}
