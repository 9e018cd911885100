//! Sizes as Kubernetes writes them.

/// Parses `50Mi`, `1Gi`, `200k`, `52428800`, and `50MiB` as other tools write it.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("k", 1_000),
        ("K", 1_000),
        ("Ki", 1 << 10),
        ("M", 1_000_000),
        ("Mi", 1 << 20),
        ("G", 1_000_000_000),
        ("Gi", 1 << 30),
    ];
    let wrong = || format!("{text:?} is not a size; write it like 50Mi or 1Gi");
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_suffix('B').unwrap_or(unit);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = UNITS.iter().find(|(known, _)| *known == unit).map(|(_, factor)| *factor).ok_or_else(wrong)?;
    number.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_and_others_write_them() {
        for (text, bytes) in [
            ("52428800", 52_428_800),
            ("50Mi", 50 << 20),
            ("50MiB", 50 << 20),
            ("1G", 1_000_000_000),
            ("3k", 3_000),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "Mi", "50 Mi", "-1", "1.5Gi", "5x", "99999999999Gi"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
