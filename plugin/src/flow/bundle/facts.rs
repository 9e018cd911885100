//! The facts, and what is judged from them: versions, environment, checks. One reading serves all.

use mizar_core::bundle::index::Why;
use mizar_core::bundle::objects::in_question;
use mizar_core::bundle::{mask, place};
use mizar_core::check::{Filters, Heading, Phase, Selection, release_namespace};
use mizar_core::environment::overview::overview;
use mizar_core::facts::{Facts, Fetched};
use mizar_core::facts_file::Document;
use mizar_core::version::Versions;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::spool::Json;
use super::{Collection, Known, home_of};
use crate::cluster::ApiFailure;
use crate::failure::{Failure, Kind};
use crate::flow::examine::{self, Examined, Question};
use crate::flow::gather::{Wanted, gather};
use crate::flow::{facts_file, releases, versions};
use crate::report::checks::{self, View, table};

/// What the operator calls Arktos.
const ARKTOS: &str = "arktos";

/// What is made of the facts.
const PARTS: [&str; 4] = [place::FACTS, place::CHECK, place::CHECK_TEXT, place::ENVIRONMENT];

/// The facts may take two fifths of the time: one list that hangs must not take it all.
const SHARE: u32 = 5;

pub(super) async fn collect(collection: &Collection<'_>) -> Known {
    let asked = collection.request.namespace;
    for part in PARTS {
        collection.sink.begin(part);
    }
    let limit = collection.deadline.min(Instant::now() + collection.request.limits.time / SHARE * 2);
    let facts = match timeout_at(limit, read(collection)).await {
        Ok(Ok(facts)) => Some(facts),
        Ok(Err(failure)) => {
            for part in PARTS {
                collection.miss(part, &failure);
                collection.sink.end(part);
            }
            None
        }
        // They stay open, and so are missing.
        Err(_) => None,
    };
    put_versions(collection, facts.as_ref());
    let Some(facts) = facts else {
        return Known { home: home_of(asked, None), is_arktos: false, in_question: Vec::new() };
    };
    let home = home_of(asked, release_namespace(&facts));
    let examined = judge(&facts, &home);
    put_facts(collection, &facts);
    put_json(collection, place::ENVIRONMENT, serde_json::to_value(overview(&facts, None)).unwrap_or_default());
    let in_question = match &examined {
        Ok((question, examined)) => {
            put_report(collection, question, examined);
            in_question(&examined.report)
        }
        Err(failure) => {
            collection.sink.miss(place::CHECK, Why::Failed, &failure.message);
            Vec::new()
        }
    };
    for part in PARTS {
        collection.sink.end(part);
    }
    let is_arktos = facts.system_source.known().is_some_and(|source| source.name.as_deref() == Some(ARKTOS));
    Known { home, is_arktos, in_question }
}

async fn read(collection: &Collection<'_>) -> Result<Facts, ApiFailure> {
    let (cluster, asked) = (collection.cluster, collection.request.namespace);
    let sources = facts_file::sources();
    let wanted = Wanted {
        sources: &sources,
        release_namespace: asked,
        reporter: Some(collection.request.reporter),
        ..Wanted::default()
    };
    let mut facts = gather(cluster, wanted).await?.facts;
    let home = home_of(asked, release_namespace(&facts));
    facts.change = match releases::change(cluster, &home).await {
        Ok(change) => change.fact(),
        Err(failure) => Fetched::Failed { reason: failure.to_string() },
    };
    Ok(facts)
}

fn judge(facts: &Facts, home: &str) -> Result<(Question, Examined), Failure> {
    let selection = Selection::new(Phase::Health, &Filters::default())
        .map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
    let question = Question { selection, namespace: Some(home.to_owned()), plan: None };
    let examined = examine::recorded(&question, facts)?;
    Ok((question, examined))
}

fn put_versions(collection: &Collection<'_>, facts: Option<&Facts>) {
    match versions::client() {
        Ok(client_version) => {
            let versions = Versions { client_version, server_version: None, mizar: None };
            let versions = facts.into_iter().fold(versions, Versions::with_cluster);
            put_json(collection, place::VERSION, versions.document());
        }
        Err(failure) => collection.sink.miss(place::VERSION, Why::Failed, &failure.message),
    }
}

fn put_report(collection: &Collection<'_>, question: &Question, examined: &Examined) {
    let heading = Heading { phase: Phase::Health, at: examined.at, namespace: &examined.namespace, node: None };
    let view = View { report: &examined.report, selection: &question.selection, heading, comparison: None };
    put_json(collection, place::CHECK, checks::document(&view));
    let text = mask::text::mask(&table::plain(&view));
    collection.sink.put(place::CHECK_TEXT, text.as_bytes());
}

fn put_facts(collection: &Collection<'_>, facts: &Facts) {
    let spooled = || -> std::io::Result<std::fs::File> {
        let mut json = Json::begin()?;
        serde_json::to_writer_pretty(&mut json, &Document::of(facts))?;
        json.finish()
    };
    match spooled() {
        Ok(mut file) => collection.sink.put_file(place::FACTS, &mut file),
        Err(error) => collection.sink.miss(place::FACTS, Why::Failed, &error.to_string()),
    }
}

fn put_json(collection: &Collection<'_>, path: &str, mut document: Value) {
    mask::document(&mut document);
    collection.sink.put(path, format!("{document:#}\n").as_bytes());
}
