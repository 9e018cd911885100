//! Names as Kubernetes takes them.

/// Parses a name of a namespace or release: a DNS label.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    const LONGEST: usize = 63;
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| inner(*byte) && *byte != b'-');
    let bytes = text.as_bytes();
    if bytes.len() <= LONGEST && bytes.iter().all(|byte| inner(*byte)) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no name: lower-case letters, digits and hyphens, at most {LONGEST}, no hyphen at an end"
        ))
    }
}

/// Parses a text that goes into a header of requests, which has one line.
pub(crate) fn plain(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it holds control characters, such as a line break".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_has_one_line() {
        assert!(plain("ann@example.com").is_ok() && plain("").is_ok());
        assert!(plain("ann\n").is_err() && plain("a\u{0}").is_err());
    }

    #[test]
    fn names_are_dns_labels() {
        assert!(parse("mizar-system").is_ok() && parse("a1").is_ok());
        for text in ["", "-a", "a-", "A", "a.b", "a b", &"x".repeat(64)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
