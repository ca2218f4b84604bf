//! The JSON Schema of the configuration, for editors of TOML. The parser is stricter still: it knows how
//! long a duration may be, and which rules there are.

use serde_json::{Map, Value as Json, json};

use super::key::{KEYS, Key, Kind, SECTIONS, Setting};
use super::value::spoken;

/// The schema of `config.toml` and of each of its drop-ins.
pub fn schema() -> Json {
    let mut schema = table("");
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".to_owned(), json!("Configuration of ccgpu-node"));
    }
    schema
}

fn table(name: &str) -> Json {
    let keys = KEYS.iter().filter(|key| key.section == name);
    let keys = keys.map(|key| (key.name.to_owned(), value(key)));
    let sections = SECTIONS.iter().filter_map(|section| {
        let (outer, inner) = section.name.rsplit_once('.').unwrap_or(("", section.name));
        (outer == name).then(|| {
            let mut schema = table(section.name);
            if let Some(members) = schema.as_object_mut() {
                members.insert("description".to_owned(), json!(section.doc));
            }
            (inner.to_owned(), schema)
        })
    });
    let properties: Map<String, Json> = keys.chain(sections).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn value(key: &Key) -> Json {
    let texts = |item: Json| json!({ "type": "array", "items": item });
    let path = || json!({ "type": "string", "pattern": "^/" });
    let mut schema = match key.kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "enum": words() }),
        Kind::Duration(..) => {
            // As Go reads them; a sign would only make it too short.
            json!({ "type": "string", "pattern": "^(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$" })
        }
        Kind::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Name => json!({ "type": "string", "minLength": 1 }),
        Kind::Directory => path(),
        Kind::Loopback => {
            json!({ "type": "string", "pattern": "^(127(\\.[0-9]{1,3}){3}|\\[[0:]*1\\]):[0-9]{1,5}$" })
        }
        Kind::Patterns => texts(json!({ "type": "string", "minLength": 1 })),
        Kind::Mendable => texts(json!({ "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" })),
        Kind::Files => texts(path()),
        Kind::Assumptions => texts(json!({ "type": "string", "pattern": "=" })),
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), json!(key.doc));
        if let Some(default) = &key.default {
            members.insert("default".to_owned(), plain(default));
        }
    }
    schema
}

fn plain(setting: &Setting) -> Json {
    match setting {
        Setting::Flag(value) => json!(value),
        Setting::Text(text) => json!(text),
        Setting::Duration(duration) => json!(spoken(*duration)),
        Setting::Count(count) => json!(count),
        Setting::Address(address) => json!(address.to_string()),
        Setting::List(list) => json!(list),
    }
}
