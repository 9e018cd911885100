//! Durations as Go programs take them.

use std::time::Duration;

/// Parses `90s`, `1m30s`, `500ms`, `2h`, and, as kubectl does, a bare number as seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    // The longer names first: `m` begins `ms`, too. Go takes both ways to write the sign for a millionth.
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("\u{b5}s", 1e-6),
        ("\u{3bc}s", 1e-6),
        ("ms", 1e-3),
        ("h", 3600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    let wrong = || format!("{text:?} is not a duration; write it like 90s, 5m or 1h30m");
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(wrong)?;
        seconds += number * factor;
        rest = &rest[unit.len()..];
    }
    if text.is_empty() || seconds > 1e9 { Err(wrong()) } else { Ok(Duration::from_secs_f64(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, micros) in [
            ("90s", 90_000_000),
            ("1m30s", 90_000_000),
            ("500ms", 500_000),
            ("1.5h", 5_400_000_000),
            (".5s", 500_000),
            ("2us", 2),
            ("2\u{b5}s", 2),
            ("2\u{3bc}s", 2),
            ("3000ns", 3),
            ("7", 7_000_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_micros(micros), "{text}");
        }
        for text in ["", "s", "5 s", "1.5", "-1s", "1d", "1s2", "1..5s", "1e99h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
