//! What a guard on the far side is told to do, as text: see [`super::guard`].
//!
//! POSIX sh, with nothing started that need not be: a look at all processes reads `/proc` with the
//! shell's own words, or asks `ps` where there is no `/proc`.

use super::tree::FOREVER;
use super::words::{TAG, quoted};

/// Passes over all processes until those that are to be killed are given up.
const MAX_PASSES: u32 = 60;
/// Old directories that one start looks at.
const MAX_SWEPT: u32 = 100;

/// The line for a guard's channel.
pub(super) fn program(id: &str, directory: &str, pid: u32, session: u32, mark: &str) -> String {
    // Where a server starts commands in its own session, that says nothing about them.
    let session = if session == pid { session } else { 0 };
    let text = [
        format!("d={}; w={pid}; n={session}; i={id}; ", quoted(directory)),
        "trap '' HUP INT TERM QUIT PIPE; exec 3>&2 2>/dev/null; ".to_owned(),
        format!("printf %s {mark}; printf %s {mark} >&3; cat \"$d/r\" 3>&- & c=$!; exec >/dev/null; "),
        FIELDS.to_owned(),
        // When the shell started, and by how much /proc/uptime differs from what processes say of
        // their start: in some containers it is the container's own.
        "o=0; g $c; u=; IFS=' ' read -r u v </proc/uptime; \
         [ -n \"$u\" ] && [ -n \"$z\" ] && o=$((z - ${u%.*}${u#*.})) && [ $o -ge -200 ] && [ $o -le 200 ] && o=0; \
         g $w; h=$z; ".to_owned(),
        "k() { g $w; [ \"$z\" = \"$h\" ] && kill -$1 $w; }; ".to_owned(),
        looking(),
        "y() { printf '%s %s\\n' \"$1\" \"$2\" >&3; }; ".to_owned(),
        // To wait until none is left: how many pauses.
        "v() { j=0; while [ $j -lt $3 ]; do m $1 $2; [ -n \"$M\" ] || break; p; j=$((j+1)); done; }; ".to_owned(),
        REQUESTS.to_owned(),
        "r() { for e in \"$@\"; do [ -p \"$d/$e\" ] && : 1<>\"$d/$e\"; rm -f \"$d/$e\"; done; }; ".to_owned(),
        format!("( sleep 1; {} ) 3>&- & ", SWEEP.replace("MAX", &MAX_SWEPT.to_string())),
        "while IFS= read -r e; do eval \"$e\"; done; ".to_owned(),
        // The other side is gone, or needs this no more.
        "k KILL; x 0 999999999999999; kill -KILL $c; cd \"$d\" && { for e in *; do [ -p $e ] && : 1<>$e; done; cd /; rm -rf \"$d\"; }\n"
            .to_owned(),
    ]
    .concat();
    let line = text.trim_end();
    // bash reads files in larger pieces than dash, which asks the system for each byte.
    format!(
        "b=$(command -v bash) || b=$(command -v sh); exec \"$b\" -c {} wharf\n",
        quoted(line)
    )
}

/// The fields of a process into `t`, and its start into `z`.
pub(super) const FIELDS: &str = "f() { t=; IFS= read -r t <\"/proc/$1/stat\"; t=${t##*) }; }; \
     g() { f $1; set -- $t; z=${20-}; }; ";

/// Words that find the processes of a shell: `m SINCE UNTIL` into `M`, `x SINCE UNTIL` kills them.
fn looking() -> String {
    [
        LIST.to_owned(),
        format!(
            "m() {{ l; M=; T=\" $w \"; E=' '; for e in $(grep -slF {TAG}=$i /proc/[0-9]*/environ); do e=${{e#/proc/}}; E=\"$E${{e%%/*}} \"; done; \
             a=1; while [ -n \"$a\" ]; do a=; for e in $L; do p=${{e%%:*}}; case $T in *\" $p \"*) continue;; esac; \
             e=${{e#*:}}; q=${{e%%:*}}; e=${{e#*:}}; s=${{e%%:*}}; e=${{e#*:}}; b=${{e%%:*}}; \
             case $T in *\" $q \"*) ;; *) case $E in *\" $p \"*) ;; *) [ $s = $n ] || continue;; esac;; esac; \
             T=\"$T$p \"; a=1; case ${{e#*:}} in [ZXx]*) continue;; esac; \
             [ $b = 0 ] || {{ [ $b -ge $(($1 + o)) ] && [ $b -lt $(($2 + o)) ]; }} && M=\"$M $p\"; done; done; }}; "
        ),
        "p() { sleep 0.05 || sleep 1; }; ".to_owned(),
        format!(
            "x() {{ j=0; while [ $j -lt {MAX_PASSES} ]; do m $1 $2; [ -n \"$M\" ] || break; kill -STOP $M; kill -KILL $M; \
             j=$((j+1)); [ $j -gt 3 ] && p; done; }}; "
        ),
    ]
    .concat()
}

