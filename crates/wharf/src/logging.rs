//! The server's log: a file for each area, rotated daily and bounded in number, and standard error
//! where somebody looks at it.

use std::collections::BTreeMap;
use std::io;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, filter::Targets, fmt, registry};
use wharf_localstate::private;

use crate::config::options::ServeOptions;
use crate::context::Context;
use crate::error::CommandError;

/// The areas. Everything else is the system's.
const AREAS: [&str; 5] = ["api", "command", "decision", "audit", "system"];
const REST: &str = "system";
/// Lines that wait for the disk; more are dropped and counted, because a slow disk must not slow
/// down a request.
const WAITING_LINES: usize = 8192;

/// What must be kept until the end, so that the last lines reach the disk.
pub(crate) struct Flush {
    _guards: Vec<WorkerGuard>,
}

/// Starts logging for the rest of this process.
pub(crate) fn start(cx: &Context, options: &ServeOptions) -> Result<Flush, CommandError> {
    let dir = cx.places.log_dir();
    private::make_dir(&dir)?;
    let (mut writers, mut guards) = (BTreeMap::new(), Vec::new());
    for area in AREAS {
        let file = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix(area)
            .filename_suffix("log")
            .max_log_files(options.log_days)
            .build(&dir)
            .map_err(|error| {
                CommandError::failed(format!("cannot write logs in {}", dir.display()))
                    .because(error)
            })?;
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .lossy(true)
            .thread_name(area)
            .finish(file);
        writers.insert(area, writer);
        guards.push(guard);
    }
    let areas = Areas(writers);
    let files = if options.log_json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(areas)
            .boxed()
    } else {
        fmt::layer().with_ansi(false).with_writer(areas).boxed()
    };
    let terminal = cx.ui.talks.then(|| {
        fmt::layer()
            .with_ansi(cx.ui.color)
            .with_writer(io::stderr)
            .with_filter(LevelFilter::INFO)
    });
    let started = registry()
        .with(targets(&options.log_level))
        .with(files)
        .with(terminal)
        .try_init();
    started.map_err(|error| CommandError::failed("cannot start the log").because(error))?;
    Ok(Flush { _guards: guards })
}

/// Our own areas and crates at the level asked for; of others only what is wrong.
fn targets(level: &str) -> Targets {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(AREAS.map(|area| (area, level)))
        .with_target("wharf", level)
}

/// Picks the file by the area.
struct Areas(BTreeMap<&'static str, NonBlocking>);

impl<'a> MakeWriter<'a> for Areas {
    type Writer = Box<dyn io::Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        self.writer(REST)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        self.writer(meta.target())
    }
}

impl Areas {
    fn writer(&self, area: &str) -> Box<dyn io::Write> {
        match self.0.get(area).or_else(|| self.0.get(REST)) {
            Some(writer) => Box::new(writer.clone()),
            None => Box::new(io::sink()),
        }
    }
}
