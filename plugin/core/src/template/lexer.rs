//! Splits Go template text into literal text and the tokens of actions, with the line of each. Trimming follows Go: only spaces, tabs and
//! line breaks go, and only beside a `-` that has a space on its other side.

use super::TemplateError;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Literal text, trimmed; `before` and `after` are the line breaks that trimming took away on either side.
    Text { text: String, line: usize, before: usize, after: usize },
    /// The tokens of one action.
    Action { tokens: Vec<Token>, line: usize, end_line: usize },
    /// A comment: only its line breaks matter.
    Comment { breaks: usize },
}

/// A token inside `{{ }}` with its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name without a dot: function, keyword, `true`, `nil`.
    Word(String),
    /// `.name`, directly after a word, field, variable or `)` when `attached`.
    Field {
        name: String,
        attached: bool,
    },
    /// A dot alone.
    Dot,
    /// `$` or `$name`.
    Variable(String),
    Text(String),
    Integer(i64),
    Float(f64),
    Pipe,
    Declare,
    Assign,
    Comma,
    Open,
    Close,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn split(path: &str, source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let mut trim_start = false;
    loop {
        let (text, after) = match rest.find("{{") {
            Some(at) => (&rest[..at], Some(&rest[at + 2..])),
            None => (rest, None),
        };
        let trims_end = after.is_some_and(starts_with_trim);
        pieces.push(text_piece(text, line, trim_start, trims_end));
        line += count_breaks(text);
        let Some(action) = after else { return Ok(pieces) };
        let action_line = line;
        let body = if trims_end { &action[1..] } else { action };
        let trimmed = body.trim_start_matches(SPACES);
        let (piece, remaining) = if trimmed.starts_with("/*") {
            comment(path, body, action_line)?
        } else {
            let mut lexer =
                Lexer { path, rest: body, line: action_line, depth: 0, tokens: Vec::new(), after_operand: false };
            let remaining = lexer.run()?;
            (Piece::Action { tokens: lexer.tokens, line: action_line, end_line: lexer.line }, remaining)
        };
        let consumed = action.len() - remaining.len();
        line += count_breaks(&action[..consumed]);
        trim_start = action[..consumed].ends_with("-}}")
            && action[..consumed - 3]
                .ends_with(|before: char| SPACES.contains(&before) || matches!(piece, Piece::Comment { .. }));
        pieces.push(piece);
        rest = remaining;
    }
}

pub(super) fn count_breaks(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn starts_with_trim(action: &str) -> bool {
    action.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACES))
}

fn text_piece(text: &str, line: usize, trim_start: bool, trim_end: bool) -> Piece {
    let started = if trim_start { text.trim_start_matches(SPACES) } else { text };
    let ended = if trim_end { started.trim_end_matches(SPACES) } else { started };
    Piece::Text {
        text: ended.to_string(),
        line,
        before: count_breaks(&text[..text.len() - started.len()]),
        after: count_breaks(&started[ended.len()..]),
    }
}

fn comment<'a>(path: &str, body: &'a str, line: usize) -> Result<(Piece, &'a str), TemplateError> {
    let failure = |message: &str| TemplateError::load(path, line, message);
    let start = body.find("/*").unwrap_or_default();
    let end = body[start + 2..].find("*/").ok_or_else(|| failure("the comment is not closed"))? + start + 4;
    let tail = &body[end..];
    let after = tail.trim_start_matches(SPACES);
    let closed = after.strip_prefix("-}}").filter(|_| after.len() < tail.len()).or_else(|| tail.strip_prefix("}}"));
    let remaining = closed.ok_or_else(|| failure("a comment must end with */}} or */ -}}"))?;
    Ok((Piece::Comment { breaks: count_breaks(&body[..body.len() - remaining.len()]) }, remaining))
}

struct Lexer<'a> {
    path: &'a str,
    rest: &'a str,
    line: usize,
    depth: usize,
    tokens: Vec<Token>,
    after_operand: bool,
}

impl<'a> Lexer<'a> {
    fn failure(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::load(self.path, self.line, message)
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += count_breaks(taken);
        self.rest = rest;
        taken
    }

    fn push(&mut self, kind: TokenKind, operand: bool) {
        self.tokens.push(Token { kind, line: self.line });
        self.after_operand = operand;
    }

