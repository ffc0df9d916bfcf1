//! What an output says: `data` and `text`, and `POST /api/tool-result`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Include, MetadataFormat};

/// What an output says, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Meaning {
    /// Standard output as a list of objects, where a parser knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub data: Option<Vec<Map<String, Value>>>,
    /// What `data` was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_about: Option<DataAbout>,
    /// Both streams as a model should read them, within the budget. No line that tells of a
    /// failure is left out unless the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What `text` was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_about: Option<TextAbout>,
}

/// What rows were made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataAbout {
    /// The form that was read, such as `ps` or `git_log`.
    pub parser: String,
    /// Rows.
    pub rows: usize,
    /// Lines that were not read, because the output is too long.
    pub lines_left_out: usize,
    /// Bytes of standard output behind those that were looked at.
    pub bytes_left_out: u64,
    /// Lines that hold a message of the program and no row.
    pub messages: usize,
}

/// What a text for a model was made of, and exactly what is missing in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextAbout {
    /// Tokens of the whole output, at about 4 bytes each.
    pub tokens_before: usize,
    /// Tokens of the text.
    pub tokens_after: usize,
    /// Lines of the whole output.
    pub lines: u64,
    /// Lines that tell of a failure.
    pub failure_lines: u64,
    /// How many of them did not fit.
    pub failure_lines_left_out: u64,
    /// Every part that is missing, in order.
    pub left_out: Vec<LeftOut>,
    /// How a missing part is read, with `{stream}`, `{offset}` and `{limit}` where the values go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// A part of the output that is missing in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// What it was, such as `212 passed tests`.
    pub what: String,
    /// Lines in it.
    pub lines: u64,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Where it begins in the stream, in bytes.
    pub offset: u64,
    /// Its first line, counted from 1.
    pub from_line: u64,
    /// Its last line.
    pub to_line: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
}

/// A result that was produced elsewhere: `POST /api/tool-result`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ToolResultRequest {
    /// The command: 1 byte to 128 KiB, no NUL. It is not run.
    #[schema(min_length = 1, max_length = 131_072)]
    pub command: String,
    /// What it wrote to standard output.
    #[serde(default)]
    pub stdout: String,
    /// What it wrote to standard error.
    #[serde(default)]
    pub stderr: String,
    /// Its exit code.
    #[serde(default)]
    pub exit_code: i32,
    /// How much metadata the answer carries; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_format: Option<MetadataFormat>,
    /// Tokens, of about 4 bytes, that `text` may have; 8,000 when absent. 100 to 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 100, maximum = 1_000_000)]
    pub token_budget: Option<u64>,
    /// What else the answer carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
}

/// The answer to `POST /api/tool-result`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ToolResultResponse {
    /// What is known of the command and its result.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// What a decision over the command would be, by its text alone.
    #[schema(value_type = Object)]
    pub decision: Value,
    /// How a model may best read the output.
    #[schema(value_type = Object)]
    pub model_hints: Value,
    /// What the output says.
    #[serde(flatten)]
    pub meaning: Meaning,
}
