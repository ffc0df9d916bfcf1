//! Following a run: what it writes is written here as it comes, byte for byte.

use std::io::{self, Write as _};

use serde_json::json;
use wharf_api::{RunRequest, RunResponse};
use wharf_client::{Client, OutputStream, RunEvent, RunStream};

use super::{Failure, after};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;

/// As a process that writes into a pipe that nobody reads: 128 + SIGPIPE.
const PIPE_CLOSED: u8 = 141;

pub(super) async fn run(
    cx: &Context,
    client: &Client,
    request: RunRequest,
    json: bool,
) -> Result<u8, Failure> {
    let mut following = Following {
        client,
        stream: client.run_streamed(request.clone()),
        run: None,
        json,
    };
    tokio::select! {
        outcome = following.until_exit(cx) => outcome,
        wanted = after::interrupted() => {
            match &following.run {
                Some(run) => after::cancel(client, run).await,
                None => after::cancel_by_key(client, &request).await,
            }
            Err(wanted.into())
        }
    }
}

struct Following<'a> {
    client: &'a Client,
    stream: RunStream,
    run: Option<String>,
    json: bool,
}

impl Following<'_> {
    async fn until_exit(&mut self, cx: &Context) -> Result<u8, Failure> {
        while let Some(event) = self.stream.next().await? {
            let written = self.write(&event);
            match (event, written) {
                (RunEvent::Started { command_id }, _) => self.run = Some(command_id),
                (RunEvent::Exit(answer), _) => {
                    after::say(cx, &answer);
                    return Ok(exit_code(&answer));
                }
                (_, Ok(())) => {}
                (_, Err(error)) if ui::is_gone(&error) => {
                    if let Some(run) = &self.run {
                        after::cancel(self.client, run).await;
                    }
                    return Ok(PIPE_CLOSED);
                }
                (_, Err(error)) => return Err(CommandError::from(error).into()),
            }
        }
        Err(CommandError::failed("the stream ended before the command did").into())
    }

    fn write(&self, event: &RunEvent) -> io::Result<()> {
        if self.json {
            return ui::data(&format!("{}\n", as_json(event)));
        }
        match event {
            RunEvent::Output(OutputStream::Stdout, bytes) => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            RunEvent::Output(OutputStream::Stderr, bytes) => io::stderr().lock().write_all(bytes),
            RunEvent::Started { .. } | RunEvent::Exit(_) => Ok(()),
        }
    }
}

/// One event as a line for programs; bytes that are no text are given in numbers of their own kind.
fn as_json(event: &RunEvent) -> serde_json::Value {
    match event {
        RunEvent::Started { command_id } => json!({ "event": "started", "command_id": command_id }),
        RunEvent::Output(stream, bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!({ "event": stream.name(), "text": text }),
            Err(_) => json!({ "event": stream.name(), "bytes": bytes.to_vec() }),
        },
        RunEvent::Exit(answer) => json!({ "event": "exit", "answer": answer }),
    }
}

/// A run whose end nobody knows has no code of its own.
fn exit_code(answer: &RunResponse) -> u8 {
    answer
        .exit_code
        .map_or(crate::commands::RUN_FAILED, after::exit_code)
}
