//! The table of functions: every name of the dialect, how many arguments it takes, what it gives and whether it changes anything.
//! The functions themselves are in the files below this one, by subject, and behave as Go's, Sprig's and Helm's of the same names.

#[expect(clippy::unnecessary_wraps, reason = "all functions of the table have one signature")]
mod collections;
#[expect(clippy::unnecessary_wraps, reason = "all functions of the table have one signature")]
mod encoding;
#[expect(clippy::unnecessary_wraps, reason = "all functions of the table have one signature")]
mod logic;
#[expect(clippy::unnecessary_wraps, reason = "all functions of the table have one signature")]
mod numbers;
#[expect(clippy::unnecessary_wraps, reason = "all functions of the table have one signature")]
mod texts;
mod versions;

pub(crate) use versions::is_version;

use std::ops::RangeInclusive;
use tera::Value;

pub(super) type Outcome = Result<Value, String>;

type Call = fn(&[Value]) -> Outcome;

/// What a function gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// A text.
    Text,
    /// A number or a boolean.
    Plain,
    /// A map or list that holds nothing of its arguments.
    New,
    /// A new map or list that holds its arguments or parts of them.
    Map,
    /// One of its arguments, or a part of one.
    Argument,
}

/// What a function does with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Looks at them.
    Reads,
    /// Puts them into its result.
    Keeps,
    /// Changes the first in Go; here it gives the changed one.
    ChangesFirst,
}

/// One function of the dialect.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) gives: Gives,
    pub(super) effect: Effect,
    /// Missing for those that the translator or the engine itself provides.
    pub(super) call: Option<Call>,
}

const MANY: usize = usize::MAX;

const fn text(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::Text, effect: Effect::Reads, call: Some(call) }
}

const fn plain(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::Plain, effect: Effect::Reads, call: Some(call) }
}

const fn new(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::New, effect: Effect::Reads, call: Some(call) }
}

const fn holder(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::Map, effect: Effect::Keeps, call: Some(call) }
}

const fn chooser(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::Argument, effect: Effect::Keeps, call: Some(call) }
}

const fn changer(name: &'static str, arguments: RangeInclusive<usize>, call: Call) -> Function {
    Function { name, arguments, gives: Gives::Map, effect: Effect::ChangesFirst, call: Some(call) }
}

const fn native(name: &'static str, arguments: RangeInclusive<usize>, gives: Gives, effect: Effect) -> Function {
    Function { name, arguments, gives, effect, call: None }
}

