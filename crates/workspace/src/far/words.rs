//! What the far side is told, as text for a POSIX shell, and the beginning that all of it shares.
//!
//! Beyond POSIX: `tar`; `find -printf` of GNU, else `stat` of busybox; `cmp` and `diff`, without
//! which whole listings travel.

use super::FarPlace;

/// A word that is these bytes, whatever they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelt<'a>(pub(crate) &'a [u8]);

impl Spelt<'_> {
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        let is_plain =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
        if !self.0.is_empty() && self.0.iter().all(is_plain) {
            return out.extend_from_slice(self.0);
        }
        out.push(b'\'');
        for byte in self.0 {
            match byte {
                b'\'' => out.extend_from_slice(b"'\\''"),
                other => out.push(*other),
            }
        }
        out.push(b'\'');
    }
}

/// The same as text.
pub(crate) fn spell(text: &str) -> String {
    let mut out = Vec::new();
    Spelt(text.as_bytes()).put(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Defines `l DIR`, which lists what is below a directory: one record a line, in which line breaks
/// and zero bytes of names have changed places. They are in the order of their bytes, if each is one
/// line, so that two lists of the same are the same and a few records can be put in their places.
///
/// Records are `KIND MODE SIZE MTIME CTIME INODE PATH`; of directories only the mode counts, since
/// their times change with what is in them. With `-printf`, `p` is `g`; who knows it already says so
/// before this.
///
/// `x` ends with [`APART`] if the workspace is there and not on the state's file system: what is moved
/// from one to the other is copied, and half a file for a while. It is done at once where `p` is empty.
///
/// `o FILE..` brings records in order by GNU's `sort`; busybox has one that ends a line at a zero byte.
/// Without it lists of the same may differ, and what has only moved in them travels.
///
/// `q NAME..` says the same of these alone, with line breaks as they are, where `p` is `g`. What is
/// not there is not said.
///
/// A `find` that ends with 1 has met something that went while it looked, or a directory that it
/// may not enter. Those are said, with the kind `n`: what was known below them is not gone. One
/// that ends otherwise has not listed all, and neither has `l`.
///
/// And `d LISTING LISTING`, which compares two into `changed`. `e` is above 1 where that is no
/// comparison in the form that is read: busybox has another one, and where a name takes several
/// lines some of them are missing. Whole listings travel then.
pub(crate) const LIST: &str = r#"
x() {
  v=; if [ "$p" != b ]; then v=$(find "$S" "$D/." -maxdepth 0 -printf '%D ' 2>/dev/null); fi
  if [ -n "$v" ]; then p=g; else p=b; v=$(stat -c %d "$S" "$D/." 2>/dev/null); fi
  set -- $v
  [ $# -lt 2 ] || [ "$1" = "$2" ] || exit 52
}
[ -n "$p" ] || x
l() {
  cd "$1" || return 1
  [ ! -f "$S/broken" ] || rm -f "$S/broken"
  if [ $p = g ]; then
    {
      eval "find . -mindepth 1 $u"' -type d -printf "d %m 0 0 0 0 %p\0" -o -printf "%y %m %s %T@ %C@ %i %p\0"'
      n $? '\0'
    } | tr '\n\0' '\0\n' | o || return 1
  else
    eval "find . -mindepth 1 $u"' -type d -exec stat -c "d %a 0 0 0 0 %n" {} +'
    n $? '\n'
    eval "find . -mindepth 1 $u"' ! -type d -exec stat -c "x%f %a %s %Y %Z %i %n" {} +'
    n $? '\n'
  fi
  [ ! -f "$S/broken" ]
}
o() { if sort --version >/dev/null 2>&1 </dev/null; then sort -T "$S" "$@"; else cat "$@"; fi; }
q() { find "$@" -maxdepth 0 -type d -printf "d %m 0 0 0 0 %p\n" -o -printf "%y %m %s %T@ %C@ %i %p\n" 2>/dev/null; }
n() {
  [ $1 -ne 0 ] || return 0
  if [ $1 -ne 1 ]; then : > "$S/broken"; return 0; fi
  f="n 0 0 0 0 0 %s$2"; export f
  eval "find . -mindepth 1 $u"' -type d -exec sh -c '\''for d do [ -r "$d" ] && [ -x "$d" ] || printf "$f" "$d"; done'\'' x {} +' 2>/dev/null
  return 0
}
d() {
  e=2
  if [ $p = g ]; then
    diff -a "$1" "$2" > changed 2>/dev/null; e=$?
    if [ $e = 1 ]; then read -r c < changed; case $c in [0-9]*) ;; *) e=2 ;; esac; fi
  fi
}
"#;

/// Ends with [`BUSY`] unless what is there is what this side has looked at: its listing is the one
/// of look `N`, and the agreement that was there then, `E`, still is. Takes the lock, so that this
/// stays true to the end. A lock whose process is gone is nobody's.
pub(crate) const GUARD: &str = r#"
k() { (set -C; echo $$ > "$S/lock") 2>/dev/null; }
if ! k; then
  h=; read -r h < "$S/lock"
  if [ -n "$h" ] && kill -0 "$h" 2>/dev/null; then exit 51; fi
  rm -f "$S/lock"; k || exit 51
fi
trap 'rm -f "$S/lock"' EXIT
t=-; if [ -f "$S/token" ]; then read -r t < "$S/token"; fi
if [ "$t" != "$E" ] || [ ! -f "$S/now.$N" ]; then exit 51; fi
"#;

/// What ends a list: no path has it, and no line of a path.
pub(crate) const END: &[u8] = b"//";

/// How a command ends that would have been in another's way.
pub(crate) const BUSY: u32 = 51;

/// How a command ends where the workspace and its state are on two file systems.
pub(crate) const APART: u32 = 52;

/// Sets `D`, `S`, `u` and an empty `p`, makes the state and goes there.
pub(crate) fn head(place: &FarPlace) -> String {
    let mut unseen = Vec::new();
    for path in &place.unseen {
        unseen.extend_from_slice(b"-path ");
        Spelt(&[b"./", path.as_bytes()].concat()).put(&mut unseen);
        unseen.extend_from_slice(b" -prune -o ");
    }
    let unseen = String::from_utf8_lossy(&unseen).into_owned();
    format!(
        "umask 022; LC_ALL=C; export LC_ALL; unset CDPATH; D={}; S={}; u={}; p=; \
         [ -d \"$S\" ] || mkdir -p -m 700 \"$S\"; cd \"$S\" || exit 40\n",
        spell(&place.dir),
        spell(&place.state),
        spell(&unseen),
    )
}
