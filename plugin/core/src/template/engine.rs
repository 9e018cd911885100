//! Loads a chart's templates into Tera and renders them. Holds the functions that need the engine itself: `include` by a computed name,
//! and `tpl`.

use super::TemplateError;
use super::budget::{self, Budget};
use super::format::NO_VALUE;
use super::functions::{FUNCTIONS, Gives, INTERNAL, Outcome};
use super::parser::parse;
use super::syntax::{Define, Node, NodeKind};
use super::translate::{Defines, Recursion, called_names, component_name, translate};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tera::{Context, ErrorKind, Kwargs, State, Tera, Value};

/// A template's name, with the chart's name in front, and its text.
#[derive(Debug, Clone, Copy)]
pub struct TemplateSource<'a> {
    /// For example `mizar/templates/daemon/daemon-set.yaml`.
    pub path: &'a str,
    /// The Go template text.
    pub text: &'a str,
}

/// A loaded set of templates that can call each other.
pub struct Templates {
    engine: Arc<Tera>,
    translated: BTreeMap<String, String>,
    /// What is left for all templates together.
    budget: Mutex<Budget>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Templates").field("translated", &self.translated).finish_non_exhaustive()
    }
}

/// How deep `include` by a computed name, or of a template that calls itself, and `tpl` may call each other.
const MAX_NESTING: usize = 30;

/// Templates that call each other that deep need more stack than a thread has by itself.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Stands before the position that an inner engine put into a message, so that the outer one does not hide it.
const INNER: char = '\u{1}';

thread_local! {
    static NESTING: Cell<usize> = const { Cell::new(0) };
}

struct Parsed<'a> {
    path: &'a str,
    nodes: Vec<Node>,
}

impl Templates {
    /// Parses and translates all templates; every error is found here, before anything is rendered.
    pub fn load(sources: &[TemplateSource<'_>]) -> Result<Self, TemplateError> {
        let mut parsed = Vec::new();
        let mut actions = 0;
        for source in sources {
            actions += count_actions(source.text);
            if actions > MOST_ACTIONS {
                let message = format!("the templates have more than {MOST_ACTIONS} actions");
                return Err(TemplateError::load(source.path, 1, message));
            }
            parsed.push(Parsed { path: source.path, nodes: parse(source.path, source.text)? });
        }
        parsed.sort_by(|left, right| parse_order(left.path).cmp(&parse_order(right.path)));
        let winners = winners(&parsed);
        let defines = recursion(&parsed, &winners)?;
        let mut translated = BTreeMap::new();
        for (at, file) in parsed.iter().enumerate() {
            let keep = |name: &str| winners.get(name).is_some_and(|winner| *winner == at);
            translated.insert(file.path.to_string(), translate(file.path, &file.nodes, &defines, &keep)?);
        }
        let engine = build(&translated, &Arc::new(defines))?;
        Ok(Self { engine, translated, budget: Mutex::default() })
    }

    /// The Tera source that a template was translated to.
    #[must_use]
    pub fn tera_source(&self, path: &str) -> Option<&str> {
        self.translated.get(path).map(String::as_str)
    }

    /// Renders one template with `root` as its `.`. All templates of a set have one budget of time and memory.
    pub fn render(&self, path: &str, root: &Value) -> Result<String, TemplateError> {
        let mut context = Context::new();
        context.insert_value("dot", root.clone());
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *budget;
        let rendered = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("render".into()).stack_size(STACK_BYTES);
            let started = thread.spawn_scoped(scope, || {
                budget::begin(before);
                let rendered = self.engine.render(path, &context);
                // The text is made twice: for this template, and for the documents in it.
                let paid =
                    rendered.and_then(|text| budget::make(text.len()).map(|()| text).map_err(tera::Error::message));
                (paid, budget::left())
            });
            match started {
                Ok(thread) => {
                    let (rendered, left) = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    *budget = left;
                    rendered
                }
                Err(error) => Err(tera::Error::message(format!("cannot start a thread for rendering: {error}"))),
            }
        });
        let rendered = rendered.map_err(|error| execution_error(path, &error))?;
        Ok(if rendered.contains(NO_VALUE) { rendered.replace(NO_VALUE, "") } else { rendered })
    }
}

/// How many actions the templates of a chart may have together; each takes some kilobytes until it is translated.
const MOST_ACTIONS: usize = 30_000;
/// How many a text given to `tpl` may have, since such texts can be given inside of each other.
const MOST_ACTIONS_IN_TPL: usize = 5000;

fn count_actions(text: &str) -> usize {
    text.matches("{{").count()
}

/// Helm parses deep paths first and among equals from the end; of two equal defines the later one wins.
fn parse_order(path: &str) -> (std::cmp::Reverse<usize>, std::cmp::Reverse<&str>) {
    (std::cmp::Reverse(path.matches('/').count()), std::cmp::Reverse(path))
}