/// Every function a chart may use, by name.
pub(super) const FUNCTIONS: &[Function] = &[
    native("and", 1..=MANY, Gives::Argument, Effect::Keeps),
    native("or", 1..=MANY, Gives::Argument, Effect::Keeps),
    native("not", 1..=1, Gives::Plain, Effect::Reads),
    native("include", 2..=2, Gives::Text, Effect::Reads),
    native("tpl", 2..=2, Gives::Text, Effect::Reads),
    plain("eq", 2..=MANY, logic::eq),
    plain("ne", 2..=2, logic::ne),
    plain("lt", 2..=2, logic::lt),
    plain("le", 2..=2, logic::le),
    plain("gt", 2..=2, logic::gt),
    plain("ge", 2..=2, logic::ge),
    plain("empty", 1..=1, logic::empty),
    chooser("default", 1..=2, logic::default),
    chooser("coalesce", 0..=MANY, logic::coalesce),
    chooser("ternary", 3..=3, logic::ternary),
    chooser("required", 2..=2, logic::required),
    text("fail", 1..=1, logic::fail),
    text("kindOf", 1..=1, logic::kind_of),
    plain("kindIs", 2..=2, logic::kind_is),
    text("typeOf", 1..=1, logic::type_of),
    plain("typeIs", 2..=2, logic::type_is),
    plain("len", 1..=1, collections::len),
    chooser("index", 1..=MANY, collections::index),
    holder("dict", 0..=MANY, collections::dict),
    holder("list", 0..=MANY, collections::list),
    chooser("first", 1..=1, collections::first),
    chooser("last", 1..=1, collections::last),
    holder("rest", 1..=1, collections::rest),
    holder("initial", 1..=1, collections::initial),
    holder("reverse", 1..=1, collections::reverse),
    holder("uniq", 1..=1, collections::uniq),
    holder("compact", 1..=1, collections::compact),
    holder("without", 1..=MANY, collections::without),
    holder("concat", 0..=MANY, collections::concat),
    plain("has", 2..=2, collections::has),
    holder("append", 2..=2, collections::append),
    holder("prepend", 2..=2, collections::prepend),
    chooser("get", 2..=2, collections::get),
    changer("set", 3..=3, collections::set),
    changer("unset", 2..=2, collections::unset),
    changer("merge", 1..=MANY, collections::merge),
    plain("hasKey", 2..=2, collections::has_key),
    new("keys", 1..=MANY, collections::keys),
    holder("values", 1..=1, collections::values),
    holder("pick", 1..=MANY, collections::pick),
    holder("omit", 1..=MANY, collections::omit),
    chooser("dig", 3..=MANY, collections::dig),
    new("deepCopy", 1..=1, collections::deep_copy),
    new("until", 1..=1, collections::until),
    new("splitList", 2..=2, collections::split_list),
    new("sortAlpha", 1..=1, collections::sort_alpha),
    text("join", 2..=2, collections::join),
    text("quote", 0..=MANY, texts::quote),
    text("squote", 0..=MANY, texts::squote),
    text("toString", 1..=1, texts::to_string),
    text("print", 0..=MANY, texts::print),
    text("println", 0..=MANY, texts::println),
    text("printf", 1..=MANY, texts::printf),
    text("cat", 0..=MANY, texts::cat),
    text("indent", 2..=2, texts::indent),
    text("nindent", 2..=2, texts::nindent),
    text("trim", 1..=1, texts::trim),
    text("trimAll", 2..=2, texts::trim_all),
    text("trimPrefix", 2..=2, texts::trim_prefix),
    text("trimSuffix", 2..=2, texts::trim_suffix),
    text("trunc", 2..=2, texts::trunc),
    text("replace", 3..=3, texts::replace),
    text("repeat", 2..=2, texts::repeat),
    text("lower", 1..=1, texts::lower),
    text("upper", 1..=1, texts::upper),
    text("title", 1..=1, texts::title),
    text("nospace", 1..=1, texts::nospace),
    plain("contains", 2..=2, texts::contains),
    plain("hasPrefix", 2..=2, texts::has_prefix),
    plain("hasSuffix", 2..=2, texts::has_suffix),
    text("toYaml", 1..=1, encoding::to_yaml),
    text("toJson", 1..=1, encoding::to_json),
    new("fromYaml", 1..=1, encoding::from_yaml),
    new("fromJson", 1..=1, encoding::from_json),
    text("b64enc", 1..=1, encoding::b64enc),
    text("b64dec", 1..=1, encoding::b64dec),
    text("sha256sum", 1..=1, encoding::sha256sum),
    plain("int", 1..=1, numbers::int),
    plain("int64", 1..=1, numbers::int64),
    plain("float64", 1..=1, numbers::float64),
    plain("add", 0..=MANY, numbers::add),
    plain("add1", 1..=1, numbers::add1),
    plain("sub", 2..=2, numbers::sub),
    plain("mul", 1..=MANY, numbers::mul),
    plain("div", 2..=2, numbers::div),
    plain("mod", 2..=2, numbers::modulo),
    plain("max", 1..=MANY, numbers::max),
    plain("min", 1..=MANY, numbers::min),
    plain("semverCompare", 2..=2, versions::semver_compare),
];

/// Helpers of the translator: not part of the dialect, so templates cannot name them.
pub(super) const INTERNAL: &[(&str, Gives, Call)] = &[
    ("text", Gives::Text, texts::text),
    ("range", Gives::Argument, collections::range),
    ("entered", Gives::Argument, collections::entered),
    ("field", Gives::Argument, collections::field),
    ("files_get", Gives::Argument, collections::files_get),
    ("versions_has", Gives::Plain, collections::versions_has),
];

pub(super) fn lookup(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The function whose name is nearly this one.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    crate::chart::nearest(name, FUNCTIONS.iter().map(|function| function.name))
}

fn wrong_type(wanted: &str, value: &Value) -> String {
    if super::value::is_nil(value) {
        format!("invalid value; expected {wanted}")
    } else {
        format!("wrong type for value; expected {wanted}; got {}", super::value::type_name(value))
    }
}

fn as_text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| wrong_type("string", value))
}

fn as_map(value: &Value) -> Result<&tera::Map, String> {
    value.as_map().ok_or_else(|| wrong_type("map[string]interface {}", value))
}

/// An argument that Go declares as `int`.
fn as_int(value: &Value) -> Result<i64, String> {
    match super::value::kind(value) {
        "int" | "int64" => value.as_i64().ok_or_else(|| wrong_type("int", value)),
        _ => Err(wrong_type("int", value)),
    }
}
