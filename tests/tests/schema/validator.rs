//! `Schema`: a validator for the part of JSON Schema that the tool's schema uses.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value without the member is null"
)]

use serde_json::{Map, Value};

/// JSON Schema with local references.
#[derive(Debug)]
pub(crate) struct Schema(Value);

impl Schema {
    /// Schema in a JSON text.
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Checks `value` against a definition. A member of an object that the schema doesn't name is a
    /// fault, although the schema allows it: what is printed has to be documented.
    ///
    /// # Errors
    /// Place and kind of the first fault.
    pub(crate) fn check(&self, definition: &str, value: &Value) -> Result<(), String> {
        self.check_at(&self.0["$defs"][definition], value, definition)
    }

    /// All definitions, and all keywords in them that this validator doesn't know.
    pub(crate) fn unknown_keywords(&self) -> Vec<String> {
        fn collect(schema: &Value, found: &mut Vec<String>) {
            let Some(members) = schema.as_object() else {
                return;
            };
            for (keyword, value) in members {
                match keyword.as_str() {
                    "properties" | "$defs" => {
                        let inner = value.as_object().into_iter().flat_map(Map::values);
                        inner.for_each(|inner| collect(inner, found));
                    }
                    "anyOf" | "oneOf" => {
                        let inner = value.as_array().into_iter().flatten();
                        inner.for_each(|inner| collect(inner, found));
                    }
                    "items" | "additionalProperties" => collect(value, found),
                    known if KEYWORDS.contains(&known) => {}
                    other => found.push(other.to_owned()),
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }

    fn check_at(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{at}: {what}: {value}"));
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/$defs/").unwrap_or_default();
            return match self.0["$defs"].get(name) {
                Some(definition) => self.check_at(definition, value, &format!("{at}/{name}")),
                None => fault(&format!("{reference} is not defined")),
            };
        }
        if let Some(constant) = schema.get("const")
            && constant != value
        {
            return fault(&format!("not {constant}"));
        }
        if let Some(values) = schema["enum"].as_array()
            && !values.contains(value)
        {
            return fault("not in the enumeration");
        }
        if let Some(minimum) = schema["minimum"].as_f64()
            && value.as_f64().is_some_and(|number| number < minimum)
        {
            return fault("too small");
        }
        if let Some(maximum) = schema["maximum"].as_f64()
            && value.as_f64().is_some_and(|number| number > maximum)
        {
            return fault("too large");
        }
        if !is_of_type(&schema["type"], value) {
            return fault(&format!("not of type {}", schema["type"]));
        }
        self.check_choices(schema, value, at)?;
        self.check_items(schema, value, at)?;
        self.check_members(schema, value, at)
    }

    /// `anyOf` and `oneOf`, whose alternatives exclude each other in our schema.
    fn check_choices(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for keyword in ["anyOf", "oneOf"] {
            let Some(choices) = schema[keyword].as_array() else {
                continue;
            };
            let outcomes = choices
                .iter()
                .map(|choice| self.check_at(choice, value, at));
            let (good, faults): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
            if good.len() != 1 {
                // The fault of the alternative that was meant is the deepest: that of another one
                // is about its constant.
                let faults = faults.into_iter().filter_map(Result::err);
                let told = faults.filter(|fault| !fault.contains(": not \""));
                let told: Vec<String> = told.collect();
                return Err(format!(
                    "{at}: {} match: {value}\n{}",
                    good.len(),
                    told.join("\n")
                ));
            }
        }
        Ok(())
    }

    fn check_items(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let Some(items) = value.as_array() else {
            return Ok(());
        };
        let count = items.len() as u64;
        let is_short = schema["minItems"]
            .as_u64()
            .is_some_and(|least| count < least);
        let is_long = schema["maxItems"].as_u64().is_some_and(|most| count > most);
        if is_short || is_long {
            return Err(format!("{at}: {count} items"));
        }
        let each = schema.get("items");
        each.map_or(Ok(()), |each| {
            items
                .iter()
                .try_for_each(|item| self.check_at(each, item, &format!("{at}[]")))
        })
    }

    fn check_members(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let Some(members) = value.as_object() else {
            return Ok(());
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !members.contains_key(name) {
                return Err(format!("{at}: {name} is missing in {value}"));
            }
        }
        // An object with choices is described by one of them.
        if schema
            .get("anyOf")
            .or_else(|| schema.get("oneOf"))
            .is_some()
        {
            return Ok(());
        }
        for (name, member) in members {
            let inner = format!("{at}.{name}");
            match (
                schema["properties"].get(name),
                &schema["additionalProperties"],
            ) {
                (Some(property), _) => self.check_at(property, member, &inner)?,
                (None, Value::Bool(true)) => {}
                (None, other @ Value::Object(_)) => self.check_at(other, member, &inner)?,
                (None, _) => return Err(format!("{inner} is not in the schema: {value}")),
            }
        }
        Ok(())
    }
}

/// True if `value` has the type, or one of the types; without a type everything has it.
fn is_of_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match schema {
        Value::Null => true,
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

/// Keywords that are checked, or that are for people.
const KEYWORDS: [&str; 12] = [
    "$schema",
    "title",
    "description",
    "$ref",
    "type",
    "const",
    "enum",
    "required",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
];
