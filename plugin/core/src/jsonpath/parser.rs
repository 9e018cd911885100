//! From the text of a template to its pieces.

use serde_json::{Number, Value};

use super::{Fault, Operator, Piece, Step, What};

/// Nobody nests filters deeper; a hostile text might.
const DEEPEST: usize = 16;

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, Fault> {
    // The pieces of the template itself, then those of each range that is open.
    let mut open: Vec<(Vec<Step>, Vec<Piece>)> = vec![(Vec::new(), Vec::new())];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let literal = rest.find('{').unwrap_or(rest.len());
        if literal > 0 {
            add(&mut open, Piece::Text(rest[..literal].to_owned()));
            at += literal;
            continue;
        }
        let mut reader = Reader { text, at: at + 1, end: text.len(), depth: 0 };
        match reader.action()? {
            Action::Print(steps) => add(&mut open, Piece::Print(steps)),
            Action::Range(over) => open.push((over, Vec::new())),
            Action::End => {
                let (over, body) =
                    open.pop().filter(|_| !open.is_empty()).ok_or_else(|| Fault::new(at, "{end} without a {range}"))?;
                add(&mut open, Piece::Range { over, body });
            }
        }
        at = reader.at;
    }
    // A range that nobody ends goes on to the end of the template.
    while open.len() > 1 {
        if let Some((over, body)) = open.pop() {
            add(&mut open, Piece::Range { over, body });
        }
    }
    Ok(open.pop().map(|(_, pieces)| pieces).unwrap_or_default())
}

fn add(open: &mut [(Vec<Step>, Vec<Piece>)], piece: Piece) {
    if let Some((_, pieces)) = open.last_mut() {
        pieces.push(piece);
    }
}

/// What stands between braces.
enum Action {
    Print(Vec<Step>),
    Range(Vec<Step>),
    End,
}

