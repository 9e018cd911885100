//! Parses Go template text into the syntax tree. Knows the grammar only; whether names exist is for the translator.

use super::TemplateError;
use super::lexer::{Piece, Token, TokenKind, split};
use super::syntax::{Branch, Command, Define, Node, NodeKind, Operand, Pipeline};
use std::collections::VecDeque;

/// Blocks and parentheses nested deeper than this are refused: the engine below has a limit of its own without a good message.
const MAX_DEPTH: usize = 30;
/// How many values may stand in one command, commands in one pipe, and names in one path. The engine builds trees as deep as that.
const MAX_LENGTH: usize = 200;

/// Parses one template file.
pub(super) fn parse(path: &str, source: &str) -> Result<Vec<Node>, TemplateError> {
    let pieces = split(path, source)?.into();
    let mut parser = Parser { path, pieces, depth: 0, loops: 0 };
    let (nodes, end) = parser.nodes()?;
    match end {
        None => Ok(nodes),
        Some(end) => Err(parser.failure(end.line, format!("unexpected {{{{{}}}}}", end.word))),
    }
}

struct Parser<'a> {
    path: &'a str,
    pieces: VecDeque<Piece>,
    depth: usize,
    loops: usize,
}

/// What closed a list of nodes: `end`, or `else` with the tokens after it.
struct End {
    word: &'static str,
    line: usize,
    tokens: Vec<Token>,
    breaks: usize,
}

