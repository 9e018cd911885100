//! Who made a value. Sprig's `set` and `merge` change their first argument in place, and in Go everyone who holds that map sees the change;
//! values here never change. The two agree as long as only maps are changed that the template made itself and has not shared, so that is
//! the rule, and anything else is refused when the chart is loaded.

use super::TemplateError;
use super::expression::Expression;
use super::functions::{Effect, lookup};
use super::syntax::{Operand, Pipeline};
use super::translate::Translator;

/// How much of a value the template made itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Own {
    /// Somebody else's.
    #[default]
    No,
    /// The map is ours, what it holds may not be.
    Shallow,
    /// Ours through and through.
    Deep,
}

/// A template variable and its name in Tera.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) code: String,
    pub(super) own: Own,
    /// Set anew by each turn of a loop.
    pub(super) of_loop: bool,
    /// Someone else may hold the same map.
    shared: bool,
    /// The loops around the declaration.
    loops: Vec<usize>,
    /// The outermost loop, begun after the declaration, in which it was changed.
    changed_in: Option<usize>,
}

impl Variable {
    pub(super) fn new(name: &str, code: &str, own: Own, loops: Vec<usize>) -> Self {
        Self { name: name.into(), code: code.into(), own, of_loop: false, shared: false, loops, changed_in: None }
    }

    pub(super) fn of_loop(name: &str, code: &str, loops: Vec<usize>) -> Self {
        Self { of_loop: true, ..Self::new(name, code, Own::No, loops) }
    }
}

const ADVICE: &str = "values cannot be changed in place here, only maps that this template made by dict, deepCopy, fromYaml or \
                      merge (dict) and has not passed on; build a new map instead, or render this chart with helm template";

impl Translator<'_> {
    /// If the pipeline is nothing but `set $x …`, `unset $x …` or `merge $x …`: the variable it changes, and its new value.
    pub(super) fn mutation(&mut self, pipeline: &Pipeline) -> Result<Option<(String, String)>, TemplateError> {
        let [command] = pipeline.commands.as_slice() else { return Ok(None) };
        let [Operand::Function(function), Operand::Variable(name, fields), arguments @ ..] =
            command.operands.as_slice()
        else {
            return Ok(None);
        };
        if lookup(function).is_none_or(|known| known.effect != Effect::ChangesFirst)
            || !fields.is_empty()
            || name.is_empty()
        {
            return Ok(None);
        }
        let values =
            arguments.iter().map(|operand| self.operand(operand, command.line)).collect::<Result<Vec<_>, _>>()?;
        for value in &values {
            self.escape(value, command.line)?;
        }
        let line = command.line;
        let needed = if function == "merge" { Own::Deep } else { Own::Shallow };
        let merged_first = function == "merge"
            && values.len() > 1
            && values[..values.len() - 1].iter().any(|value| value.own != Own::Deep);
        let loops = self.loops.clone();
        let refusal = self.failure(line, format!("{function} ${name}: {ADVICE}"));
        let undefined = self.failure(line, format!("undefined variable ${name}"));
        let variable = self.variables.iter_mut().rev().find(|variable| variable.name == *name).ok_or(undefined)?;
        if variable.shared || variable.own < needed || merged_first {
            return Err(refusal);
        }
        variable.changed_in = variable.changed_in.or_else(|| loops.get(variable.loops.len()).copied());
        if values.iter().any(|value| value.own != Own::Deep) {
            variable.own = Own::Shallow;
        }
        let target = variable.code.clone();
        let first = Expression { code: target.clone(), own: needed, ..Expression::default() };
        let all: Vec<Expression> = std::iter::once(first).chain(values).collect();
        let code = self.call(function, &all, None, line)?.code;
        Ok(Some((target, code)))
    }

    /// Refuses `set` and `merge` on anything but a fresh map of the template's own.
    pub(super) fn check_fresh(
        &self,
        function: &str,
        arguments: &[&Expression],
        line: usize,
    ) -> Result<(), TemplateError> {
        let needed = if function == "merge" { Own::Deep } else { Own::Shallow };
        let first_fits = arguments.first().is_some_and(|first| first.own >= needed && first.variables.is_empty());
        let between = arguments.len().saturating_sub(1).max(1);
        let rest_fits = function != "merge" || arguments[1..between].iter().all(|value| value.own == Own::Deep);
        if first_fits && rest_fits { Ok(()) } else { Err(self.failure(line, format!("{function}: {ADVICE}"))) }
    }

    /// Notes that the maps an expression passes on may now be held by others too.
    pub(super) fn escape(&mut self, expression: &Expression, line: usize) -> Result<(), TemplateError> {
        expression.variables.iter().try_for_each(|code| self.mark_shared(code, line))
    }

    pub(super) fn mark_shared(&mut self, code: &str, line: usize) -> Result<(), TemplateError> {
        let loops = self.loops.clone();
        let Some(variable) = self.variables.iter_mut().rev().find(|variable| variable.code == code) else {
            return Ok(());
        };
        variable.shared = true;
        let changed_here = variable.changed_in.is_some_and(|changed| loops.contains(&changed));
        let name = variable.name.clone();
        if changed_here {
            let message = format!("${name} is changed and passed on in the same loop: {ADVICE}");
            return Err(self.failure(line, message));
        }
        Ok(())
    }
}
