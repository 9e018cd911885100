//! What is larger than memory should hold lies in a file without a name until it is packed. It is masked before it gets there.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use mizar_core::bundle::mask::text::{Lines, mask_json_line};

/// No line of a log is longer, or it is none. What goes beyond is left out.
const LONGEST_LINE: usize = 64 << 10;

/// What stands where a line was cut.
const CUT: &[u8] = b" (cut)";

/// Masks a log as it comes.
pub(super) struct Log {
    file: BufWriter<File>,
    lines: Lines,
    pending: Vec<u8>,
    /// Whether what comes up to the next line is left out.
    skips: bool,
    bytes: u64,
    broken: Option<io::Error>,
}

impl Log {
    pub(super) fn begin() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile()?),
            lines: Lines::default(),
            pending: Vec::new(),
            skips: false,
            bytes: 0,
            broken: None,
        })
    }

    /// Takes the next piece, which ends anywhere.
    pub(super) fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            if !self.skips {
                let room = LONGEST_LINE.saturating_sub(self.pending.len());
                self.pending.extend_from_slice(&text[..text.len().min(room)]);
                if text.len() > room {
                    self.line(CUT);
                    self.skips = true;
                }
            }
            if ends {
                if !self.skips {
                    self.line(b"");
                }
                self.skips = false;
            }
        }
    }

    /// Ends the log; returns it and how long it is.
    pub(super) fn finish(mut self) -> io::Result<(File, u64)> {
        if !self.pending.is_empty() {
            self.line(b"");
        }
        if let Some(error) = self.broken {
            return Err(error);
        }
        Ok((self.file.into_inner().map_err(io::IntoInnerError::into_error)?, self.bytes))
    }

    fn line(&mut self, end: &[u8]) {
        let text = String::from_utf8_lossy(&self.pending);
        let masked = self.lines.mask(&text);
        self.bytes += (masked.len() + end.len() + 1) as u64;
        let parts = [masked.as_bytes(), end, b"\n"];
        let written = parts.into_iter().try_for_each(|part| self.file.write_all(part));
        self.broken = self.broken.take().or(written.err());
        self.pending.clear();
    }
}

/// Masks JSON that is written with a field a line.
pub(super) struct Json {
    file: BufWriter<File>,
    pending: Vec<u8>,
}

impl Json {
    pub(super) fn begin() -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile()?), pending: Vec::new() })
    }

    pub(super) fn finish(mut self) -> io::Result<File> {
        self.line("\n")?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn line(&mut self, end: &str) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.pending);
        self.file.write_all(mask_json_line(&text).as_bytes())?;
        self.file.write_all(end.as_bytes())?;
        self.pending.clear();
        Ok(())
    }
}

impl Write for Json {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            self.pending.extend_from_slice(text);
            if ends {
                self.line("\n")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    fn read(mut file: File) -> String {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn masked(pieces: &[&[u8]]) -> String {
        let mut log = Log::begin().unwrap();
        for piece in pieces {
            log.take(piece);
        }
        let (file, bytes) = log.finish().unwrap();
        let text = read(file);
        assert_eq!(bytes, text.len() as u64);
        text
    }

    #[test]
    fn a_secret_is_found_wherever_the_pieces_end() {
        let whole = b"one\nAuthorization: Bearer planted-1234\n\ntoken=planted two";
        let wanted = "one\nAuthorization: (masked)\n\ntoken=(masked) two\n";
        for at in 0..whole.len() {
            assert_eq!(masked(&[&whole[..at], &whole[at..]]), wanted, "{at}");
        }
        assert_eq!(masked(&[]), "");
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_read() {
        let long = [b"x".repeat(3 * LONGEST_LINE).as_slice(), b" password=planted\nnext\xff\n"].concat();
        let text = masked(&[&long[..LONGEST_LINE + 5], &long[LONGEST_LINE + 5..]]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].len() == LONGEST_LINE + CUT.len() && lines[0].ends_with(" (cut)"));
        assert_eq!(lines[1], "next\u{fffd}");
    }

    #[test]
    fn json_is_masked_and_stays_json() {
        let value = serde_json::json!({"a": "Bearer planted-1234", "b": [1, {"c": "https://me:planted@host"}]});
        let mut json = Json::begin().unwrap();
        serde_json::to_writer_pretty(&mut json, &value).unwrap();
        let text = read(json.finish().unwrap());
        assert!(!text.contains("planted") && text.ends_with("}\n"), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["b"][1]["c"], "https://(masked)@host");
    }
}
