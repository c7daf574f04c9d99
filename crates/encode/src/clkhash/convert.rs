//! Schemas of versions 1 and 2 as schemas of version 3, by the rules of clkhash.

use serde_json::{Map, Value, json};

use super::document::{Place, is_truthy};
use super::error::ClkError;

/// A schema of version 2 out of one of version 1, which was checked. A feature of weight 0 is ignored; any other inserts
/// each token `round(weight · k)` times, rounded to even. Folds are read where they were written.
pub(crate) fn to_version_2(schema: &Value) -> Result<Value, ClkError> {
    let config = &schema["clkConfig"];
    let mut features = Vec::new();
    for (index, feature) in array(&schema["features"]).iter().enumerate() {
        if is_ignored(feature) {
            features.push(feature.clone());
            continue;
        }
        let weight = feature["hashing"]
            .get("weight")
            .cloned()
            .unwrap_or_else(|| json!(1.0));
        if weight.as_f64() == Some(0.0) {
            features.push(json!({"identifier": feature["identifier"], "ignored": true}));
            continue;
        }
        let mut feature = feature.clone();
        if let Some(hashing) = feature["hashing"].as_object_mut() {
            hashing.remove("weight");
            let insertions = weighted(&weight, &config["k"]).ok_or_else(|| {
                let (root, key) = (Place::ROOT, format!("features[{index}].hashing.weight"));
                root.key(&key)
                    .wrong("times clkConfig.k it is too large: lower one of the two")
            })?;
            hashing.insert("strategy".to_owned(), json!({"k": insertions}));
            hashing.insert("hash".to_owned(), config["hash"].clone());
        }
        features.push(feature);
    }
    Ok(json!({
        "version": 2,
        "clkConfig": {"l": config["l"], "kdf": config["kdf"]},
        "features": features,
    }))
}

/// `round(weight * k)` in Python.
fn weighted(weight: &Value, k: &Value) -> Option<u64> {
    let k = k.as_u64()?;
    if let Some(weight) = weight.as_u64() {
        return weight.checked_mul(k);
    }
    let product = (weight.as_f64()? * k as f64).round_ties_even();
    // Beyond this, floats are no exact counts any more.
    (0.0..=9_007_199_254_740_992.0)
        .contains(&product)
        .then_some(product as u64)
}

/// A schema of version 3 out of one of version 2, which was checked.
pub(crate) fn to_version_3(schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema["version"] = json!(3);
    let features = schema["features"].as_array_mut();
    for feature in features
        .into_iter()
        .flatten()
        .filter(|feature| !is_ignored(feature))
    {
        let Some(hashing) = feature["hashing"].as_object_mut() else {
            continue;
        };
        if let Some(strategy) = hashing.get_mut("strategy").and_then(Value::as_object_mut)
            && !rename(strategy, "k", "bitsPerToken")
        {
            rename(strategy, "numBits", "bitsPerFeature");
        }
        let n = hashing.remove("ngram").unwrap_or_default();
        let positional = hashing.remove("positional").unwrap_or(Value::Bool(false));
        hashing.insert(
            "comparison".to_owned(),
            json!({"type": "ngram", "n": n, "positional": positional}),
        );
    }
    schema
}

fn rename(object: &mut Map<String, Value>, from: &str, to: &str) -> bool {
    let value = object.remove(from);
    let found = value.is_some();
    object.extend(value.map(|value| (to.to_owned(), value)));
    found
}

fn is_ignored(feature: &Value) -> bool {
    feature.get("ignored").is_some_and(is_truthy)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
