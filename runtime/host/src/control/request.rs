//! Requests: one JSON object a line.

use super::lines::PROTOCOL;
use crate::phases::Row;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinstep_config::units::TIME;

/// Longest request (bytes, its end included).
pub const MAX_LINE: usize = 16 << 10;
/// Longest name that a request may have (bytes).
const MAX_ID: usize = 64;
/// Most faults in one request.
const MAX_FAULTS: usize = 16;
/// Longest budget (ns): the longest period.
const MAX_BUDGET_NS: f64 = 1e9;

/// Names a request: it comes back with the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u64),
    /// A word.
    Text(String),
}

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the next event that is stored.
    New,
    /// After the event with this number.
    After(u64),
    /// With so many of the last events.
    Last(u64),
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    Status,
    Budget(Vec<(Row, Option<u64>)>),
    Save,
    Reset,
    Arm,
    Inject(Vec<String>),
    Clear,
    Baseline(String),
    Events(Start),
    Curve { source: String, stroke: Option<u64> },
    Trend { source: String, parameter: String },
}

impl Wish {
    /// The word that asks for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Budget(_) => "budget",
            Self::Save => "save",
            Self::Reset => "reset",
            Self::Arm => "arm",
            Self::Inject(_) => "inject",
            Self::Clear => "clear",
            Self::Baseline(_) => "baseline",
            Self::Events(_) => "events",
            Self::Curve { .. } => "curve",
            Self::Trend { .. } => "trend",
        }
    }
}

/// All words, for messages.
const WORDS: &str =
    "status, budget, save, reset, arm, inject, clear, baseline, events, curve, trend";

/// Why a line is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub error: String,
    pub remedy: String,
}

impl Wrong {
    pub fn new(error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            remedy: remedy.into(),
        }
    }
}

/// A wish, and the bus that it is of where the machine has several; none: of all of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub wish: Wish,
    pub bus: Option<String>,
}

/// Reads a line. The name of the request is returned whatever becomes of the rest.
pub(super) fn parse(line: &[u8]) -> (Option<Id>, Result<Asked, Wrong>) {
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(error) => {
            let error = format!("no JSON object: {error}");
            let remedy = "send one object a line, such as {\"request\":\"status\"}";
            return (None, Err(Wrong::new(error, remedy)));
        }
    };
    let id = match object.get("id") {
        None => None,
        Some(value) => match Id::deserialize(value) {
            Ok(Id::Text(text)) if text.len() > MAX_ID => None,
            Ok(id) => Some(id),
            Err(_) => None,
        },
    };
    if object.contains_key("id") && id.is_none() {
        let error = format!("`id` must be a whole number or a text of at most {MAX_ID} bytes");
        return (None, Err(Wrong::new(error, "shorten it, or leave it out")));
    }
    (id, wish(object))
}

fn wish(mut object: Map<String, Value>) -> Result<Asked, Wrong> {
    object.remove("id");
    if let Some(protocol) = object.remove("protocol")
        && protocol != PROTOCOL
    {
        return Err(Wrong::new(
            format!("this twinstep speaks protocol {PROTOCOL}, the request is of {protocol}"),
            "use the client of the same version",
        ));
    }
    let Some(Value::String(word)) = object.remove("request") else {
        return Err(Wrong::new(
            "`request` is missing or no text",
            format!("it is one of: {WORDS}"),
        ));
    };
    let wish = match word.as_str() {
        "status" => Wish::Status,
        "budget" => Wish::Budget(budgets(object.remove("set"))?),
        "save" => Wish::Save,
        "reset" => Wish::Reset,
        "arm" => Wish::Arm,
        "inject" => Wish::Inject(faults(object.remove("faults"))?),
        "clear" => Wish::Clear,
        "baseline" => Wish::Baseline(source(object.remove("source"))?),
        "events" => Wish::Events(start(object.remove("since"), object.remove("last"))?),
        "curve" => curve(object.remove("source"), object.remove("stroke"))?,
        "trend" => trend(object.remove("source"), object.remove("parameter"))?,
        _ => {
            let shown: String = word.chars().take(32).collect();
            return Err(Wrong::new(
                format!("unknown request '{}'", shown.escape_default()),
                format!("it is one of: {WORDS}"),
            ));
        }
    };
    // Events are those of the machine: their source says where they come from.
    let bus = match &wish {
        Wish::Events(_) => None,
        _ => bus(object.remove("bus"))?,
    };
    if let Some(key) = object.keys().next() {
        let shown: String = key.chars().take(32).collect();
        return Err(Wrong::new(
            format!("`{}` takes no `{}`", wish.name(), shown.escape_default()),
            "leave it out",
        ));
    }
    Ok(Asked { wish, bus })
}

/// The bus that is named.
fn bus(name: Option<Value>) -> Result<Option<String>, Wrong> {
    match name {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if name.len() <= MAX_ID => Ok(Some(name)),
        Some(_) => Err(Wrong::new(
            format!("`bus` is no text of at most {MAX_ID} bytes"),
            "name one of several buses, or leave it out",
        )),
    }
}

