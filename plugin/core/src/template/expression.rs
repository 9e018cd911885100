//! Translates pipelines, commands and operands. A call `f a b` becomes `f(_0=a, _1=b)`, a pipe `x | f a` becomes `x | f(_0=a)`; `and`, `or`
//! and `not` are Tera's own, which give operands like Go's; `include` of a literal name becomes a component.

use super::TemplateError;
use super::functions::{Effect, Function, Gives, lookup};
use super::ownership::Own;
use super::syntax::{Command, Operand, Pipeline};
use super::translate::{Translator, quote};

/// Tera source of a value, and what is known about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Expression {
    pub(super) code: String,
    /// Certainly a text, so it prints as it is.
    pub(super) is_text: bool,
    pub(super) own: Own,
    /// The variables whose maps may be inside the value, by their Tera names.
    pub(super) variables: Vec<String>,
}

impl Expression {
    /// The source that prints the value as Go does.
    pub(super) fn printed(&self) -> String {
        if self.is_text { self.code.clone() } else { format!("{} | text", self.code) }
    }

    fn plain(code: impl Into<String>) -> Self {
        Self { code: code.into(), own: Own::Deep, ..Self::default() }
    }
}

impl Translator<'_> {
    pub(super) fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Expression, TemplateError> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value)?);
        }
        Ok(value.unwrap_or_default())
    }

    fn command(&mut self, command: &Command, piped: Option<Expression>) -> Result<Expression, TemplateError> {
        let line = command.line;
        let (first, arguments) = command.operands.split_first().expect("the parser gives every command an operand");
        match first {
            Operand::Function(name) => self.function(name, arguments, piped, line),
            Operand::Field(_) | Operand::Variable(..) if !arguments.is_empty() => {
                self.method(first, arguments, piped, line)
            }
            _ if arguments.is_empty() && piped.is_none() => self.operand(first, line),
            _ => Err(self.failure(line, "a value that is no function cannot take arguments")),
        }
    }

    fn function(
        &mut self,
        name: &str,
        arguments: &[Operand],
        piped: Option<Expression>,
        line: usize,
    ) -> Result<Expression, TemplateError> {
        if let ("include", [Operand::Text(define), rest @ ..]) = (name, arguments) {
            let argument = match (rest, piped) {
                ([], Some(piped)) => piped.code,
                ([argument], None) => self.operand(argument, line)?.code,
                _ => return Err(self.failure(line, "include takes a name and one value")),
            };
            return self.include(line, define, &argument);
        }
        let values = arguments.iter().map(|operand| self.operand(operand, line)).collect::<Result<Vec<_>, _>>()?;
        self.call(name, &values, piped.as_ref(), line)
    }

    /// Writes a call of a function of the table, after checking that it exists and takes that many arguments.
    pub(super) fn call(
        &mut self,
        name: &str,
        values: &[Expression],
        piped: Option<&Expression>,
        line: usize,
    ) -> Result<Expression, TemplateError> {
        let function = lookup(name).ok_or_else(|| self.unknown_function(name, line))?;
        let all: Vec<&Expression> = values.iter().chain(piped).collect();
        self.check_count(function, all.len(), line)?;
        match function.effect {
            Effect::ChangesFirst => {
                let of_mutation =
                    values.first().is_some_and(|first| self.variables.iter().any(|known| known.code == first.code));
                if !of_mutation || values.first().is_some_and(|first| !first.variables.is_empty()) {
                    self.check_fresh(name, &all, line)?;
                }
            }
            Effect::Keeps => {
                for value in &all {
                    let value = (*value).clone();
                    if !matches!(function.gives, Gives::Argument) {
                        self.escape(&value, line)?;
                    }
                }
            }
            Effect::Reads => {}
        }
        let code = match name {
            "and" | "or" => {
                let operands: Vec<&str> = all.iter().map(|value| value.code.as_str()).collect();
                format!("({})", operands.join(&format!(" {name} ")))
            }
            "not" => format!("(not {})", all[0].code),
            _ => call_code(name, values, piped),
        };
        Ok(result(function, code, &all))
    }

    fn check_count(&self, function: &Function, count: usize, line: usize) -> Result<(), TemplateError> {
        if function.arguments.contains(&count) {
            return Ok(());
        }
        let (least, most) = (function.arguments.start(), function.arguments.end());
        let wanted = match (least, most) {
            (least, most) if least == most => format!("{least}"),
            (least, &usize::MAX) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        Err(self.failure(line, format!("{} takes {wanted} arguments, here it has {count}", function.name)))
    }

    fn unknown_function(&self, name: &str, line: usize) -> TemplateError {
        let near = super::functions::nearest(name);
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.failure(
            line,
            format!("function \"{name}\" is not in the dialect of Helm templates that is supported here{hint}"),
        )
    }

    fn method(
        &mut self,
        receiver: &Operand,
        arguments: &[Operand],
        piped: Option<Expression>,
        line: usize,
    ) -> Result<Expression, TemplateError> {
        let (Operand::Field(fields) | Operand::Variable(_, fields)) = receiver else {
            return Err(self.failure(line, "a value that is no function cannot take arguments"));
        };
        let mut owner = receiver.clone();
        if let Operand::Field(fields) | Operand::Variable(_, fields) = &mut owner {
            fields.pop();
        }
        let function = match fields.as_slice() {
            [.., object, method] if object == "Files" && method == "Get" => "files_get",
            [.., object, method] if object == "APIVersions" && method == "Has" => "versions_has",
            _ => {
                let written = format!(".{}", fields.join("."));
                let message = format!(
                    "{written} cannot be called; only .Files.Get and .Capabilities.APIVersions.Has take arguments"
                );
                return Err(self.failure(line, message));
            }
        };
        let object = self.operand(&owner, line)?;
        let mut values = vec![object];
        for argument in arguments {
            values.push(self.operand(argument, line)?);
        }
        values.extend(piped);
        if values.len() != 2 {
            return Err(self.failure(line, format!(".{} takes one argument", fields.join("."))));
        }
        Ok(Expression {
            code: call_code(function, &values, None),
            is_text: function == "files_get",
            own: Own::Deep,
            variables: Vec::new(),
        })
    }

    pub(super) fn operand(&mut self, operand: &Operand, line: usize) -> Result<Expression, TemplateError> {
        Ok(match operand {
            Operand::Nil => Expression::plain("none"),
            Operand::Bool(value) => Expression::plain(value.to_string()),
            Operand::Integer(value) if *value < 0 => Expression::plain(negative(*value)),
            Operand::Integer(value) => Expression::plain(value.to_string()),
            Operand::Float(value) if *value < 0.0 => Expression::plain(format!("(-{})", float_code(-value))),
            Operand::Float(value) => Expression::plain(float_code(*value)),
            Operand::Text(text) => Expression { is_text: true, ..Expression::plain(quote(text)) },
            Operand::Dot => Expression { code: self.dot.clone(), ..Expression::default() },
            Operand::Field(fields) => {
                self.check_fields(fields, line)?;
                Expression { code: with_fields(&self.dot, ".", fields), ..Expression::default() }
            }
            Operand::Variable(name, fields) if name.is_empty() => {
                self.check_fields(fields, line)?;
                Expression { code: with_fields("dot", ".", fields), ..Expression::default() }
            }
            Operand::Variable(name, fields) => {
                let variable =
                    self.find(name).ok_or_else(|| self.failure(line, format!("undefined variable ${name}")))?;
                let (code, own, whole) = (variable.code.clone(), variable.own, fields.is_empty());
                Expression {
                    code: with_fields(&code, "?.", fields),
                    is_text: false,
                    own: if whole || own == Own::Deep { own } else { Own::No },
                    variables: vec![code],
                }
            }
            Operand::Function(name) => self.call(name, &[], None, line)?,
            Operand::Pipeline(inner) => {
                let inner = self.pipeline(inner)?;
                Expression { code: format!("({})", inner.code), ..inner }
            }
            Operand::Chain(inner, fields) => {
                let inner = self.pipeline(inner)?;
                let names: Vec<Expression> = fields.iter().map(|field| Expression::plain(quote(field))).collect();
                let values: Vec<Expression> = std::iter::once(inner.clone()).chain(names).collect();
                Expression {
                    code: call_code("field", &values, None),
                    own: Own::No,
                    is_text: false,
                    variables: inner.variables,
                }
            }
        })
    }

    /// Methods without arguments would silently read as missing fields.
    fn check_fields(&self, fields: &[String], line: usize) -> Result<(), TemplateError> {
        match fields {
            [first, method, ..] if first == "Files" => {
                Err(self.failure(line, format!(".Files.{method} is not supported here; .Files.Get \"name\" is")))
            }
            [.., last] if fields.len() > 1 && last == "AsMap" => {
                Err(self.failure(line, ".AsMap is not supported here"))
            }
            _ => Ok(()),
        }
    }
}

