//! `wharf logs RUN`

use std::io::{self, Write};
use std::time::Duration;

use wharf_client::{Client, OutputStream};

use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;
use crate::wire::block_on;

/// What a run wrote, byte for byte, while it runs and afterwards
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  wharf logs run_5t9…\n  wharf logs run_5t9… -f --stderr")]
pub(crate) struct Args {
    /// The run's id
    run: String,
    /// Go on until it ends
    #[arg(short, long)]
    follow: bool,
    /// Only its standard error, and that on standard output
    #[arg(long)]
    stderr: bool,
}

/// Bytes asked for at once.
const RANGE: u64 = 1024 * 1024;
/// How often a run that is followed is asked for more.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn logs(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find(cx)?;
    block_on(async {
        let mut streams = if args.stderr {
            vec![Reading::new(OutputStream::Stderr, Box::new(io::stdout()))]
        } else {
            vec![
                Reading::new(OutputStream::Stdout, Box::new(io::stdout())),
                Reading::new(OutputStream::Stderr, Box::new(io::stderr())),
            ]
        };
        loop {
            let mut running = false;
            for stream in &mut streams {
                running |= stream.catch_up(&server.client, &args.run).await?;
            }
            if !args.follow || !running {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        for stream in &streams {
            stream.say_dropped(cx);
        }
        Ok(DONE)
    })
}

/// One stream, read as far as it is there.
struct Reading {
    stream: OutputStream,
    sink: Box<dyn Write>,
    offset: u64,
    dropped: u64,
}

impl Reading {
    fn new(stream: OutputStream, sink: Box<dyn Write>) -> Self {
        Self {
            stream,
            sink,
            offset: 0,
            dropped: 0,
        }
    }

    /// Copies what is there. True when more may come.
    async fn catch_up(&mut self, client: &Client, run: &str) -> Result<bool, CommandError> {
        loop {
            let chunk = client.output(run, self.stream, self.offset, RANGE).await?;
            self.dropped = chunk.dropped;
            if chunk.bytes.is_empty() {
                return Ok(chunk.running);
            }
            self.offset += chunk.bytes.len() as u64;
            match self
                .sink
                .write_all(&chunk.bytes)
                .and_then(|()| self.sink.flush())
            {
                Err(error) if ui::is_gone(&error) => return Ok(false),
                other => other?,
            }
        }
    }

    fn say_dropped(&self, cx: &Context) {
        if self.dropped > 0 {
            let (bytes, name) = (self.dropped, self.stream.name());
            cx.ui.warn(&format!(
                "{bytes} bytes of {name} were written beyond what is kept"
            ));
        }
    }
}
