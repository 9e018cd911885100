//! Writes Tera source for a parsed Go template: one action becomes one tag on the same line, so that the engine's positions are the chart's.
//! Every variable and every `.` gets a name of its own, because Tera's scopes are flat; Helm's functions keep their names.
//! Whatever the dialect does not hold is refused here, with its line, before anything is rendered.

use super::TemplateError;
use super::expression::Expression;
use super::ownership::{Own, Variable};
use super::syntax::{Branch, Node, NodeKind, Operand, Pipeline};
use std::collections::BTreeMap;

/// How many variables may be in sight at one place.
const MOST_VARIABLES: usize = 1000;

/// What the whole set of templates defines: for each name, whether it can reach itself.
pub(super) type Defines = BTreeMap<String, Recursion>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recursion {
    None,
    Possible,
}

/// Translates one file. Of its defines only those are kept that `keep` accepts: of equal names the last parsed wins.
pub(super) fn translate(
    path: &str,
    nodes: &[Node],
    defines: &Defines,
    keep: &dyn Fn(&str) -> bool,
) -> Result<String, TemplateError> {
    let mut translator = Translator::new(path, defines);
    translator.top_level(nodes, keep)?;
    translator.flush_breaks();
    Ok(translator.out)
}

/// The name of the component that a define becomes: its own where Tera can read it.
pub(super) fn component_name(define: &str) -> String {
    let readable = define.split('.').all(|part| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !matches!(part, "true" | "True" | "false" | "False")
    });
    if readable && !define.starts_with("hex_") {
        return define.to_string();
    }
    let hex: Vec<String> = define.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("hex_{}", hex.concat())
}

/// A part of the source, and the line breaks that its end still owes.
struct Apart {
    code: String,
    breaks: usize,
}

pub(super) struct Translator<'a> {
    pub(super) path: &'a str,
    pub(super) defines: &'a Defines,
    out: String,
    /// Line breaks that trimming took from the text; they go into the next tag.
    breaks: usize,
    counter: usize,
    /// The variables in sight; an inner one hides an outer one of the same name.
    pub(super) variables: Vec<Variable>,
    /// The name that `.` has here.
    pub(super) dot: String,
    /// The loops around this place, by number.
    pub(super) loops: Vec<usize>,
}

impl<'a> Translator<'a> {
    fn new(path: &'a str, defines: &'a Defines) -> Self {
        let dot = "dot".to_string();
        Self { path, defines, out: String::new(), breaks: 0, counter: 0, variables: Vec::new(), dot, loops: Vec::new() }
    }

    pub(super) fn failure(&self, line: usize, message: impl Into<String>) -> TemplateError {
        TemplateError::load(self.path, line, message)
    }

