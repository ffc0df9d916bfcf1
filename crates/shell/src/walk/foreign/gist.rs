//! What code in another language comes to as a whole, where no single call shows it: a path that is
//! put together piece by piece, the environment that is sent away, a list that grows for ever.

use super::literals::Code;
use crate::place;

/// Literals that are joined to one path.
const MAX_PIECES: usize = 6;

/// Bytes of a literal that may be a piece of a path.
const MAX_PIECE: usize = 256;

/// Words that write files, whatever the language.
const WRITES: &[&str] = &[
    "write_text",
    "write_bytes",
    ".write(",
    "writeFile",
    "appendFile",
    "createWriteStream",
    "file_put_contents",
    "fwrite(",
    "File.write",
    "symlink",
    "copyfile",
    "copy2",
    "copyFile",
    "rename",
    "move(",
    "chmod",
];

/// Words that send something to another machine.
const SENDS: &[&str] = &[
    "requests.post",
    "requests.put",
    "requests.get",
    "requests.request",
    "urlopen",
    "httpx.",
    "aiohttp",
    "http.client",
    "HTTPSConnection",
    "HTTPConnection",
    "fetch(",
    "axios",
    "https.request",
    "http.request",
    "Net::HTTP",
    "LWP::",
    "HTTP::Tiny",
    "IO::Socket",
    "TCPSocket",
    "socket.",
    "net.connect",
    "dns.",
    "curl_exec",
    "fsockopen",
];

/// The whole environment, or one that serializes it.
const ENVIRONMENT: &[&str] = &[
    "dict(os.environ",
    "dict(environ",
    "str(os.environ",
    "os.environ)",
    "os.environ.items",
    "os.environ.copy",
    "**os.environ",
    "stringify(process.env)",
    "...process.env",
    "(process.env)",
    "ENV.to_h",
    "ENV.inspect",
    "ENV.to_a",
    "%ENV",
    "getenv()",
    "$_ENV",
];

/// Heads of loops that nothing in them ends.
const ENDLESS: &[&str] = &[
    "while 1",
    "while(1)",
    "while True",
    "while(true)",
    "while (true)",
    "while (1)",
    "for(;;)",
    "for (;;)",
    "loop {",
    "loop do",
    "while true",
];

/// What makes something longer.
const GROWS: &[&str] = &[
    ".append(", ".push(", "push ", "push(", "+=", ".extend(", "<<", ".=",
];

/// What ends a loop, or holds it up.
const HOLDS: &[&str] = &[
    "break", "sleep", "exit", "return", "recv", "input(", "read", "last", "accept", "wait", "yield",
];

/// Whether the code writes something and holds, in one literal or in several that follow each
/// other, the path of a file that runs later by itself.
pub(super) fn writes_what_runs_later(code: &Code<'_>, home: &str, tree: &str) -> bool {
    let writes = WRITES.iter().any(|word| code.bare().contains(word));
    if !writes {
        return false;
    }
    let pieces: Vec<String> = code
        .literals()
        .filter(|piece| piece.len() < MAX_PIECE && !piece.contains(['\n', ' ']))
        .collect();
    (0..pieces.len()).any(|from| {
        let rest = pieces.get(from..).unwrap_or_default();
        let mut path = String::new();
        rest.iter().take(MAX_PIECES).any(|piece| {
            path.push('/');
            path.push_str(piece.trim_start_matches("~/").trim_matches('/'));
            place::runs_later(&path)
                || place::runs_later(&format!("{home}{path}"))
                || place::runs_later(&format!("{tree}{path}"))
        })
    })
}

/// What starts a process or a thread.
const SPAWNS: &[&str] = &[
    "spawn", "fork", "Popen", "Process(", "Thread(", "exec(", "execFile", "system(", "Worker(",
    "go func",
];

/// Whether the code starts processes in a loop without end.
pub(super) fn spawns_for_ever(code: &Code<'_>) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| code.bare().contains(word));
    has(ENDLESS) && has(SPAWNS) && !has(HOLDS)
}

/// Whether the code prints the whole environment.
pub(super) fn shows_environment(code: &Code<'_>) -> bool {
    ENVIRONMENT.iter().any(|word| code.text().contains(word))
}

/// Whether the code sends the whole environment away.
pub(super) fn sends_environment(code: &Code<'_>) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| code.text().contains(word));
    has(ENVIRONMENT) && has(SENDS)
}

/// Whether the code makes something longer in a loop without end.
pub(super) fn grows_for_ever(code: &Code<'_>) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| code.bare().contains(word));
    has(ENDLESS) && has(GROWS) && !has(HOLDS)
}
