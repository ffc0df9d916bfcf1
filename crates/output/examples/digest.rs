//! The digest of what comes in: `make 2>&1 | cargo run -p wharf-output --example digest -- make 2`.
//! Arguments: the command, its exit code, and a budget in tokens if one is wanted.

use std::io::{self, Read, Write};

use wharf_output::digest::{self, digest};
use wharf_output::format;
use wharf_output::hints::{Form, model_hints};
use wharf_output::next::{Surroundings, next_steps};
use wharf_shell::{Context, analyze};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let exit_code = arguments.next().and_then(|code| code.parse().ok());
    let budget_tokens = arguments.next().and_then(|tokens| tokens.parse().ok());
    let mut stdout = Vec::new();
    io::stdin().read_to_end(&mut stdout)?;
    let analysis = analyze(&command, &Context::default());
    let digest = digest(&digest::Input {
        analysis: &analysis,
        stdout: &stdout,
        stderr: b"",
        exit_code,
        budget_tokens,
        handle: Some("GET /api/commands/ID/output?stream={stream}&offset={offset}&limit={limit}"),
    });
    let look = format::look(&stdout, format::expected(&analysis, &command));
    let hints = model_hints(&wharf_output::hints::Input {
        analysis: &analysis,
        stdout: &stdout,
        stderr: b"",
        exit_code,
        form: Form::from(&look),
        digest: &digest,
    });
    let steps = next_steps(&analysis, exit_code, &stdout, b"", &Surroundings::default());
    let mut out = io::stdout().lock();
    out.write_all(digest.text.as_bytes())?;
    writeln!(
        out,
        "\n{}\n{}",
        serde_json::to_string_pretty(&hints)?,
        serde_json::to_string_pretty(&steps)?
    )
}