/// Reads a part of the text, from `at` to `end`.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes what comes as long as it fits.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|letter| !fits(letter)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Reads up to and including the closing brace.
    fn action(&mut self) -> Result<Action, Fault> {
        let opened = self.at - 1;
        self.take_while(is_blank);
        let begun = self.at;
        let word = self.take_while(|letter| !is_terminator(letter));
        let action = match word {
            "range" => Action::Range(self.steps(true)?),
            "end" => {
                self.take_while(is_blank);
                Action::End
            }
            _ => {
                self.at = begun;
                Action::Print(self.steps(true)?)
            }
        };
        match self.next() {
            Some('}') => Ok(action),
            None | Some('\n' | '\r') => Err(Fault::new(opened, "this { is never closed")),
            Some(other) => Err(Fault::new(self.at - other.len_utf8(), format!("{other:?} is not expected here"))),
        }
    }

    /// Reads steps: up to a closing brace, which is left, or to the end.
    fn steps(&mut self, in_braces: bool) -> Result<Vec<Step>, Fault> {
        let mut steps: Vec<Step> = Vec::new();
        while let Some(letter) = self.peek() {
            let at = self.at;
            let what = match letter {
                '}' | '\n' | '\r' if in_braces => break,
                ' ' | '\t' | '@' | '$' => {
                    self.next();
                    continue;
                }
                '[' => self.bracket()?,
                '"' | '\'' => What::Text(Value::String(self.quoted(letter)?)),
                '.' if self.rest().starts_with("..") => {
                    if matches!(steps.last(), Some(Step { what: What::Recursive, .. })) {
                        return Err(Fault::new(at, "more than one .. in a row"));
                    }
                    self.at += 2;
                    steps.push(Step { at, what: What::Recursive });
                    if !self.peek().is_some_and(|next| next.is_alphanumeric() || next == '_') {
                        continue;
                    }
                    self.field()
                }
                '.' => {
                    self.next();
                    self.field()
                }
                '+' | '-' | '0'..='9' => What::Constant(self.number()?),
                letter if letter.is_alphabetic() || letter == '_' => {
                    match self.take_while(|letter| !is_terminator(letter)) {
                        "true" => What::Constant(Value::Bool(true)),
                        "false" => What::Constant(Value::Bool(false)),
                        word => {
                            return Err(Fault::new(at, format!("unknown word {word:?}; a field is written .{word}")));
                        }
                    }
                }
                other => return Err(Fault::new(at, format!("{other:?} is not expected here"))),
            };
            steps.push(Step { at, what });
        }
        Ok(steps)
    }

    /// Reads the name of a field, behind its dot. A backslash takes its meaning from the next character.
    fn field(&mut self) -> What {
        let mut name = String::new();
        while let Some(letter) = self.peek() {
            if letter == '\\' {
                self.next();
                name.extend(self.next());
            } else if is_terminator(letter) {
                break;
            } else {
                name.push(letter);
                self.next();
            }
        }
        if name == "*" { What::Wildcard } else { What::Field(name) }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let begun = self.at;
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        self.take_while(|letter| letter.is_ascii_digit() || letter == '.');
        let text = &self.text[begun..self.at];
        let whole = text.parse::<i64>().ok().map(Number::from);
        let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
        number.map(Value::Number).ok_or_else(|| Fault::new(begun, format!("{text:?} is no number")))
    }

    /// Reads quoted text with the escapes of Go.
    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let opened = self.at;
        self.next();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None | Some('\n') => return Err(Fault::new(opened, "this quote is never closed")),
                Some('\\') => text.push(self.escape(quote).ok_or_else(|| Fault::new(at, "unknown escape"))?),
                Some(letter) if letter == quote => return Ok(text),
                Some(letter) => text.push(letter),
            }
        }
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self, quote: char) -> Option<char> {
        Some(match self.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            'x' => self.code(16, 2)?,
            'u' => self.code(16, 4)?,
            'U' => self.code(16, 8)?,
            '0'..='7' => {
                self.at -= 1;
                self.code(8, 3)?
            }
            letter if letter == quote => letter,
            _ => return None,
        })
    }

    fn code(&mut self, radix: u32, digits: usize) -> Option<char> {
        let text = self.rest().get(..digits)?;
        let code = text.chars().all(|digit| digit.is_digit(radix)).then(|| u32::from_str_radix(text, radix).ok())??;
        self.at += digits;
        char::from_u32(code)
    }

    /// Reads `[…]` of every kind.
    fn bracket(&mut self) -> Result<What, Fault> {
        let opened = self.at;
        if self.rest().starts_with("[?(") {
            return self.filter(opened);
        }
        self.next();
        let inside = self.take_while(|letter| letter != ']' && letter != '\n');
        let from = opened + 1;
        if self.next() != Some(']') {
            return Err(Fault::new(opened, "this [ is never closed"));
        }
        if !inside.contains(',') {
            let mut steps = self.subscript(from, inside)?;
            return Ok(match (steps.pop(), steps.is_empty()) {
                (Some(step), true) => step.what,
                // `['a.b']` is a path of several steps.
                (last, _) => What::Union(vec![steps.into_iter().chain(last).collect()]),
            });
        }
        let mut at = from;
        let mut union = Vec::new();
        for part in inside.split(',') {
            union.push(self.subscript(at + (part.len() - part.trim_start().len()), part.trim())?);
            at += part.len() + 1;
        }
        Ok(What::Union(union))
    }

    /// Reads one subscript, which stands at byte `at`: a key in quotes, an index or a slice.
    fn subscript(&self, at: usize, text: &str) -> Result<Vec<Step>, Fault> {
        if let Some(key) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            let mut reader = Reader { text: self.text, at: at + 1, end: at + 1 + key.len(), depth: self.depth };
            let first = Step { at, what: reader.field() };
            return Ok(std::iter::once(first).chain(reader.steps(false)?).collect());
        }
        let unusable =
            || Fault::new(at, format!("{text:?} is no index; a key is written ['key'], an index [0], a slice [0:2]"));
        let number = |text: &str| if text.is_empty() { Ok(None) } else { text.parse::<i64>().map(Some) };
        let what = if text == "*" {
            What::Slice { from: None, to: None, step: None }
        } else {
            let is_slice = |letter: char| letter.is_ascii_digit() || letter == '-' || letter == ':';
            let parts: Vec<Option<i64>> =
                text.split(':').map(number).collect::<Result<_, _>>().map_err(|_| unusable())?;
            match *parts.as_slice() {
                _ if !text.chars().all(is_slice) => return Err(unusable()),
                [Some(index)] => What::Index(index),
                [from, to] => What::Slice { from, to, step: None },
                [from, to, step] => What::Slice { from, to, step },
                _ => return Err(unusable()),
            }
        };
        Ok(vec![Step { at, what }])
    }

    /// Reads `[?(…)]`.
    fn filter(&mut self, opened: usize) -> Result<What, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::new(opened, "filters are nested too deep"));
        }
        self.at += "[?(".len();
        let from = self.at;
        let to = self.end_of_filter(opened)?;
        if self.next() != Some(']') {
            return Err(Fault::new(opened, "a filter ends with )]"));
        }
        let text = &self.text[from..to];
        let is_operator = |letter: char| "!<>=".contains(letter);
        let Some(begin) = text.find(is_operator).filter(|begin| *begin > 0) else {
            return Ok(What::Filter { left: self.part(from, to)?, comparison: None });
        };
        let length = text[begin..].find(|letter| !is_operator(letter)).unwrap_or(text.len() - begin);
        let (middle, right) = (from + begin, from + begin + length);
        let operator = match &self.text[middle..right] {
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            other => return Err(Fault::new(middle, format!("unknown operator {other}; there are == != < <= > >="))),
        };
        if self.text[right..to].trim().is_empty() {
            return Err(Fault::new(right, "nothing to compare with"));
        }
        Ok(What::Filter { left: self.part(from, middle)?, comparison: Some((operator, self.part(right, to)?)) })
    }

    /// Moves behind the parenthesis that closes a filter, and returns where it stands.
    fn end_of_filter(&mut self, opened: usize) -> Result<usize, Fault> {
        let mut quote = None;
        loop {
            let at = self.at;
            match self.next() {
                None | Some('\n') => return Err(Fault::new(opened, "this filter is never closed")),
                Some('\\') if quote.is_some() => {
                    self.next();
                }
                Some(letter @ ('"' | '\'')) => match quote {
                    None => quote = Some(letter),
                    Some(open) if open == letter => quote = None,
                    Some(_) => {}
                },
                Some(')') if quote.is_none() => return Ok(at),
                Some(_) => {}
            }
        }
    }

    fn part(&self, from: usize, to: usize) -> Result<Vec<Step>, Fault> {
        Reader { text: self.text, at: from, end: to, depth: self.depth + 1 }.steps(false)
    }
}

fn is_blank(letter: char) -> bool {
    letter == ' ' || letter == '\t'
}

fn is_terminator(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
