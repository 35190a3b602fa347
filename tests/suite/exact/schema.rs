//! Every frame of a run against docs/protocol.schema.json.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::oracle::Version;

/// The four directions of the two protocols.
pub(super) struct Schema {
    base: [Validator; 2],
    v2: [Validator; 2],
}

impl Schema {
    pub(super) fn read() -> Self {
        let text = include_str!("../../../docs/protocol.schema.json");
        let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
        let part = |name: &str| {
            let mut part = schema.clone();
            let members = part.as_object_mut().expect("an object");
            members.remove("anyOf");
            members.insert("$ref".to_owned(), json!(format!("#/$defs/{name}")));
            jsonschema::validator_for(&part).expect("a schema")
        };
        Self {
            base: [part("base-server"), part("base-client")],
            v2: [part("v2-server"), part("v2-client")],
        }
    }

    /// Whether the server may send this.
    pub(super) fn has_frame(&self, version: Version, frame: &Value) -> bool {
        self.of(version)[0].is_valid(frame)
    }

    /// Whether the server takes this for a well-formed request.
    pub(super) fn has_request(&self, version: Version, request: &Value) -> bool {
        self.of(version)[1].is_valid(request)
    }

    fn of(&self, version: Version) -> &[Validator; 2] {
        match version {
            Version::Base => &self.base,
            Version::V2 => &self.v2,
        }
    }
}

/// Copies of a frame that are wrong in one place each: a member missing, of another type, or too many.
pub(super) fn wrong(frame: &Value) -> Vec<Value> {
    let members = frame.as_object().expect("a frame is an object");
    let mut wrong = Vec::new();
    for name in members.keys() {
        let mut other = frame.clone();
        other[name] = if members[name].is_array() { json!(7) } else { json!([]) };
        wrong.push(other);
        // Those that may be missing, of some types at least.
        if !["ref", "reset", "roomId"].contains(&&name[..]) {
            let mut other = frame.clone();
            other.as_object_mut().expect("an object").remove(name);
            wrong.push(other);
        }
    }
    let mut other = frame.clone();
    other["planted"] = json!(true);
    wrong.push(other);
    wrong
}

/// Copies of a request of which one member each has another type.
pub(super) fn wrong_requests(request: &Value) -> Vec<Value> {
    let names = request.as_object().expect("a request is an object").keys();
    let wrong = names.map(|name| {
        let mut other = request.clone();
        other[name] = json!([]);
        other
    });
    wrong.collect()
}
