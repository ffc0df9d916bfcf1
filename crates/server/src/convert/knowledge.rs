//! What is known of a command and its output, as the wire has it.

use wharf_api as api;
use wharf_engine::knowledge::{DataAbout, Knowledge, TextAbout};
use wharf_engine::output::digest::LeftOut;

use super::analysis::json;

/// The answer to `POST /api/tool-result`.
pub(crate) fn tool_result(known: Knowledge) -> api::ToolResultResponse {
    api::ToolResultResponse {
        metadata: json(&known.metadata),
        decision: json(&known.decision),
        model_hints: json(&known.model_hints),
        meaning: meaning(known),
    }
}

/// Puts what is known into a run's record.
pub(crate) fn add(record: &mut api::RunRecord, known: Knowledge) {
    record.metadata = known.metadata.as_ref().map(json);
    record.model_hints = known.model_hints.as_ref().map(json);
    record.meaning = meaning(known);
}

fn meaning(known: Knowledge) -> api::Meaning {
    api::Meaning {
        data: known.data,
        data_about: known.data_about.map(data_about),
        text: known.text,
        text_about: known.text_about.map(text_about),
    }
}

fn data_about(about: DataAbout) -> api::DataAbout {
    api::DataAbout {
        parser: about.parser.to_owned(),
        rows: about.rows,
        lines_left_out: about.lines_left_out,
        bytes_left_out: about.bytes_left_out,
        messages: about.messages,
    }
}

fn text_about(about: TextAbout) -> api::TextAbout {
    api::TextAbout {
        tokens_before: about.tokens_before,
        tokens_after: about.tokens_after,
        lines: about.lines,
        failure_lines: about.failure_lines,
        failure_lines_left_out: about.failure_lines_left_out,
        left_out: about.left_out.into_iter().map(left_out).collect(),
        handle: about.handle,
    }
}

fn left_out(part: LeftOut) -> api::LeftOut {
    api::LeftOut {
        what: part.what,
        lines: part.lines,
        bytes: part.bytes,
        offset: part.offset,
        from_line: part.from_line,
        to_line: part.to_line,
        stream: part.stream.name().to_owned(),
    }
}