/// Reads `"source": "lift"`.
fn source(source: Option<Value>) -> Result<String, Wrong> {
    match source {
        Some(Value::String(source)) => Ok(source),
        _ => Err(Wrong::new(
            "`source` is missing or no text",
            "name the axis or press that was repaired: \"source\":\"lift\"",
        )),
    }
}

/// Reads `"set": {"predict": "50us", "wake": null}`.
fn budgets(set: Option<Value>) -> Result<Vec<(Row, Option<u64>)>, Wrong> {
    let Some(Value::Object(set)) = set else {
        return Err(Wrong::new(
            "`set` is missing or no object",
            "name phases or groups of models with their times: \"set\":{\"predict\":\"50us\"}; null takes a budget away",
        ));
    };
    set.iter()
        .map(|(name, value)| {
            let row = row_named(name)?;
            match value {
                Value::Null => Ok((row, None)),
                Value::String(text) => Ok((row, Some(time_ns(name, text)?))),
                _ => Err(Wrong::new(
                    format!("the budget of `{name}` is no text"),
                    "write it with its unit, such as \"50us\"; null takes it away",
                )),
            }
        })
        .collect()
}

/// A phase or a group of models.
pub(super) fn row_named(name: &str) -> Result<Row, Wrong> {
    let row = Row::named(name).filter(|row| *row != Row::Busy);
    row.ok_or_else(|| {
        let known: Vec<_> = (Row::all().filter(|row| *row != Row::Busy))
            .map(Row::name)
            .collect();
        let shown: String = name.chars().take(32).collect();
        Wrong::new(
            format!("no phase or group is called '{}'", shown.escape_default()),
            format!("they are: {}", known.join(", ")),
        )
    })
}

/// A time with its unit (ns).
pub(super) fn time_ns(name: &str, text: &str) -> Result<u64, Wrong> {
    let time = TIME.parse_scaled(text, 9);
    match time {
        Ok(ns) if (0.0..=MAX_BUDGET_NS).contains(&ns) && ns.fract() == 0.0 => Ok(ns as u64),
        Ok(_) => Err(Wrong::new(
            format!("the budget of `{name}` is not a whole number of nanoseconds from 0 to 1s"),
            "write it with its unit, such as \"50us\"",
        )),
        Err(_) => {
            let shown: String = text.chars().take(32).collect();
            Err(Wrong::new(
                format!("'{}' is no time", shown.escape_default()),
                "write a number and its unit, such as \"50us\"",
            ))
        }
    }
}

fn faults(faults: Option<Value>) -> Result<Vec<String>, Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`faults` is no list of 1 to {MAX_FAULTS} texts"),
            "name them as on the command line: \"faults\":[\"friction:carriage:factor=1.2\"]",
        )
    };
    let Some(Value::Array(faults)) = faults else {
        return Err(wrong());
    };
    if faults.is_empty() || faults.len() > MAX_FAULTS {
        return Err(wrong());
    }
    let texts = faults.into_iter().map(|fault| match fault {
        Value::String(text) => Ok(text),
        _ => Err(wrong()),
    });
    texts.collect()
}

fn curve(source: Option<Value>, stroke: Option<Value>) -> Result<Wish, Wrong> {
    let Some(Value::String(source)) = source else {
        return Err(Wrong::new(
            "`source` is missing or no text",
            "it is the name of a press: \"source\":\"press\"",
        ));
    };
    let stroke = match stroke {
        None | Some(Value::Null) => None,
        Some(number) => Some(number.as_u64().ok_or_else(|| {
            Wrong::new(
                "`stroke` is no whole number",
                "it stands in `strokes` of the status; leave it out for the last one",
            )
        })?),
    };
    Ok(Wish::Curve { source, stroke })
}

fn trend(source: Option<Value>, parameter: Option<Value>) -> Result<Wish, Wrong> {
    let text = |value: Option<Value>, key: &str| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Wrong::new(
            format!("`{key}` is missing or no text"),
            "name one of `health` of the status: \"source\":\"lift\",\"parameter\":\"coulomb\"",
        )),
    };
    Ok(Wish::Trend {
        source: text(source, "source")?,
        parameter: text(parameter, "parameter")?,
    })
}