/// What is known of a call's result.
fn result(function: &Function, code: String, arguments: &[&Expression]) -> Expression {
    let all_deep = arguments.iter().all(|value| value.own == Own::Deep);
    let held = || arguments.iter().flat_map(|value| value.variables.clone()).collect();
    match function.gives {
        Gives::Text => Expression { code, is_text: true, own: Own::Deep, variables: Vec::new() },
        Gives::Plain | Gives::New => Expression { code, own: Own::Deep, ..Expression::default() },
        Gives::Map => {
            Expression { code, own: if all_deep { Own::Deep } else { Own::Shallow }, ..Expression::default() }
        }
        Gives::Argument => Expression { code, own: Own::No, is_text: false, variables: held() },
    }
}

fn negative(value: i64) -> String {
    // The engine reads a minus and a positive number, which the least integer does not have.
    if value == i64::MIN { format!("(-{} - 1)", i64::MAX) } else { format!("({value})") }
}

fn float_code(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn call_code(name: &str, values: &[Expression], piped: Option<&Expression>) -> String {
    let arguments: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("_{at}={}", value.code)).collect();
    match piped {
        None => format!("{name}({})", arguments.join(", ")),
        Some(piped) if arguments.is_empty() => format!("{} | {name}", piped.code),
        Some(piped) => format!("{} | {name}({})", piped.code, arguments.join(", ")),
    }
}

/// Appends a chain of fields; a name that Tera would read as a word of its own goes into brackets.
fn with_fields(base: &str, first_separator: &str, fields: &[String]) -> String {
    let mut code = base.to_string();
    for (at, field) in fields.iter().enumerate() {
        let readable = field.is_ascii() && !matches!(field.as_str(), "true" | "True" | "false" | "False");
        if readable {
            code.push_str(if at == 0 { first_separator } else { "." });
            code.push_str(field);
        } else {
            code.push('[');
            code.push_str(&quote(field));
            code.push(']');
        }
    }
    // The version of the cluster prints as its version, while it is an object with fields.
    if let [.., object, last] = fields
        && object == "Capabilities"
        && last == "KubeVersion"
    {
        code.push_str(".Version");
    }
    code
}
