//! The JSON Schema of a rule file, for editors of TOML: every key, every word, every fact with its
//! sentence, and which operators fit which kind of fact. The loader is stricter still.

use serde_json::{Map, Value as Json, json};

use super::catalogue::{Catalogue, Handle};
use super::fix::{EDIT_KEYS, KubeletGate, Safety};
use super::load::{
    ADVICE_KEYS, CASE_KEYS, FILE_KEYS, FIX_KEYS, OVERRIDE_KEYS, REVISION_KEYS, RULE_KEYS, SCHEMA,
};
use super::rule::{Resolution, Setting};
use super::test::{AbsentIs, Operator};
use super::words::{Group, Severity, Stage, Tee, Word};
use crate::facts::Kind;

const KINDS: [Kind; 6] =
    [Kind::Bool, Kind::Integer, Kind::Text, Kind::Version, Kind::Duration, Kind::Set];

/// The schema of the rule files that can be written over a catalogue.
pub fn schema(catalogue: &Catalogue) -> Json {
    let host: Vec<(Handle, &str)> =
        catalogue.facts().map(|fact| (Handle::Host(fact), fact.doc)).collect();
    let mut any = host.clone();
    let items = catalogue.collections().flat_map(|collection| collection.facts);
    any.extend(items.map(|fact| (Handle::Item(fact), fact.doc)));
    any.sort_by_key(|(fact, _)| fact.name());
    any.dedup_by(|one, other| one.0.name() == other.0.name() && one.0.kind() == other.0.kind());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rules of ccgpu-node",
        "type": "object",
        "additionalProperties": false,
        "required": ["schema"],
        "properties": object(&FILE_KEYS, |key| match key {
            "schema" => json!({ "const": SCHEMA, "description": "The version of the rule language." }),
            "rule" => array_of("rule"),
            _ => array_of("override"),
        }),
        "definitions": {
            "rule": rule(catalogue),
            "case": {
                "type": "object",
                "description": "The first case whose conditions all hold is judged.",
                "additionalProperties": false,
                "required": ["expect"],
                "properties": object(&CASE_KEYS, |_| array_of("comparison")),
            },
            "advice": {
                "type": "object",
                "description": "What a person must do; the first whose conditions hold is shown.",
                "additionalProperties": false,
                "required": ["text"],
                "properties": object(&ADVICE_KEYS, |key| match key {
                    "when" => array_of("host-comparison"),
                    "command" => text("A command to copy; the program never runs it."),
                    _ => text("What to do, in words."),
                }),
            },
            "fix": {
                "type": "object",
                "description": "What `fix` does about a failure; the first whose conditions hold.",
                "additionalProperties": false,
                "required": ["safety", "edits"],
                "properties": object(&FIX_KEYS, |key| match key {
                    "when" => array_of("host-comparison"),
                    "safety" => word::<Safety>("Whether --unsafe is needed."),
                    _ => array_of("edit"),
                }),
            },
            "revision": {
                "type": "object",
                "description": "What one version changed about the rule.",
                "additionalProperties": false,
                "required": ["version", "what"],
                "properties": object(&REVISION_KEYS, |key| match key {
                    "version" => text("The version that changed it."),
                    _ => text("What it judges differently since."),
                }),
            },
            "edit": edit(catalogue),
            "override": override_(),
            "comparison": comparison(&any),
            "host-comparison": comparison(&host),
        },
    })
}

fn rule(catalogue: &Catalogue) -> Json {
    let properties = object(&RULE_KEYS, |key| match key {
        "id" => json!({
            "type": "string",
            "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
            "description": "Names the thing that is judged, in kebab-case.",
        }),
        "title" => text("What is wrong when the rule fails."),
        "good" => text("What is right when the rule passes."),
        "severity" => word::<Severity>("What a failure means."),
        "stage" => word::<Stage>("From which stage on it is required; host unless given."),
        "tee" => json!({
            "type": "array",
            "minItems": 1,
            "items": word::<Tee>("A trusted execution environment."),
            "description": "The rule is about these only; all unless given.",
        }),
        "group" => word::<Group>("What the rule is about; site unless given."),
        "why" => text("Why it matters."),
        "symptom" => text("The error that a user meets later if this is ignored."),
        "docs" => texts("Addresses of what the rule is drawn from."),
        "needs" => texts("Rules before this one that must not fail for it to be judged."),
        "applies" => array_of("host-comparison"),
        "for-each" => names(
            "The members to judge, each on its own.",
            catalogue.collections().map(|each| (each.name, each.doc)),
        ),
        "where" | "expect" => array_of("comparison"),
        "case" => array_of("case"),
        "fix" => array_of("fix"),
        "advice" => array_of("advice"),
        "since" => {
            text("The version of the program, or of a site's rules, that had the rule first.")
        }
        "changed" => array_of("revision"),
        "setting" => word::<Setting>(
            "A key of [check] in the site's configuration: where it is set, it takes the place of the \
             durations that this rule asks for, and of those that its fixes set.",
        ),
        _ => word::<Resolution>("What alone makes a failure go away."),
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "title", "severity", "why"],
        "oneOf": [{ "required": ["expect"] }, { "required": ["case"] }],
        "dependencies": { "where": ["for-each"] },
        "properties": properties,
    })
}

