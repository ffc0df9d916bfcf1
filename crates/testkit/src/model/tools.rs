//! An MCP server with one tool, over HTTP without sessions and events.

use serde_json::{Value, json};

pub(super) const TOOL: &str = "look_up";

/// What JSON-RPC calls a method that is not there.
const NO_SUCH_METHOD: i32 = -32601;

/// The answer to one message; nothing to a notification.
pub(super) fn answer(server: &str, message: &Value) -> Option<Value> {
    let id = message.get("id")?;
    let version = message.pointer("/params/protocolVersion");
    let result = match message.get("method")?.as_str()? {
        "initialize" => json!({
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": server, "version": "1"},
        }),
        "ping" => json!({}),
        "tools/list" => json!({"tools": [{
            "name": TOOL,
            "description": format!("Looks something up at {server}"),
            "inputSchema": {"type": "object", "properties": {}},
        }]}),
        "tools/call" => json!({"content": [{"type": "text", "text": server}]}),
        other => {
            let error = json!({"code": NO_SUCH_METHOD, "message": format!("no method {other}")});
            return Some(json!({"jsonrpc": "2.0", "id": id, "error": error}));
        }
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}