impl Parser<'_> {
    fn failure(&self, line: usize, message: impl Into<String>) -> TemplateError {
        TemplateError::load(self.path, line, message)
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Option<End>), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Comment { breaks } => push_breaks(&mut nodes, breaks),
                Piece::Text { text, line, before, after } => {
                    push_breaks(&mut nodes, before);
                    if !text.is_empty() {
                        nodes.push(Node { line: line + before, kind: NodeKind::Text(text) });
                    }
                    push_breaks(&mut nodes, after);
                }
                Piece::Action { tokens, line, end_line } => {
                    let breaks = end_line - line;
                    match first_word(&tokens) {
                        Some("end") => return Ok((nodes, Some(self.end("end", tokens, line, breaks)?))),
                        Some("else") => return Ok((nodes, Some(self.end("else", tokens, line, breaks)?))),
                        _ => {
                            let kind = self.action(tokens, line, breaks)?;
                            nodes.push(Node { line, kind });
                            let is_block = nodes.last().is_some_and(|node| is_block(&node.kind));
                            push_breaks(&mut nodes, if is_block { 0 } else { breaks });
                        }
                    }
                }
            }
        }
        Ok((nodes, None))
    }

    fn end(
        &self,
        word: &'static str,
        mut tokens: Vec<Token>,
        line: usize,
        breaks: usize,
    ) -> Result<End, TemplateError> {
        tokens.remove(0);
        if word == "end" && !tokens.is_empty() {
            return Err(self.failure(line, "unexpected words after {{end}}"));
        }
        Ok(End { word, line, tokens, breaks })
    }

    fn action(&mut self, mut tokens: Vec<Token>, line: usize, breaks: usize) -> Result<NodeKind, TemplateError> {
        let word = first_word(&tokens).unwrap_or_default().to_string();
        match word.as_str() {
            "if" | "with" | "range" | "define" => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(self.failure(line, format!("blocks are nested deeper than {MAX_DEPTH} levels")));
                }
                tokens.remove(0);
                let kind = match word.as_str() {
                    "if" | "with" => self.conditional(&word, tokens, line, breaks)?,
                    "range" => self.range(tokens, line, breaks)?,
                    _ => self.define(&tokens, line, breaks)?,
                };
                self.depth -= 1;
                Ok(kind)
            }
            "block" => Err(self.failure(line, "{{block}} is not supported; use {{define}} and {{template}}")),
            "template" => self.template(tokens, line),
            "break" | "continue" if tokens.len() == 1 => {
                if self.loops == 0 {
                    return Err(self.failure(line, format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                Ok(if word == "break" { NodeKind::Break } else { NodeKind::Continue })
            }
            _ => self.whole_pipeline(tokens, line, 1).map(NodeKind::Action),
        }
    }

    fn block_body(&mut self, name: &str, line: usize, breaks: usize) -> Result<(Vec<Node>, End), TemplateError> {
        let (inner, end) = self.nodes()?;
        let end = end.ok_or_else(|| self.failure(line, format!("{{{{{name}}}}} has no {{{{end}}}}")))?;
        let mut body = Vec::new();
        push_breaks(&mut body, breaks);
        body.extend(inner);
        Ok((body, end))
    }

    fn conditional(
        &mut self,
        word: &str,
        tokens: Vec<Token>,
        line: usize,
        breaks: usize,
    ) -> Result<NodeKind, TemplateError> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        let (mut tokens, mut branch_line, mut breaks) = (tokens, line, breaks);
        loop {
            let pipeline = self.whole_pipeline(tokens, branch_line, 1)?;
            let (mut body, end) = self.block_body(word, branch_line, breaks)?;
            if end.word == "end" {
                push_breaks(&mut body, end.breaks);
                branches.push(Branch { line: branch_line, pipeline, body });
                break;
            }
            branches.push(Branch { line: branch_line, pipeline, body });
            (branch_line, breaks) = (end.line, end.breaks);
            tokens = end.tokens;
            if tokens.is_empty() {
                otherwise = Some(self.last_branch(word, branch_line, breaks)?);
                break;
            }
            if first_word(&tokens) != Some(word) {
                return Err(
                    self.failure(branch_line, format!("{{{{else}}}} of {{{{{word}}}}} can only be followed by {word}"))
                );
            }
            tokens.remove(0);
        }
        Ok(match word {
            "if" => NodeKind::If { branches, otherwise },
            _ => NodeKind::With { branches, otherwise },
        })
    }

    fn last_branch(&mut self, word: &str, line: usize, breaks: usize) -> Result<Vec<Node>, TemplateError> {
        let (mut body, end) = self.block_body(word, line, breaks)?;
        if end.word != "end" {
            return Err(self.failure(end.line, format!("{{{{{word}}}}} has a second {{{{else}}}}")));
        }
        push_breaks(&mut body, end.breaks);
        Ok(body)
    }

    fn range(&mut self, tokens: Vec<Token>, line: usize, breaks: usize) -> Result<NodeKind, TemplateError> {
        let pipeline = self.whole_pipeline(tokens, line, 2)?;
        if !pipeline.declares && !pipeline.variables.is_empty() {
            return Err(self.failure(line, "{{range}} can only declare its variables with :="));
        }
        self.loops += 1;
        let (mut body, end) = self.block_body("range", line, breaks)?;
        self.loops -= 1;
        let mut otherwise = None;
        if end.word == "end" {
            push_breaks(&mut body, end.breaks);
        } else if end.tokens.is_empty() {
            otherwise = Some(self.last_branch("range", end.line, end.breaks)?);
        } else {
            return Err(self.failure(end.line, "{{else}} of {{range}} takes no words"));
        }
        Ok(NodeKind::Range { pipeline, body, otherwise })
    }

    fn define(&mut self, tokens: &[Token], line: usize, breaks: usize) -> Result<NodeKind, TemplateError> {
        if self.depth > 1 {
            return Err(self.failure(line, "{{define}} must stand outside of other blocks"));
        }
        let [Token { kind: TokenKind::Text(name), .. }] = tokens else {
            return Err(self.failure(line, "{{define}} takes one quoted name"));
        };
        let body = self.last_branch("define", line, breaks)?;
        Ok(NodeKind::Define(Define { name: name.clone(), body }))
    }

    fn template(&self, tokens: Vec<Token>, line: usize) -> Result<NodeKind, TemplateError> {
        let mut tokens = tokens.into_iter().skip(1);
        let Some(Token { kind: TokenKind::Text(name), .. }) = tokens.next() else {
            return Err(self.failure(line, "{{template}} takes a quoted name"));
        };
        let rest: Vec<Token> = tokens.collect();
        let argument = if rest.is_empty() { None } else { Some(self.whole_pipeline(rest, line, 0)?) };
        Ok(NodeKind::Template { name, argument })
    }

    fn whole_pipeline(&self, tokens: Vec<Token>, line: usize, max_variables: usize) -> Result<Pipeline, TemplateError> {
        let mut reader = PipelineReader { parser: self, tokens: tokens.into(), line, depth: 0 };
        let pipeline = reader.pipeline(max_variables)?;
        match reader.tokens.front() {
            None => Ok(pipeline),
            Some(token) => Err(self.failure(token.line, "unexpected right parenthesis")),
        }
    }
}

struct PipelineReader<'a> {
    parser: &'a Parser<'a>,
    tokens: VecDeque<Token>,
    line: usize,
    depth: usize,
}