    fn top_level(&mut self, nodes: &[Node], keep: &dyn Fn(&str) -> bool) -> Result<(), TemplateError> {
        for node in nodes {
            let NodeKind::Define(define) = &node.kind else {
                self.node(node)?;
                continue;
            };
            // A define sees nothing of the file around it.
            let outside = std::mem::take(&mut self.variables);
            if keep(&define.name) {
                let name = component_name(&define.name);
                let body = self.apart(|this| this.nodes(&define.body))?;
                self.tag(&format!("{{% component {name}(dot) %}}"));
                self.tag(&format!("{{{{ entered(_0={}) }}}}", body.code.len()));
                self.append(&body);
                self.tag("{% endcomponent %}");
            } else {
                let written = std::mem::take(&mut self.out);
                self.nodes(&define.body)?;
                let dropped = std::mem::replace(&mut self.out, written);
                self.breaks += super::lexer::count_breaks(&dropped);
            }
            self.variables = outside;
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<(), TemplateError> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    /// Translates a block's body; what it declares ends with it.
    fn scope(&mut self, nodes: &[Node]) -> Result<(), TemplateError> {
        let visible = self.variables.len();
        self.nodes(nodes)?;
        self.variables.truncate(visible);
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<(), TemplateError> {
        match &node.kind {
            NodeKind::Text(text) => self.text(text),
            NodeKind::Breaks(breaks) => self.breaks += breaks,
            NodeKind::Action(pipeline) => self.action(pipeline)?,
            NodeKind::If { branches, otherwise } => self.conditional(branches, otherwise.as_deref())?,
            NodeKind::With { branches, otherwise } => self.with(branches, otherwise.as_deref())?,
            NodeKind::Range { pipeline, body, otherwise } => {
                self.range(node.line, pipeline, body, otherwise.as_deref())?;
            }
            NodeKind::Break => self.tag("{% break %}"),
            NodeKind::Continue => self.tag("{% continue %}"),
            NodeKind::Template { name, argument } => {
                let argument = match argument {
                    Some(pipeline) => self.pipeline(pipeline)?.code,
                    None => "none".to_string(),
                };
                let call = self.include(node.line, name, &argument)?;
                self.tag(&format!("{{{{ {} }}}}", call.code));
            }
            NodeKind::Define(_) => return Err(self.failure(node.line, "{{define}} must stand outside of other blocks")),
        }
        Ok(())
    }

    /// Translates something for itself, so that its length is known before what stands in front of it is written.
    fn apart(&mut self, write: impl FnOnce(&mut Self) -> Result<(), TemplateError>) -> Result<Apart, TemplateError> {
        let (code, breaks) = (std::mem::take(&mut self.out), std::mem::take(&mut self.breaks));
        write(self)?;
        Ok(Apart { code: std::mem::replace(&mut self.out, code), breaks: std::mem::replace(&mut self.breaks, breaks) })
    }

    fn append(&mut self, part: &Apart) {
        self.flush_breaks();
        self.out.push_str(&part.code);
        self.breaks = part.breaks;
    }

    fn text(&mut self, text: &str) {
        self.flush_breaks();
        let looks_like_tera = text.contains("{{") || text.contains("{%") || text.contains("{#") || text.ends_with('{');
        if looks_like_tera {
            let quoted = quote(text);
            self.tag(&format!("{{{{ {quoted} }}}}"));
        } else {
            self.out.push_str(text);
        }
    }

    /// Appends a tag, with the pending line breaks behind its opening braces.
    fn tag(&mut self, tag: &str) {
        let (open, rest) = tag.split_at(2);
        self.out.push_str(open);
        self.out.extend(std::iter::repeat_n('\n', std::mem::take(&mut self.breaks)));
        self.out.push_str(rest);
    }

    fn flush_breaks(&mut self) {
        if self.breaks > 0 {
            self.tag("{##}");
        }
    }

    fn fresh(&mut self, name: &str) -> String {
        self.counter += 1;
        let readable: String = name.chars().filter(|part| part.is_ascii_alphanumeric() || *part == '_').collect();
        let readable =
            if readable.starts_with(|first: char| first.is_ascii_digit()) { "v".to_string() } else { readable };
        format!("{readable}_{}", self.counter)
    }

    fn action(&mut self, pipeline: &Pipeline) -> Result<(), TemplateError> {
        if !pipeline.variables.is_empty() {
            return self.assignment(pipeline);
        }
        let expression = self.pipeline(pipeline)?;
        self.tag(&format!("{{{{ {} }}}}", expression.printed()));
        Ok(())
    }

    /// `$x := e` and `$x = e`; also the one place where `set` may change a variable.
    fn assignment(&mut self, pipeline: &Pipeline) -> Result<(), TemplateError> {
        let name = &pipeline.variables[0];
        if let Some(changed) = self.mutation(pipeline)? {
            let (target, code) = changed;
            self.tag(&format!("{{% set_global {target} = {code} %}}"));
            let same = self.find(name).is_some_and(|variable| variable.code == target);
            if name == "_" || same {
                return Ok(());
            }
            let alias = Expression { code: target.clone(), own: Own::No, ..Expression::default() };
            self.mark_shared(&target, pipeline.line)?;
            return self.set_variable(pipeline, name, &alias);
        }
        let expression = self.pipeline(pipeline)?;
        self.escape(&expression, pipeline.line)?;
        self.set_variable(pipeline, name, &expression)
    }

    fn set_variable(&mut self, pipeline: &Pipeline, name: &str, value: &Expression) -> Result<(), TemplateError> {
        let code = if pipeline.declares {
            // They are looked for one after the other.
            if self.variables.len() > MOST_VARIABLES {
                let message = format!("more than {MOST_VARIABLES} variables are declared here");
                return Err(self.failure(pipeline.line, message));
            }
            let code = self.fresh(name);
            self.variables.push(Variable::new(name, &code, value.own, self.loops.clone()));
            code
        } else {
            let line = pipeline.line;
            let Some(variable) = self.variables.iter_mut().rev().find(|variable| variable.name == name) else {
                return Err(self.failure(line, format!("undefined variable ${name}")));
            };
            if variable.of_loop {
                let message =
                    format!("${name} is set by the loop around it and cannot be changed; declare another variable");
                return Err(self.failure(line, message));
            }
            variable.own = value.own;
            variable.code.clone()
        };
        self.tag(&format!("{{% set_global {code} = {} %}}", value.code));
        Ok(())
    }

    /// Declares the variable of `if $x := …` and returns what to test.
    fn condition(&mut self, pipeline: &Pipeline) -> Result<String, TemplateError> {
        if pipeline.variables.is_empty() {
            return Ok(self.pipeline(pipeline)?.code);
        }
        self.assignment(pipeline)?;
        let name = &pipeline.variables[0];
        let variable = self.find(name).expect("the assignment has just made or found it");
        Ok(variable.code.clone())
    }

    fn conditional(&mut self, branches: &[Branch], otherwise: Option<&[Node]>) -> Result<(), TemplateError> {
        let visible = self.variables.len();
        let mut open = 1;
        for (at, branch) in branches.iter().enumerate() {
            let test = if at == 0 {
                let test = self.condition(&branch.pipeline)?;
                format!("{{% if {test} %}}")
            } else if branch.pipeline.variables.is_empty() {
                let test = self.pipeline(&branch.pipeline)?.code;
                format!("{{% elif {test} %}}")
            } else {
                open += 1;
                self.tag("{% else %}");
                let test = self.condition(&branch.pipeline)?;
                format!("{{% if {test} %}}")
            };
            self.tag(&test);
            self.scope(&branch.body)?;
        }
        self.otherwise(otherwise)?;
        for _ in 0..open {
            self.tag("{% endif %}");
        }
        self.variables.truncate(visible);
        Ok(())
    }

    fn otherwise(&mut self, nodes: Option<&[Node]>) -> Result<(), TemplateError> {
        let Some(nodes) = nodes else { return Ok(()) };
        self.tag("{% else %}");
        self.scope(nodes)
    }

    fn with(&mut self, branches: &[Branch], otherwise: Option<&[Node]>) -> Result<(), TemplateError> {
        let visible = self.variables.len();
        for (at, branch) in branches.iter().enumerate() {
            if at > 0 {
                self.tag("{% else %}");
            }
            let dot = if branch.pipeline.variables.is_empty() {
                let value = self.pipeline(&branch.pipeline)?;
                self.escape(&value, branch.line)?;
                let dot = self.fresh("dot");
                self.tag(&format!("{{% set_global {dot} = {} %}}", value.code));
                dot
            } else {
                self.condition(&branch.pipeline)?
            };
            self.tag(&format!("{{% if {dot} %}}"));
            let outer = std::mem::replace(&mut self.dot, dot);
            self.scope(&branch.body)?;
            self.dot = outer;
        }
        self.otherwise(otherwise)?;
        for _ in branches {
            self.tag("{% endif %}");
        }
        self.variables.truncate(visible);
        Ok(())
    }

    fn range(
        &mut self,
        line: usize,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: Option<&[Node]>,
    ) -> Result<(), TemplateError> {
        let over = self.pipeline(&Pipeline { variables: Vec::new(), ..pipeline.clone() })?;
        self.escape(&over, line)?;
        let visible = self.variables.len();
        let (key, item) = match pipeline.variables.as_slice() {
            [key, item] => (self.fresh(key), self.fresh(item)),
            [item] => (self.fresh("key"), self.fresh(item)),
            _ => (self.fresh("key"), self.fresh("dot")),
        };
        self.counter += 1;
        self.loops.push(self.counter);
        for (name, code) in pipeline.variables.iter().rev().zip([&item, &key]) {
            self.variables.push(Variable::of_loop(name, code, self.loops.clone()));
        }
        let outer = std::mem::replace(&mut self.dot, item.clone());
        let body = self.apart(|this| this.scope(body))?;
        self.dot = outer;
        self.tag(&format!("{{% for {key}, {item} in {} | range(_0={}) %}}", over.code, body.code.len()));
        self.append(&body);
        self.loops.pop();
        self.variables.truncate(visible);
        self.otherwise(otherwise)?;
        self.tag("{% endfor %}");
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|variable| variable.name == name)
    }

    /// Calls a define: as a component, or through the engine anew where it may call itself.
    pub(super) fn include(&self, line: usize, name: &str, argument: &str) -> Result<Expression, TemplateError> {
        let code = match self.defines.get(name) {
            None => return Err(self.failure(line, format!("no template {name:?} is defined in this chart"))),
            Some(Recursion::None) => format!("<{} dot={{ {argument} }} />", component_name(name)),
            Some(Recursion::Possible) => format!("include(_0={}, _1={argument})", quote(name)),
        };
        Ok(Expression { code, is_text: true, ..Expression::default() })
    }
}

/// Finds the names of all defines that a list of nodes calls by a literal name.
pub(super) fn called_names<'a>(nodes: &'a [Node], found: &mut Vec<&'a str>) {
    for node in nodes {
        match &node.kind {
            NodeKind::Action(pipeline) => names_in_pipeline(pipeline, found),
            NodeKind::If { branches, otherwise } | NodeKind::With { branches, otherwise } => {
                for branch in branches {
                    names_in_pipeline(&branch.pipeline, found);
                    called_names(&branch.body, found);
                }
                called_names(otherwise.as_deref().unwrap_or_default(), found);
            }
            NodeKind::Range { pipeline, body, otherwise } => {
                names_in_pipeline(pipeline, found);
                called_names(body, found);
                called_names(otherwise.as_deref().unwrap_or_default(), found);
            }
            NodeKind::Template { name, argument } => {
                found.push(name);
                if let Some(pipeline) = argument {
                    names_in_pipeline(pipeline, found);
                }
            }
            NodeKind::Define(define) => called_names(&define.body, found),
            NodeKind::Text(_) | NodeKind::Breaks(_) | NodeKind::Break | NodeKind::Continue => {}
        }
    }
}

fn names_in_pipeline<'a>(pipeline: &'a Pipeline, found: &mut Vec<&'a str>) {
    for command in &pipeline.commands {
        if let [Operand::Function(function), Operand::Text(name), ..] = command.operands.as_slice()
            && function == "include"
        {
            found.push(name);
        }
        for operand in &command.operands {
            if let Operand::Pipeline(inner) | Operand::Chain(inner, _) = operand {
                names_in_pipeline(inner, found);
            }
        }
    }
}

/// Writes a text as a Tera string.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
