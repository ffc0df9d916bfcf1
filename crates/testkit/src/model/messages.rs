//! The Messages API, from the side of the model.

use serde_json::{Value, json};

use super::Answer;

/// Whether the request offers tools at all.
pub(super) fn offers_tools(request: &Value) -> bool {
    tools(request).next().is_some()
}

/// Whether it offers this one.
pub(super) fn has_tool(request: &Value, name: &str) -> bool {
    tools(request).any(|tool| tool.get("name").is_some_and(|found| found == name))
}

fn tools(request: &Value) -> impl Iterator<Item = &Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten()
}

/// Whether a tool has been called in this conversation.
pub(super) fn has_result(request: &Value) -> bool {
    let messages = request.get("messages").and_then(Value::as_array);
    let contents = messages.into_iter().flatten();
    let blocks = contents.filter_map(|message| message.get("content")?.as_array());
    let mut kinds = blocks.flatten().filter_map(|block| block.get("type"));
    kinds.any(|kind| kind == "tool_result")
}

/// The answer in one piece.
pub(super) fn whole(request: &Value, answer: &Answer) -> Value {
    let mut message = message(request);
    let block = match answer {
        Answer::Text(text) => json!({"type": "text", "text": text}),
        Answer::Call { tool, input } => block(tool, input),
    };
    let members = [
        ("content", json!([block])),
        ("stop_reason", reason(answer).into()),
    ];
    for (name, value) in members {
        message
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
    }
    message
}

/// The answer as events.
pub(super) fn streamed(request: &Value, answer: &Answer) -> String {
    let (start, delta) = match answer {
        Answer::Text(text) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
        ),
        Answer::Call { tool, input } => (
            block(tool, &json!({})),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
        ),
    };
    let end = json!({"stop_reason": reason(answer), "stop_sequence": null});
    let events = [
        json!({"type": "message_start", "message": message(request)}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let event = |event: &Value| {
        let kind = event.get("type").and_then(Value::as_str).unwrap();
        format!("event: {kind}\ndata: {event}\n\n")
    };
    events.iter().map(event).collect()
}

/// An answer in which nothing has been said yet.
fn message(request: &Value) -> Value {
    json!({
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    })
}

fn block(tool: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": input})
}

fn reason(answer: &Answer) -> &'static str {
    match answer {
        Answer::Text(_) => "end_turn",
        Answer::Call { .. } => "tool_use",
    }
}