    /// Lexes one action and returns what follows it.
    fn run(&mut self) -> Result<&'a str, TemplateError> {
        loop {
            let spaces = self.rest.len() - self.rest.trim_start_matches(SPACES).len();
            if spaces > 0 {
                self.advance(spaces);
                self.after_operand = false;
                if self.rest.starts_with("-}}") {
                    return self.close(3);
                }
            }
            if self.rest.starts_with("}}") {
                return self.close(2);
            }
            let Some(first) = self.rest.chars().next() else {
                return Err(self.failure("the action is not closed with }}"));
            };
            self.token(first)?;
        }
    }

    fn close(&mut self, width: usize) -> Result<&'a str, TemplateError> {
        if self.depth > 0 {
            return Err(self.failure("a parenthesis is not closed"));
        }
        Ok(&self.rest[width..])
    }

    fn token(&mut self, first: char) -> Result<(), TemplateError> {
        match first {
            '|' => self.operator(1, TokenKind::Pipe),
            ',' => self.operator(1, TokenKind::Comma),
            '=' => self.operator(1, TokenKind::Assign),
            ':' if self.rest.starts_with(":=") => self.operator(2, TokenKind::Declare),
            '(' => {
                self.depth += 1;
                self.operator(1, TokenKind::Open);
            }
            ')' => {
                let depth = self.depth.checked_sub(1).ok_or_else(|| self.failure("unexpected right parenthesis"))?;
                self.depth = depth;
                self.advance(1);
                self.push(TokenKind::Close, true);
            }
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '\'' => self.character()?,
            '$' => {
                self.advance(1);
                let name = self.name();
                self.push(TokenKind::Variable(name), true);
            }
            '.' if !self.rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                let attached = self.after_operand;
                self.advance(1);
                let name = self.name();
                let kind = if name.is_empty() { TokenKind::Dot } else { TokenKind::Field { name, attached } };
                self.push(kind, true);
            }
            '+' | '-' | '.' | '0'..='9' => self.number()?,
            letter if is_letter(letter) => {
                let name = self.name();
                self.push(TokenKind::Word(name), true);
            }
            other => return Err(self.failure(format!("unexpected character {other:?} in an action"))),
        }
        Ok(())
    }

    fn operator(&mut self, width: usize, kind: TokenKind) {
        self.advance(width);
        self.push(kind, false);
    }

    fn name(&mut self) -> String {
        let length = self.rest.find(|next: char| !is_letter(next) && !next.is_numeric()).unwrap_or(self.rest.len());
        self.advance(length).to_string()
    }

    fn quoted(&mut self) -> Result<(), TemplateError> {
        let mut escaped = false;
        let end = self.rest[1..].find(|next: char| {
            let ends = !escaped && (next == '"' || next == '\n');
            escaped = !escaped && next == '\\';
            ends
        });
        let end = end.map(|end| end + 1).filter(|end| self.rest[*end..].starts_with('"'));
        let end = end.ok_or_else(|| self.failure("a quoted string is not closed on its line"))?;
        let text = unescape(&self.rest[1..end]).map_err(|message| self.failure(message))?;
        self.advance(end + 1);
        self.push(TokenKind::Text(text), true);
        Ok(())
    }

    fn raw(&mut self) -> Result<(), TemplateError> {
        let end = self.rest[1..].find('`').ok_or_else(|| self.failure("a raw string is not closed"))? + 1;
        let text = self.rest[1..end].replace('\r', "");
        self.push(TokenKind::Text(text), true);
        self.advance(end + 1);
        Ok(())
    }

    fn character(&mut self) -> Result<(), TemplateError> {
        let length = self.rest[1..].char_indices().skip(1).find(|(_, next)| *next == '\'').map(|(at, _)| at + 1);
        let end = length.ok_or_else(|| self.failure("a character constant is not closed"))?;
        let text = unescape(&self.rest[1..end]).map_err(|message| self.failure(message))?;
        let mut characters = text.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            return Err(self.failure("a character constant must hold one character"));
        };
        self.advance(end + 1);
        self.push(TokenKind::Integer(i64::from(u32::from(character))), true);
        Ok(())
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        let mut previous = ' ';
        let length = self.rest.char_indices().find(|(at, next)| {
            let sign = matches!(next, '+' | '-') && (*at == 0 || matches!(previous, 'e' | 'E' | 'p' | 'P'));
            previous = *next;
            !(sign || next.is_ascii_alphanumeric() || matches!(next, '.' | '_'))
        });
        let text = &self.rest[..length.map_or(self.rest.len(), |(at, _)| at)];
        let kind = parse_number(text).ok_or_else(|| self.failure(format!("bad number syntax: {text:?}")))?;
        self.advance(text.len());
        self.push(kind, true);
        Ok(())
    }
}

fn is_letter(character: char) -> bool {
    character == '_' || character.is_alphabetic()
}

fn parse_number(text: &str) -> Option<TokenKind> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let (base, number) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(two) if two.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit()) => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if let Ok(magnitude) = u64::from_str_radix(number, base) {
        let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
        return value.map(TokenKind::Integer);
    }
    let decimal = lower.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'));
    let value = lower.parse::<f64>().ok().filter(|value| decimal && value.is_finite())?;
    Some(TokenKind::Float(if negative { -value } else { value }))
}

/// Go's escapes in quoted strings.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = characters.next().ok_or("a string ends with a backslash")?;
        let width = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let digits: String = characters.by_ref().take(width).collect();
        let code = u32::from_str_radix(&digits, 16);
        match escape {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'v' => out.push(11),
            '\\' | '\'' | '"' => out.push(u8::try_from(escape).unwrap_or_default()),
            'x' if digits.len() == 2 => {
                out.push(code.ok().and_then(|code| u8::try_from(code).ok()).ok_or("bad \\x escape")?);
            }
            'u' | 'U' if digits.len() == width => {
                let character = code.ok().and_then(char::from_u32).ok_or("bad \\u escape")?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => return Err(format!("unknown escape \\{other} in a string")),
        }
    }
    String::from_utf8(out).map_err(|_| "a string is not valid UTF-8".to_string())
}
