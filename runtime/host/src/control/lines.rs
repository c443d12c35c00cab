//! What the control socket answers, as JSON lines. Keys are added, never renamed.

use super::request::Id;
use crate::health::CourseLine;
use crate::strokes::StrokeCurveLine;
use serde::Serialize;

/// Version of the protocol: it goes up when something that was there means something else.
pub const PROTOCOL: u32 = 1;

/// A request was carried out.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "done")]
pub(super) struct DoneLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    pub request: &'static str,
}

/// A request was not carried out: why, and what to do.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "error")]
pub(super) struct ErrorLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    pub error: &'a str,
    pub remedy: &'a str,
}

/// The budgets in force, as a patch for the configuration.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "budgets")]
pub(super) struct BudgetsLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    /// TOML that `[cycle]` of the configuration takes.
    pub toml: &'a str,
}

/// The curve of a stroke.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "curve")]
pub(super) struct CurveLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    #[serde(flatten)]
    pub curve: &'a StrokeCurveLine,
}

/// How a tracked parameter has gone.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "trend")]
pub(super) struct TrendLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    #[serde(flatten)]
    pub course: &'a CourseLine,
}

/// Events follow, each as it was stored.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "following")]
pub(super) struct FollowingLine<'a> {
    pub protocol: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Id>,
    /// The first event has a larger number.
    pub since: u64,
}

/// One line, with its end. What is written here always has a form in JSON.
pub(super) fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
