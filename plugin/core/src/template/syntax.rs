//! The syntax tree of a Go template: what the parser makes and the translator reads.

/// A node with the line it begins on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Text(String),
    /// Line breaks that produce no output: trimmed ones, and those of comments and actions.
    Breaks(usize),
    /// `{{ pipeline }}`, printed unless it sets a variable.
    Action(Pipeline),
    If {
        branches: Vec<Branch>,
        otherwise: Option<Vec<Node>>,
    },
    With {
        branches: Vec<Branch>,
        otherwise: Option<Vec<Node>>,
    },
    Range {
        pipeline: Pipeline,
        body: Vec<Node>,
        otherwise: Option<Vec<Node>>,
    },
    Break,
    Continue,
    /// `{{ template "name" pipeline }}`
    Template {
        name: String,
        argument: Option<Pipeline>,
    },
    Define(Define),
}

/// One condition of an `if` or `with` chain and what it guards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Branch {
    pub(super) line: usize,
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Define {
    pub(super) name: String,
    pub(super) body: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) line: usize,
    pub(super) variables: Vec<String>,
    /// `:=` makes new variables, `=` changes old ones.
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// A list of operands: the first may be a function or method, the others are its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Function(String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`; the root variable has an empty name.
    Variable(String, Vec<String>),
    Pipeline(Pipeline),
    /// `(pipeline).a.b`
    Chain(Pipeline, Vec<String>),
}
