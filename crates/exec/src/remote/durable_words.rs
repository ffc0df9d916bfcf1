//! What a host is told to do for a run that outlives its connection, as text.

use super::guard_words::{self, FIELDS};
use super::words::{self, TAG, quoted};

/// Pauses of a fifth of a second until a follower looks only every second.
const HURRIED_LOOKS: u32 = 50;

/// What runs, and in what.
pub(super) struct Work<'a> {
    pub(super) text: &'a str,
    pub(super) cwd: Option<&'a str>,
    pub(super) env: &'a [(String, String)],
    /// Bytes kept of each stream.
    pub(super) cap: u64,
    /// Bytes of its input. Where fewer arrive, the connection was cut, and nothing is started.
    pub(super) input: usize,
}

/// The line that starts a holder. What follows it on the channel's input, to its end, is the run's
/// own. It says the mark, the directory and the holder's number.
pub(super) fn start(id: &str, mark: &str, work: &Work<'_>) -> String {
    format!(
        "{} [ -n \"$d\" ] && : >\"$d/run\" && : >\"$d/out\" && : >\"$d/err\" && cat >\"$d/in\" && [ $(($(wc -c <\"$d/in\"))) -eq {input} ] || {{ rm -rf \"$d\"; printf '%s\\000\\000' {mark}; printf %s {mark} >&2; exit 1; }}; \
         h={}; if command -v setsid >/dev/null; then {TAG}={id} setsid sh -c \"$h\" sh \"$d\" \"$PWD\" </dev/null >/dev/null 2>&1 & \
         elif command -v nohup >/dev/null; then {TAG}={id} nohup sh -c \"$h\" sh \"$d\" \"$PWD\" </dev/null >/dev/null 2>&1 & \
         else ( {TAG}={id} sh -c \"$h\" sh \"$d\" \"$PWD\" </dev/null >/dev/null 2>&1 & ); fi; \
         while ! [ -s \"$d/owner\" ]; do sleep 0.02 || sleep 1; done; IFS=' ' read -r p s <\"$d/owner\"; \
         printf '%s%s\\000%s\\000' {mark} \"$d\" \"$p\"; printf %s {mark} >&2\n",
        words::place(id, "o e"),
        quoted(&holder(id, work)),
        input = work.input,
    )
}

/// The holder keeps what is written, up to a bound, counts what is beyond it, and writes down how
/// the run ended. It ignores the end of a connection.
fn holder(id: &str, work: &Work<'_>) -> String {
    // `head -c` would keep back what is less than a block.
    let blocks = work.cap / 512;
    let mut run = String::new();
    if let Some(cwd) = work.cwd {
        run.push_str(&format!("cd -- {} || exit 1; unset OLDPWD; ", quoted(cwd)));
    }
    run.push_str(&words::exports(work.env));
    let (text, held) = (quoted(work.text), held(id));
    format!(
        "trap \"\" HUP; u=$(umask); umask 077; s=; [ -r /proc/self/stat ] && IFS= read -r s </proc/self/stat; t=$1; v=$2; \
         set -- ${{s##*) }} 0; printf \"%s %s\" \"$$\" \"${{20-}}\" >\"$t/owner.new\"; mv \"$t/owner.new\" \"$t/owner\"; \
         k() {{ ( ulimit -f {blocks}; exec cat ) >\"$t/$1\"; wc -c >\"$t/$1.more\"; }}; k out <\"$t/o\" & k err <\"$t/e\" & \
         ( trap - HUP; umask $u; cd \"$v\"; unset s t v u; {TAG}={held}; {run} b=$(command -v bash) && exec \"$b\" --noprofile --norc -c {text} bash; exec sh -c {text} sh ) \
         <\"$t/in\" >\"$t/o\" 2>\"$t/e\"; x=$?; rm -f \"$t/in\"; echo $x >\"$t/exit.new\"; mv \"$t/exit.new\" \"$t/exit\"; wait; : >\"$t/done\"; rm -f \"$t/o\" \"$t/e\""
    )
}

/// The line that passes on what was written from these offsets on, until all has ended: then the
/// mark, and behind it on standard output the code, or nothing where the holder was killed. It ends
/// with its channel.
pub(super) fn follow(directory: &str, out: u64, err: u64, mark: &str, start: &str) -> String {
    format!(
        "{FIELDS}cd {} 2>/dev/null || {{ printf '%s%s' {start} {mark}; printf '%s%s' {start} {mark} >&2; exit 3; }}; \
         printf %s {start}; printf %s {start} >&2; m=$$; exec 3<&0; {{ cat <&3; kill $m; }} >/dev/null 2>&1 & c=$!; exec 3<&-; \
         w() {{ s=$(($(wc -c <$1))); [ $s -gt $2 ] || return 1; tail -c +$(($2+1)) $1 | head -c $((s-$2)); }}; \
         a={out}; b={err}; i=0; while :; do f=; [ -e done ] && f=1; IFS=' ' read -r p q <owner; kill -0 $p 2>/dev/null || f=1; \
         z=; {{ g $p; }} 2>/dev/null; [ -n \"$q\" ] && [ -n \"$z\" ] && [ \"$z\" != \"$q\" ] && f=1; \
         n=; w out $a && a=$s && n=1; w err $b >&2 && b=$s && n=1; [ -n \"$f\" ] && break; \
         if [ -n \"$n\" ]; then i=0; elif [ $i -lt {HURRIED_LOOKS} ]; then i=$((i+1)); sleep 0.2 || sleep 1; else sleep 1; fi; done; \
         x=; [ -e exit ] && read -r x <exit; printf '%s%s ' {mark} \"$x\"; printf %s {mark} >&2; exec >&- 2>&-; kill $c\n",
        quoted(directory)
    )
}

/// The line that sends a signal to what a holder holds, but not to what keeps its output.
pub(super) fn signal(id: &str, name: &str) -> String {
    guard_words::signal(&held(id), name)
}

/// The line that looks at what a holder holds.
pub(super) fn look(id: &str, mark: &str) -> String {
    guard_words::look(&held(id), mark)
}

/// The line that ends a run with its holder, and removes all that it has left behind.
pub(super) fn remove(id: &str, directory: &str) -> String {
    let kill = guard_words::signal(id, "KILL");
    format!("{}; rm -rf {}\n", kill.trim_end(), quoted(directory))
}

/// The tag of what is held. That of the holder is the beginning of it.
fn held(id: &str) -> String {
    format!("{id}r")
}
