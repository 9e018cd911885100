//! Helm's templates on Tera: reads Go template text, writes Tera source for it, and renders that with Helm's functions under their own
//! names. What it does not know it refuses when the templates are loaded, with file and line. Which files there are, and what becomes of
//! the rendered text, is for [`crate::chart`].
//!
//! ```text
//! {{ include "mizar.labels" . | nindent 4 }}   →   {{ <mizar.labels dot={ dot } /> | nindent(_0=4) }}
//! ```

mod budget;
mod engine;
mod expression;
pub(crate) mod format;
mod functions;
mod lexer;
mod ownership;
mod parser;
mod syntax;
mod translate;
mod value;

pub use engine::{TemplateSource, Templates};
pub(crate) use functions::is_version;
pub(crate) use value::from_json;

#[cfg(test)]
mod tests;

/// Why a template cannot be loaded or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text of a template is not in the dialect; nothing was rendered.
    #[error("parse error at ({path}:{line}): {message}")]
    Load {
        /// The template, with the chart's name in front.
        path: String,
        /// The line in it.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A template failed while it was rendered: its own `fail` or `required`, or a value it cannot use.
    #[error("execution error at ({path}:{line}): {message}")]
    Execution {
        /// The template, with the chart's name in front.
        path: String,
        /// The line in it.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl TemplateError {
    fn load(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::Load { path: path.into(), line, message: message.into() }
    }
}