fn defines_of(nodes: &[Node]) -> impl Iterator<Item = &Define> {
    nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Define(define) => Some(define),
        _ => None,
    })
}

/// For each name the file whose definition holds.
fn winners(parsed: &[Parsed<'_>]) -> BTreeMap<String, usize> {
    let mut winners = BTreeMap::new();
    for (at, file) in parsed.iter().enumerate() {
        for define in defines_of(&file.nodes) {
            // A define without content does not replace one with content.
            let empty = define.body.iter().all(|node| match &node.kind {
                NodeKind::Text(text) => text.trim().is_empty(),
                NodeKind::Breaks(_) => true,
                _ => false,
            });
            if !(empty && winners.contains_key(&define.name)) {
                winners.insert(define.name.clone(), at);
            }
        }
    }
    winners
}

/// Which defines can reach themselves. The search is quadratic, so their number is limited; the largest charts have some hundreds.
fn recursion(parsed: &[Parsed<'_>], winners: &BTreeMap<String, usize>) -> Result<Defines, TemplateError> {
    const MOST_DEFINES: usize = 1000;
    if winners.len() > MOST_DEFINES {
        let path = parsed.first().map_or("templates", |file| file.path);
        return Err(TemplateError::load(path, 1, format!("the chart has more than {MOST_DEFINES} defines")));
    }
    let mut calls: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, file) in parsed.iter().enumerate() {
        for define in defines_of(&file.nodes).filter(|define| winners.get(&define.name) == Some(&at)) {
            let mut called = Vec::new();
            called_names(&define.body, &mut called);
            let called = called.into_iter().filter(|name| winners.contains_key(*name)).collect();
            calls.insert(&define.name, called);
        }
    }
    let reaches_itself = |name: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = calls.get(name).into_iter().flatten().copied().collect();
        while let Some(next) = open.pop() {
            if next == name {
                return true;
            }
            if seen.insert(next) {
                open.extend(calls.get(next).into_iter().flatten());
            }
        }
        false
    };
    let kind = |name: &str| if reaches_itself(name) { Recursion::Possible } else { Recursion::None };
    Ok(calls.keys().map(|name| ((*name).to_string(), kind(name))).collect())
}