/// A table of exactly one key.
fn edit(catalogue: &Catalogue) -> Json {
    let flag = |description: &str| json!({ "const": true, "description": description });
    let sets = || catalogue.facts().filter(|fact| fact.kind == Kind::Set);
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": object(&EDIT_KEYS, |key| match key {
            "add-kernel-argument" => text("The kernel is booted with this argument."),
            "remove-kernel-argument" => text("The kernel is booted without this argument."),
            "remove-kernel-arguments" => names(
                "The kernel is booted without the arguments that this fact lists.",
                sets().map(|fact| (fact.name, fact.doc)),
            ),
            "generate-boot-menu" => flag("The boot menu is generated from its configuration."),
            "enable-kubelet-gate" => word::<KubeletGate>("The kubelet has this gate on."),
            "drop-refused-kubelet-gates" => flag("No gate is set that this kubelet refuses."),
            "raise-kubelet-timeout" => text("runtimeRequestTimeout is at least this long."),
            "raise-create-container-timeout" => {
                text("create_container_timeout of the Kata shims for this CPU is at least this long.")
            }
            "restart-kubelet" => flag("The kubelet is restarted and watched."),
            "deny-modules" => texts("Modules that are not loaded by themselves."),
            _ => texts("Modules that are loaded at boot."),
        }),
    })
}

fn override_() -> Json {
    json!({
        "type": "object",
        "description": "Changes the severity of a rule, or disables it.",
        "additionalProperties": false,
        "required": ["rule", "reason"],
        "oneOf": [{ "required": ["severity"] }, { "required": ["disable"] }],
        "properties": object(&OVERRIDE_KEYS, |key| match key {
            "severity" => word::<Severity>("What a failure means on this site."),
            "disable" => json!({ "const": true }),
            "reason" => text("Why; it is shown in reports."),
            _ => text("The id of a rule."),
        }),
    })
}

/// A comparison names a fact, and has exactly one of the operators that fit the fact's kind.
fn comparison(facts: &[(Handle, &str)]) -> Json {
    let mut properties = Map::new();
    let all = facts.iter().map(|(fact, doc)| (fact.name(), *doc));
    properties.insert("fact".to_owned(), names("What is compared.", all));
    for key in Operator::KEYS {
        properties.insert(key.to_owned(), json!({ "description": meaning(key) }));
    }
    properties.insert(
        "absent-is".to_owned(),
        word::<AbsentIs>("How a thing that does not exist counts; fail unless given."),
    );
    let kinds: Vec<Json> = KINDS
        .into_iter()
        .filter_map(|kind| {
            let of_kind = facts.iter().filter(|(fact, _)| fact.kind() == kind);
            let of_kind: Vec<&str> = of_kind.map(|(fact, _)| fact.name()).collect();
            (!of_kind.is_empty()).then(|| operators(kind, &of_kind))
        })
        .collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["fact"],
        "properties": properties,
    });
    if !kinds.is_empty() {
        schema["anyOf"] = Json::Array(kinds);
    }
    schema
}

fn operators(kind: Kind, facts: &[&str]) -> Json {
    let fitting: Vec<&str> =
        Operator::KEYS.into_iter().filter(|key| Operator::takes(key, kind) == Some(true)).collect();
    let value = match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Text | Kind::Version | Kind::Duration => json!({ "type": "string" }),
        Kind::Set => json!({ "type": "array", "items": { "type": "string" } }),
    };
    let mut properties = Map::new();
    properties.insert("fact".to_owned(), json!({ "enum": facts }));
    for key in &fitting {
        let value = match *key {
            "one-of" => json!({ "type": "array", "minItems": 1, "items": value }),
            "contains-all" | "contains-none" => {
                json!({ "type": "array", "minItems": 1, "items": { "type": "string" } })
            }
            _ => value.clone(),
        };
        properties.insert((*key).to_owned(), value);
    }
    let one: Vec<Json> = Operator::KEYS.iter().map(|key| json!({ "required": [key] })).collect();
    let fits: Vec<Json> = fitting.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "title": kind.name(), "properties": properties, "oneOf": one, "anyOf": fits })
}

fn meaning(operator: &str) -> &'static str {
    match operator {
        "equals" => "The value is this one.",
        "one-of" => "The value is one of these.",
        "at-least" => "The value is this or more.",
        "below" => "The value is less than this.",
        "contains-all" => "The set has all of these.",
        "contains-none" => "The set has none of these.",
        _ => "The whole text matches this regular expression.",
    }
}

fn object(keys: &[&str], schema: impl Fn(&str) -> Json) -> Json {
    Json::Object(keys.iter().map(|key| ((*key).to_owned(), schema(key))).collect())
}

fn array_of(definition: &str) -> Json {
    let items = json!({ "$ref": format!("#/definitions/{definition}") });
    json!({ "type": "array", "minItems": 1, "items": items })
}

fn text(description: &str) -> Json {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn texts(description: &str) -> Json {
    let items = json!({ "type": "string", "minLength": 1 });
    json!({ "type": "array", "minItems": 1, "items": items, "description": description })
}

fn word<T: Word>(description: &str) -> Json {
    let words: Vec<&str> = T::ALL.iter().map(|each| each.word()).collect();
    json!({ "enum": words, "description": description })
}

/// Names with a sentence each, in the two ways that editors know.
fn names<'n>(description: &str, names: impl Iterator<Item = (&'n str, &'n str)>) -> Json {
    let (names, sentences): (Vec<&str>, Vec<&str>) = names.unzip();
    if names.is_empty() {
        return text(description);
    }
    json!({
        "enum": names,
        "description": description,
        "enumDescriptions": sentences,
        "x-taplo": { "docs": { "enumValues": sentences } },
    })
}