impl PipelineReader<'_> {
    fn failure(&self, message: impl Into<String>) -> TemplateError {
        self.parser.failure(self.line, message)
    }

    fn check_length(&self, length: usize, of_what: &str) -> Result<(), TemplateError> {
        if length > MAX_LENGTH {
            Err(self.failure(format!("there are more than {MAX_LENGTH} {of_what}")))
        } else {
            Ok(())
        }
    }

    fn next(&mut self) -> Option<TokenKind> {
        let token = self.tokens.pop_front()?;
        self.line = token.line;
        Some(token.kind)
    }

    fn peek(&self, at: usize) -> Option<&TokenKind> {
        self.tokens.get(at).map(|token| &token.kind)
    }

    /// Reads up to the end or an unmatched `)`, which stays.
    fn pipeline(&mut self, max_variables: usize) -> Result<Pipeline, TemplateError> {
        if self.depth > MAX_DEPTH {
            return Err(self.failure(format!("parentheses are nested deeper than {MAX_DEPTH} levels")));
        }
        let line = self.tokens.front().map_or(self.line, |token| token.line);
        let (variables, declares) = self.variables(max_variables)?;
        let mut commands = vec![self.command()?];
        while self.peek(0) == Some(&TokenKind::Pipe) {
            self.next();
            commands.push(self.command()?);
            self.check_length(commands.len(), "commands in one pipe")?;
        }
        for command in &commands[1..] {
            let callable = match command.operands.first() {
                Some(Operand::Function(_)) => true,
                Some(Operand::Field(_) | Operand::Variable(..) | Operand::Chain(..)) => command.operands.len() > 1,
                _ => false,
            };
            if !callable {
                return Err(self.parser.failure(command.line, "a value cannot stand after | unless it is a function"));
            }
        }
        Ok(Pipeline { line, variables, declares, commands })
    }

    fn variables(&mut self, max: usize) -> Result<(Vec<String>, bool), TemplateError> {
        let Some(TokenKind::Variable(first)) = self.peek(0).cloned() else { return Ok((Vec::new(), false)) };
        let second = match (self.peek(1), self.peek(2)) {
            (Some(TokenKind::Comma), Some(TokenKind::Variable(second))) => Some(second.clone()),
            _ => None,
        };
        let operator = if second.is_some() { 3 } else { 1 };
        let declares = match self.peek(operator) {
            Some(TokenKind::Declare) => true,
            Some(TokenKind::Assign) => false,
            _ if second.is_some() => return Err(self.failure("a list of variables must be followed by :=")),
            _ => return Ok((Vec::new(), false)),
        };
        self.tokens.drain(..=operator);
        let variables: Vec<String> = std::iter::once(first).chain(second).collect();
        if variables.len() > max {
            return Err(self.failure("too many variables are declared here"));
        }
        if variables.iter().any(String::is_empty) {
            return Err(self.failure("$ cannot be set"));
        }
        Ok((variables, declares))
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let line = self.tokens.front().map_or(self.line, |token| token.line);
        let mut operands = Vec::new();
        while !matches!(self.peek(0), None | Some(TokenKind::Pipe | TokenKind::Close)) {
            operands.push(self.operand()?);
            self.check_length(operands.len(), "values in one call")?;
        }
        match operands.first() {
            None => return Err(self.parser.failure(line, "a value or a function is missing here")),
            Some(Operand::Nil) => return Err(self.parser.failure(line, "nil is not a command")),
            Some(_) => {}
        }
        Ok(Command { line, operands })
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let operand = match self.next() {
            Some(TokenKind::Word(word)) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                _ => Operand::Function(word),
            },
            Some(TokenKind::Dot) => Operand::Dot,
            Some(TokenKind::Field { name, .. }) => Operand::Field(vec![name]),
            Some(TokenKind::Variable(name)) => Operand::Variable(name, Vec::new()),
            Some(TokenKind::Text(text)) => Operand::Text(text),
            Some(TokenKind::Integer(value)) => Operand::Integer(value),
            Some(TokenKind::Float(value)) => Operand::Float(value),
            Some(TokenKind::Open) => {
                self.depth += 1;
                let inner = self.pipeline(0)?;
                self.depth -= 1;
                if self.next() != Some(TokenKind::Close) {
                    return Err(self.failure("a parenthesis is not closed"));
                }
                Operand::Pipeline(inner)
            }
            Some(other) => return Err(self.failure(format!("unexpected {} here", describe(&other)))),
            None => return Err(self.failure("a value is missing here")),
        };
        self.with_fields(operand)
    }

    fn with_fields(&mut self, operand: Operand) -> Result<Operand, TemplateError> {
        let mut fields = Vec::new();
        while let Some(TokenKind::Field { name, attached: true }) = self.peek(0) {
            fields.push(name.clone());
            self.next();
            self.check_length(fields.len(), "names in one path")?;
        }
        if fields.is_empty() {
            return Ok(operand);
        }
        Ok(match operand {
            Operand::Field(first) => Operand::Field(first.into_iter().chain(fields).collect()),
            Operand::Variable(name, first) => Operand::Variable(name, first.into_iter().chain(fields).collect()),
            Operand::Pipeline(pipeline) => Operand::Chain(pipeline, fields),
            Operand::Function(name) => return Err(self.failure(format!("write ({name}).{} instead", fields.join(".")))),
            _ => return Err(self.failure("a field cannot follow a literal")),
        })
    }
}

fn describe(token: &TokenKind) -> &'static str {
    match token {
        TokenKind::Declare => ":=",
        TokenKind::Assign => "=",
        TokenKind::Comma => "a comma",
        TokenKind::Pipe => "|",
        _ => "word",
    }
}

fn first_word(tokens: &[Token]) -> Option<&str> {
    match tokens.first().map(|token| &token.kind) {
        Some(TokenKind::Word(word)) => Some(word),
        _ => None,
    }
}

fn is_block(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::If { .. } | NodeKind::With { .. } | NodeKind::Range { .. } | NodeKind::Define(_))
}

fn push_breaks(nodes: &mut Vec<Node>, breaks: usize) {
    if breaks > 0 {
        nodes.push(Node { line: 0, kind: NodeKind::Breaks(breaks) });
    }
}