fn build(translated: &BTreeMap<String, String>, defines: &Arc<Defines>) -> Result<Arc<Tera>, TemplateError> {
    let mut failure = None;
    let engine = Arc::new_cyclic(|engine: &Weak<Tera>| {
        let mut tera = Tera::new();
        tera.autoescape_on(Vec::<&'static str>::new());
        for function in FUNCTIONS {
            if let Some(call) = function.call {
                register(&mut tera, function.name, function.gives, call);
            }
        }
        for (name, gives, call) in INTERNAL {
            register(&mut tera, name, *gives, *call);
        }
        let (weak, names) = (engine.clone(), Arc::clone(defines));
        register(&mut tera, "include", INCLUDE, move |arguments: &[Value]| include(&weak, &names, arguments));
        let (weak, names) = (engine.clone(), Arc::clone(defines));
        register(&mut tera, "tpl", INCLUDE, move |arguments: &[Value]| tpl(&weak, &names, arguments));
        let templates = translated.iter().map(|(path, source)| (path.as_str(), source.as_str()));
        if let Err(error) = tera.add_raw_templates(templates) {
            failure = Some(load_error(&error));
        }
        tera
    });
    failure.map_or(Ok(engine), Err)
}

/// Registers a function for both forms, `f(_0=a)` and `x | f(_0=a)`; the piped value comes last.
fn register(
    tera: &mut Tera,
    name: &'static str,
    gives: Gives,
    call: impl Fn(&[Value]) -> Outcome + Clone + Send + Sync + 'static,
) {
    let call = move |arguments: &[Value]| {
        budget::begin_call(gives, arguments)?;
        let result = call(arguments)?;
        budget::end_call(gives, &result)?;
        Ok::<_, String>(result)
    };
    let as_filter = call.clone();
    tera.register_function(name, move |arguments: Kwargs, _: &State| {
        call(&collect(&arguments)).map_err(tera::Error::message)
    });
    tera.register_filter(name, move |piped: Value, arguments: Kwargs, _: &State| {
        let mut all = collect(&arguments);
        all.push(piped);
        as_filter(&all).map_err(tera::Error::message)
    });
}

fn collect(arguments: &Kwargs) -> Vec<Value> {
    (0..).map_while(|at| arguments.get::<Value>(&format!("_{at}")).ok().flatten()).collect()
}

/// What `include` and `tpl` are for the budget: they pay for their text themselves, and do not look at the whole `.`.
const INCLUDE: Gives = Gives::Argument;

fn nested(engine: &Weak<Tera>, run: impl FnOnce(&Tera) -> Outcome) -> Outcome {
    let engine = engine.upgrade().expect("the engine lives as long as it renders");
    if NESTING.get() >= MAX_NESTING {
        return Err(format!("templates call each other more than {MAX_NESTING} deep"));
    }
    NESTING.set(NESTING.get() + 1);
    let outcome = run(&engine);
    NESTING.set(NESTING.get() - 1);
    let text = outcome?;
    budget::end_call(Gives::Text, &text)?;
    Ok(text)
}

fn include(engine: &Weak<Tera>, defines: &Defines, arguments: &[Value]) -> Outcome {
    let name = arguments[0].as_str().ok_or("include takes the name of a template as a text")?;
    if !defines.contains_key(name) {
        return Err(format!("no template {name:?} is defined in this chart"));
    }
    let mut context = Context::new();
    context.insert_value("dot", arguments[1].clone());
    nested(engine, |engine| {
        let rendered = engine.render_component(&component_name(name), &context, None, false);
        rendered.map(Value::from).map_err(|error| inner_message(&error))
    })
}

fn tpl(engine: &Weak<Tera>, defines: &Defines, arguments: &[Value]) -> Outcome {
    const PATH: &str = "tpl";
    let text = arguments[0].as_str().ok_or("tpl takes the template as a text")?;
    let in_text = |error: TemplateError| {
        let (TemplateError::Load { line, message, .. } | TemplateError::Execution { line, message, .. }) = error;
        format!("in line {line} of the text given to tpl: {message}")
    };
    budget::parse(text.len() + 10 * defines.len())?;
    if count_actions(text) > MOST_ACTIONS_IN_TPL {
        return Err(format!("the text given to tpl has more than {MOST_ACTIONS_IN_TPL} actions"));
    }
    let nodes = parse(PATH, text).map_err(in_text)?;
    let mut known = defines.clone();
    for define in defines_of(&nodes) {
        if known.insert(define.name.clone(), Recursion::None).is_some() {
            return Err(format!("the text given to tpl defines {:?} again, which is not supported here", define.name));
        }
    }
    let source = translate(PATH, &nodes, &known, &|_| true).map_err(in_text)?;
    drop((nodes, known));
    let mut context = Context::new();
    context.insert_value("dot", arguments[1].clone());
    nested(engine, |engine| {
        let rendered = engine.render_str(&source, &context, false);
        rendered.map(|text| Value::from(text.replace(NO_VALUE, ""))).map_err(|error| match error.kind() {
            ErrorKind::RenderingError(report) if !report.filename().contains('/') => {
                let message = format!(
                    "in line {} of the text given to tpl: {}",
                    report.span().start_line,
                    plain_message(report.message())
                );
                if report.message().starts_with(INNER) { report.message().to_string() } else { message }
            }
            _ => inner_message(&error),
        })
    })
}

/// Puts the place of an inner error in front of its message; an outer engine would only know its own.
fn inner_message(error: &tera::Error) -> String {
    match error.kind() {
        ErrorKind::RenderingError(report) if report.message().starts_with(INNER) => report.message().to_string(),
        ErrorKind::RenderingError(report) => {
            let line = report.span().start_line;
            format!("{INNER}{}{INNER}{line}{INNER}{}", report.filename(), plain_message(report.message()))
        }
        other => other.to_string(),
    }
}

fn execution_error(path: &str, error: &tera::Error) -> TemplateError {
    let ErrorKind::RenderingError(report) = error.kind() else {
        return TemplateError::Execution { path: path.into(), line: 1, message: error.to_string() };
    };
    let mut inner = report.message().splitn(4, INNER).skip(1);
    if let (Some(path), Some(line), Some(message)) = (inner.next(), inner.next(), inner.next()) {
        return TemplateError::Execution {
            path: path.into(),
            line: line.parse().unwrap_or(1),
            message: message.into(),
        };
    }
    TemplateError::Execution {
        path: report.filename().into(),
        line: report.span().start_line,
        message: plain_message(report.message()),
    }
}

/// The engine's own words for a missing value, put in ours.
fn plain_message(message: &str) -> String {
    let Some((field, rest)) = message.strip_prefix("Field `").and_then(|rest| rest.split_once("` is not defined"))
    else {
        return message.to_string();
    };
    let beside = rest
        .split_once("Available fields: ")
        .map(|(_, fields)| format!("; beside it are {fields}"))
        .unwrap_or_default();
    format!(".{field} has no value, so no field of it can be read{beside}")
}

fn load_error(error: &tera::Error) -> TemplateError {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            TemplateError::load(report.filename(), report.span().start_line, report.message())
        }
        other => TemplateError::load("templates", 1, other.to_string()),
    }
}