fn start(since: Option<Value>, last: Option<Value>) -> Result<Start, Wrong> {
    let number = |value: Option<Value>, key: &str, remedy: &str| match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => (value.as_u64().map(Some))
            .ok_or_else(|| Wrong::new(format!("`{key}` is no whole number"), remedy)),
    };
    let since = number(
        since,
        "since",
        "it is the number of the last event that is known; leave it out for new ones only",
    )?;
    let last = number(last, "last", "it is how many of the last events come first")?;
    match (since, last) {
        (None, None) => Ok(Start::New),
        (Some(seq), None) => Ok(Start::After(seq)),
        (None, Some(count)) => Ok(Start::Last(count)),
        (Some(_), Some(_)) => Err(Wrong::new(
            "`since` and `last` are both there",
            "leave one of them out",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phases::{Group, Phase};

    fn wished(line: &str) -> Wish {
        parse(line.as_bytes()).1.unwrap().wish
    }

    #[test]
    fn every_request_is_understood() {
        assert_eq!(wished(r#"{"request":"status","protocol":1}"#), Wish::Status);
        assert_eq!(
            wished(r#"{"request":"budget","set":{"predict":"50us","press":"1.5us","wake":null}}"#),
            Wish::Budget(vec![
                (Row::Phase(Phase::Predict), Some(50_000)),
                (Row::Group(Group::Press), Some(1_500)),
                (Row::Phase(Phase::Wake), None),
            ])
        );
        assert_eq!(
            wished(r#"{"request":"inject","faults":["a","b"]}"#),
            Wish::Inject(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(
            wished(r#"{"request":"events","since":7}"#),
            Wish::Events(Start::After(7))
        );
        assert_eq!(
            wished(r#"{"request":"events","last":3}"#),
            Wish::Events(Start::Last(3))
        );
        for word in WORDS.split(", ") {
            let extra = match word {
                "budget" => r#","set":{}"#,
                "inject" => r#","faults":["x"]"#,
                "curve" | "baseline" => r#","source":"press""#,
                "trend" => r#","source":"lift","parameter":"coulomb""#,
                _ => "",
            };
            assert_eq!(
                wished(&format!("{{\"request\":\"{word}\"{extra}}}")).name(),
                word
            );
        }
    }

    #[test]
    fn a_bus_is_named_where_it_matters() {
        let asked = |line: &str| parse(line.as_bytes()).1;
        let reset = asked(r#"{"request":"reset","bus":"rear"}"#).unwrap();
        assert_eq!(
            (reset.wish, reset.bus.as_deref()),
            (Wish::Reset, Some("rear"))
        );
        assert_eq!(
            asked(r#"{"request":"reset","bus":null}"#).unwrap().bus,
            None
        );
        let wrong = asked(r#"{"request":"reset","bus":1}"#).unwrap_err();
        assert!(wrong.error.contains("`bus` is no text"), "{wrong:?}");
        let wrong = asked(r#"{"request":"events","bus":"rear"}"#).unwrap_err();
        assert!(wrong.error.contains("takes no `bus`"), "{wrong:?}");
    }

    #[test]
    fn the_name_of_a_request_comes_back_even_with_an_error() {
        let (id, wish) = parse(br#"{"id":7,"request":"dance"}"#);
        assert_eq!(id, Some(Id::Number(7)));
        assert!(wish.unwrap_err().error.contains("dance"));
        let (id, _) = parse(br#"{"id":"a","request":"status"}"#);
        assert_eq!(id, Some(Id::Text("a".to_owned())));
    }

    #[test]
    fn what_is_no_request_says_why_and_what_to_do() {
        for (line, says) in [
            ("", "no JSON object"),
            ("[1]", "no JSON object"),
            ("{", "no JSON object"),
            (r#"{"request":1}"#, "`request` is missing"),
            (r#"{"request":"status","protocol":2}"#, "speaks protocol 1"),
            (r#"{"request":"status","x":1}"#, "takes no `x`"),
            (r#"{"request":"status","id":[]}"#, "`id` must be"),
            (r#"{"request":"budget"}"#, "`set` is missing"),
            (r#"{"request":"budget","set":{"busy":"1us"}}"#, "'busy'"),
            (r#"{"request":"budget","set":{"wake":5}}"#, "is no text"),
            (
                r#"{"request":"budget","set":{"wake":"5"}}"#,
                "'5' is no time",
            ),
            (
                r#"{"request":"budget","set":{"wake":"0.5ns"}}"#,
                "whole number",
            ),
            (
                r#"{"request":"budget","set":{"wake":"2s"}}"#,
                "whole number",
            ),
            (r#"{"request":"inject"}"#, "`faults`"),
            (r#"{"request":"inject","faults":[]}"#, "`faults`"),
            (r#"{"request":"inject","faults":[1]}"#, "`faults`"),
            (r#"{"request":"curve"}"#, "`source`"),
            (
                r#"{"request":"curve","source":"p","stroke":-1}"#,
                "`stroke`",
            ),
            (r#"{"request":"trend","parameter":"coulomb"}"#, "`source`"),
            (r#"{"request":"trend","source":"x"}"#, "`parameter`"),
            (r#"{"request":"events","since":-1}"#, "`since`"),
            (r#"{"request":"events","last":0.5}"#, "`last`"),
            (r#"{"request":"events","last":1,"since":1}"#, "both"),
        ] {
            let wrong = parse(line.as_bytes()).1.unwrap_err();
            assert!(wrong.error.contains(says), "{line}: {wrong:?}");
            assert!(!wrong.remedy.is_empty(), "{line}");
        }
    }
}