/// The line that sends a signal to all processes whose tag begins with `id`, and to what descends
/// from them. With `KILL` it goes on until none is left.
pub(super) fn signal(id: &str, signal: &str) -> String {
    let act = if signal == "KILL" {
        format!("x 0 {FOREVER}")
    } else {
        let wakes = matches!(signal, "TERM" | "HUP" | "INT");
        let wake = if wakes { "; kill -CONT $M" } else { "" };
        format!("m 0 {FOREVER}; [ -n \"$M\" ] && kill -{signal} $M{wake}")
    };
    let words = [
        format!("exec 2>/dev/null; w=-1; n=-1; i={id}; o=0; "),
        FIELDS.to_owned(),
        looking(),
        format!("{act}\n"),
    ];
    words.concat()
}

/// The line that tells which processes [`signal`] would reach, and on which ports they listen: a line
/// of numbers, a line for each of their sockets, and the system's tables of sockets.
pub(super) fn look(id: &str, mark: &str) -> String {
    let words = [
        format!("exec 2>/dev/null; w=-1; n=-1; i={id}; o=0; "),
        FIELDS.to_owned(),
        looking(),
        format!(
            "m 0 {FOREVER}; echo {mark}$M; for p in $M; do ls -l /proc/$p/fd/; done; \
             echo {mark}; cat /proc/net/tcp /proc/net/tcp6; echo {mark}\n"
        ),
    ];
    words.concat()
}

/// All processes into `L`: number, parent, session, start, state.
const LIST: &str = "l() { L=; if [ -r /proc/self/stat ]; then for e in /proc/[0-9]*; do e=${e#/proc/}; f $e; \
     [ -n \"$t\" ] || continue; set -- $t; L=\"$L $e:$2:$4:${20}:$1\"; done; \
     else L=$(ps -A -o pid= -o ppid= -o stat= | while read -r p q t; do printf ' %s:%s:0:0:%s' $p $q $t; done); fi; }; ";

/// What can be asked, each answered under its number: a signal for those that started in a span of
/// time, their numbers, their end, the end of all, and the end of one.
const REQUESTS: &str = "S() { m $2 $3; [ -n \"$M\" ] && kill -$4 $M; case $4 in TERM|HUP|INT|1|2|15) kill -CONT $M;; esac; y $1 \"$M\"; }; \
     Q() { m $2 $3; y $1 \"$M\"; }; \
     K() { [ $4 = 1 ] && k KILL; x $2 $3; y $1; }; \
     E() { k STOP; m $2 $3; kill -TERM $M; kill -CONT $M; v $2 $3 20; x $2 $3; k KILL; y $1; }; \
     A() { m 0 999999999999999; k TERM; kill -TERM $M; kill -CONT $M; v 0 999999999999999 $2; k KILL; x 0 999999999999999; y $1; }; \
     J() { g $2; b=$z; j=0; while g $2; [ -n \"$z\" ] && [ \"$z\" = \"$b\" ] && { set -- $1 $2 $t; case $3 in [ZXx]*) false;; esac; }; do \
     if [ $j -lt 20 ]; then p; j=$((j+1)); else sleep 0.5 || sleep 1; fi; done; y $1; }; \
     C() { y $1 \"$(readlink /proc/$w/cwd)\"; };";

/// Removes what shells of this machine have left that were killed together with their guards. A
/// home may be on a disk that machines share, so that others' are left alone.
const SWEEP: &str = "j=0; for e in \"${d%/*}\"/*@\"${d##*@}\"; do [ \"$e\" = \"$d\" ] && continue; j=$((j+1)); [ $j -gt MAX ] && break; \
     a=; b=; [ -r \"$e/owner\" ] && IFS=' ' read -r a b <\"$e/owner\"; \
     if [ -n \"$a\" ]; then z=; g $a; [ -n \"$z\" ] && [ \"$z\" = \"$b\" ] && continue; kill -0 $a && [ -z \"$b\" ] && continue; \
     else [ -n \"$(find \"$e\" -prune -mtime +0)\" ] || continue; fi; \
     [ -e \"$e/run\" ] && [ -z \"$(find \"$e\" -prune -mtime +6)\" ] && continue; rm -rf \"$e\"; done";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_one_line() {
        let text = program("id", "/home/u/.cache/wharf/id@h", 12, 12, "mark");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    }
}
