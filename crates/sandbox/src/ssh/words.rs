//! What is said to the host: scripts for any login shell, which all start `sh`.
//!
//! The only thing of ours in them is an id or a port, which have no character that a shell knows;
//! everything else comes over standard input.

use crate::id::SandboxId;

/// Where sandboxes are, below the account's home.
const PLACE: &str = "$HOME/.wharf/sandboxes";

/// How long one that is being made is left alone: longer than making one may take.
const HALF_MADE_MINUTES: u32 = 5;

/// A key as it stands in `authorized_keys`, marked as the sandbox's.
pub(super) fn marked(key: &str, id: &SandboxId) -> String {
    let mut words = key.split(' ');
    let kind = words.next().unwrap_or_default();
    let body = words.next().unwrap_or_default();
    format!("{kind} {body} wharf:{id}")
}

/// Makes the directory, lets the keys in, and gives the record its name last. A directory without
/// a record is half made, and what [`half_made`] finds: there is one before there are keys.
/// Reads the record and then the keys, each a line.
pub(super) fn make(id: &SandboxId) -> String {
    script(&format!(
        "set -e; umask 077; d={PLACE}/{id}; IFS= read -r record; keys=$(cat); \
         mkdir -p \"$d/workspace\" \"$HOME/.ssh\"; a=$HOME/.ssh/authorized_keys; \
         printf \"%s\\n\" \"$record\" > \"$d/new\"; \
         touch \"$a\"; [ -z \"$(tail -c 1 \"$a\")\" ] || echo >> \"$a\"; \
         printf \"%s\\n\" \"$keys\" >> \"$a\"; mv \"$d/new\" \"$d/record.json\""
    ))
}

/// Prints the directory and the record of one, or of all.
pub(super) fn read(id: Option<&SandboxId>) -> String {
    let which = id.map_or("sbx_*", SandboxId::as_str);
    script(&format!(
        "for r in {PLACE}/{which}/record.json; do [ -f \"$r\" ] || continue; \
         printf \"%s\\n\" \"${{r%/record.json}}\"; cat \"$r\"; done"
    ))
}

/// Writes the record anew.
pub(super) fn replace(id: &SandboxId) -> String {
    script(&format!(
        "set -e; umask 077; d={PLACE}/{id}; IFS= read -r record; [ -f \"$d/record.json\" ]; \
         printf \"%s\\n\" \"$record\" > \"$d/new\"; mv \"$d/new\" \"$d/record.json\""
    ))
}

/// Prints the ids of what is half made: directories without a record, unless somebody may be at it
/// still, and keys without a directory.
pub(super) fn half_made() -> String {
    script(&format!(
        "p={PLACE}; a=$HOME/.ssh/authorized_keys; \
         for d in $(cd \"$p\" 2>/dev/null && find . -maxdepth 1 -name \"sbx_*\" -mmin +{HALF_MADE_MINUTES} 2>/dev/null); do \
         [ -f \"$p/$d/record.json\" ] || echo \"${{d##*/}}\"; done; \
         [ -f \"$a\" ] || exit 0; \
         for i in $(grep -o \" wharf:sbx_[^ ]*$\" \"$a\"); do i=${{i#wharf:}}; \
         [ -d \"$p/$i\" ] || echo \"$i\"; done"
    ))
}

/// Shuts the keys out, ends what works in the directory, and removes it. The file of the keys may
/// be a link and stays one, with its mode; it is replaced only by one that was written in full
/// (`grep` says 1 where no line is left, and more where something failed).
pub(super) fn remove(id: &SandboxId) -> String {
    script(&format!(
        "set -e; umask 077; d={PLACE}/{id}; a=$HOME/.ssh/authorized_keys; \
         if [ -f \"$a\" ] && grep -q \" wharf:{id}$\" \"$a\"; then \
         a=$(readlink -f \"$a\"); n=$a.wharf; \
         {{ cp -p \"$a\" \"$n\" && {{ grep -v \" wharf:{id}$\" \"$a\" > \"$n\" || [ $? -eq 1 ]; }}; }} || \
         {{ rm -f \"$n\"; echo \"$a cannot be written anew\" >&2; exit 1; }}; \
         mv \"$n\" \"$a\"; fi; \
         [ -d \"$d\" ] || exit 0; \
         for p in /proc/[0-9]*; do c=$(readlink \"$p/cwd\" 2>/dev/null) || continue; \
         case $c in \"$d\"|\"$d\"/*) kill -9 \"${{p#/proc/}}\" 2>/dev/null || true;; esac; done; \
         rm -rf -- \"$d\""
    ))
}

/// Connects to a port of the host's own loopback. The connections that commands share open no
/// channel of that kind, and bash can do it; its first byte says that it has worked.
pub(super) fn dial(port: u16) -> String {
    format!(
        "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1; printf c; \
         cat <&3 & exec >&- 2>&-; cat >&3; exec 3>&-; wait'"
    )
}

/// The login shell may be of any kind; between single quotes most take a text as it is.
fn script(text: &str) -> String {
    debug_assert!(!text.contains('\''));
    format!("exec sh -c '{text}'")
}
