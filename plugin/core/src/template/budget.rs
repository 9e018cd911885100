//! What rendering one chart may cost. Templates are programs: a few lines can loop for years or write more than there is memory.
//! Every call and every turn of a loop is paid for before it runs, with what it reads and makes, so that what a chart may cost is known
//! beforehand: about a second and tens of megabytes. Real charts stay far below, most under a hundredth.

use super::functions::Gives;
use std::cell::Cell;
use tera::Value;

/// Steps that a chart may take, of some nanoseconds each: bytes of template code or text passed over, parts of values looked at.
const STEPS: u64 = 200_000_000;
/// Steps that a call takes whatever it does.
const CALL: usize = 200;
/// Bytes of text and lists that a chart may make in all its calls.
const BYTES: u64 = 48 * 1024 * 1024;
/// What an item of a list that is looped over takes.
const ITEM: usize = 96;

/// Parts of one value, counted as often as they occur in it.
const MAX_PARTS: usize = 200_000;
/// Bytes of one text, or of all texts in one value; Helm takes no larger file in a chart.
const MAX_TEXT: usize = 6 * 1024 * 1024;
/// How deep the maps and lists of one value may be in each other; values files and JSON are limited to about as much.
const MAX_DEPTH: usize = 130;

/// What is left of a chart's budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    steps: u64,
    bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: STEPS, bytes: BYTES }
    }
}

thread_local! {
    /// The engine calls our functions without a state of ours, so what is left belongs to the thread that renders.
    static LEFT: Cell<Budget> = const { Cell::new(Budget { steps: STEPS, bytes: BYTES }) };
}

/// Gives the budget to this thread.
pub(super) fn begin(budget: Budget) {
    LEFT.set(budget);
}

/// Returns what is left of it.
pub(super) fn left() -> Budget {
    LEFT.get()
}

/// Pays for steps.
pub(super) fn spend(steps: usize) -> Result<(), String> {
    let budget = LEFT.get();
    let steps = budget
        .steps
        .checked_sub(steps as u64)
        .ok_or("the templates take too long: they loop over too much or call each other too often")?;
    LEFT.set(Budget { steps, ..budget });
    Ok(())
}

/// Pays for text or lists that are made.
pub(super) fn make(bytes: usize) -> Result<(), String> {
    let budget = LEFT.get();
    let bytes = budget.bytes.checked_sub(bytes as u64);
    let bytes = bytes.ok_or_else(|| format!("the templates make more than {} MiB of text and lists", BYTES >> 20))?;
    LEFT.set(Budget { bytes, ..budget });
    Ok(())
}

/// Refuses a text that is about to become too long.
pub(super) fn check_text(bytes: usize) -> Result<(), String> {
    if bytes > MAX_TEXT { Err(format!("the text would be larger than {} MiB", MAX_TEXT >> 20)) } else { Ok(()) }
}

/// Pays for a call, before it is made, by what it does with its arguments.
pub(super) fn begin_call(gives: Gives, arguments: &[Value]) -> Result<(), String> {
    spend(CALL)?;
    for argument in arguments {
        match gives {
            // What makes a text or something new of a value looks at all of it.
            Gives::Text | Gives::New => {
                let size = measure(argument)?;
                spend(size.parts + size.bytes)?;
            }
            Gives::Plain | Gives::Map | Gives::Argument => spend(argument.as_str().map_or(0, str::len) / 8)?,
        }
    }
    Ok(())
}

/// Pays for what a call has made; what is too deep or too large to be looked at again is refused here.
pub(super) fn end_call(gives: Gives, result: &Value) -> Result<(), String> {
    match gives {
        Gives::Text | Gives::New | Gives::Map => {
            let size = measure(result)?;
            spend(size.parts + size.bytes)?;
            make(own_size(result))
        }
        Gives::Plain | Gives::Argument => Ok(()),
    }
}

/// What a value takes itself; the parts of a list or map are shared with others.
fn own_size(value: &Value) -> usize {
    match (value.as_str(), value.as_array(), value.as_map()) {
        (Some(text), ..) => text.len(),
        (_, Some(items), _) => items.len() * ITEM,
        (.., Some(fields)) => fields.len() * ITEM,
        _ => 0,
    }
}

/// How large a value is, with everything in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    /// Maps, lists, texts and other values, each as often as it occurs.
    pub(super) parts: usize,
    /// Bytes of all texts.
    pub(super) bytes: usize,
}

/// Measures a value, and refuses one that nobody should look at.
pub(super) fn measure(value: &Value) -> Result<Size, String> {
    let mut size = Size::default();
    add(value, 0, &mut size)?;
    Ok(size)
}

fn add(value: &Value, depth: usize, size: &mut Size) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("a value is nested deeper than {MAX_DEPTH} levels"));
    }
    size.parts += 1;
    if size.parts > MAX_PARTS {
        return Err(format!("a value has more than {MAX_PARTS} parts"));
    }
    if let Some(text) = value.as_str() {
        size.bytes += text.len();
        return check_text(size.bytes);
    }
    for item in value.as_array().unwrap_or_default() {
        add(item, depth + 1, size)?;
    }
    for (key, item) in value.as_map().into_iter().flatten() {
        size.bytes += key.as_str().map_or(0, str::len);
        add(item, depth + 1, size)?;
    }
    Ok(())
}

/// Pays for comparing a value with so many others.
pub(super) fn compare(value: &Value, others: usize) -> Result<(), String> {
    let size = measure(value)?;
    // What a step is worth, times what comparing two parts takes.
    spend((10 * size.parts + size.bytes / 8).saturating_mul(others + 1))
}

/// Pays for the turns of a loop: the items, and the code of the body for each of them.
pub(super) fn begin_loop(turns: usize, code: usize) -> Result<(), String> {
    const TURN: usize = 50;
    spend(turns.saturating_mul(code + TURN))?;
    make(turns.saturating_mul(code + ITEM))
}

/// Pays for the code of a define that is called.
pub(super) fn begin_define(code: usize) -> Result<(), String> {
    spend(CALL + code)?;
    make(code)
}

/// Pays for reading or writing a text that is in a language of its own.
pub(super) fn parse(bytes: usize) -> Result<(), String> {
    spend(bytes.saturating_mul(60))
}
