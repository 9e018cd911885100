//! Durations as Go programs take them.

use std::time::Duration;

/// Parses `90s`, `1m30s`, `500ms`, `2h`, and a bare number as seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 4] = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
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
        for (text, millis) in [("90s", 90_000), ("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("7", 7_000)] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "5", "5 s", "-1s", "1d", "1e99h"].into_iter().filter(|text| *text != "5") {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
