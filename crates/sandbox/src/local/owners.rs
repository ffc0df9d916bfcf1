//! Who the users of a sandbox are outside, which depends on who runs this server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::launcher::plan::Owners;

/// How many ids a sandbox has where root gives them: all that Debian's own tools ever use.
pub(crate) const COUNT: u32 = 65_536;

/// Fewer subordinate ids than this are of no use: `user` is the thousandth, `nobody` the last.
const LEAST: u32 = 65_536;

/// What is said where no range is left.
pub(crate) const NONE_FREE: &str = "no range of ids is left for its users: they are given to \
     others in /etc/subuid and /etc/subgid, or sandboxes have them";

/// Where the helpers that hand out subordinate ids are.
const HELPERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// What an ordinary user is told who has one id only.
pub(crate) const SINGLE: &str = "there is one user inside, `user`, and neither root nor sudo: this \
     account has no subordinate ids (`sudo usermod --add-subuids 100000-165535 --add-subgids \
     100000-165535 NAME`, and the package uidmap)";

/// Finds out who this process may make others be.
pub(crate) fn find(first: u32) -> Owners {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    if user == 0 {
        return Owners::Range {
            first,
            count: COUNT,
        };
    }
    subordinate(Path::new("/etc"), user, group).unwrap_or(Owners::Single { user, group })
}

/// The first id of a range for one more sandbox, from `first` on: none that a sandbox has, and none
/// that the system has given to somebody for containers of theirs.
pub(crate) fn free(first: u32, used: &BTreeSet<u32>, etc: &Path) -> Option<u32> {
    let given: Vec<_> = ["subuid", "subgid"]
        .map(|file| fs::read_to_string(etc.join(file)).unwrap_or_default())
        .iter()
        .flat_map(|ranges| given(ranges))
        .collect();
    let is_apart = |start: u32, (other, count): (u32, u32)| {
        start >= other.saturating_add(count) || other >= start.saturating_add(COUNT)
    };
    (0..)
        .map_while(|number: u32| first.checked_add(number.checked_mul(COUNT)?))
        // The last id of all means nobody.
        .take_while(|start| start.checked_add(COUNT).is_some())
        .find(|start| {
            used.iter().all(|used| is_apart(*start, (*used, COUNT)))
                && given.iter().all(|range| is_apart(*start, *range))
        })
}

/// The ranges that are given to others than root, whose sandboxes these are.
fn given(ranges: &str) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.split(':');
        let whose = fields.next()?;
        let range = (
            fields.next()?.parse().ok()?,
            fields.next()?.trim().parse().ok()?,
        );
        (whose != "root" && whose != "0").then_some(range)
    };
    ranges.lines().filter_map(range).collect()
}

fn subordinate(etc: &Path, user: u32, group: u32) -> Option<Owners> {
    let helper = |name: &str| HELPERS.iter().any(|dir| Path::new(dir).join(name).exists());
    if !helper("newuidmap") || !helper("newgidmap") {
        return None;
    }
    let accounts = fs::read_to_string(etc.join("passwd")).unwrap_or_default();
    let name = name_of(&accounts, user)?;
    let read = |file: &str| fs::read_to_string(etc.join(file)).unwrap_or_default();
    let first_user = first_of(&read("subuid"), &name, user)?;
    let first_group = first_of(&read("subgid"), &name, user)?;
    Some(Owners::Subordinate {
        user,
        group,
        first_user,
        first_group,
        count: LEAST,
    })
}

fn name_of(accounts: &str, user: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    })
}

/// The first range of that user that is large enough, of `NAME-OR-ID:FIRST:COUNT`.
fn first_of(ranges: &str, name: &str, user: u32) -> Option<u32> {
    ranges.lines().find_map(|line| {
        let mut fields = line.split(':');
        let whose = fields.next()?;
        let first = fields.next()?.parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        let is_ours = whose == name || whose.parse() == Ok(user);
        (is_ours && count >= LEAST).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sandbox_has_a_range_of_its_own_and_nobody_elses() {
        let etc = tempfile::tempdir().unwrap();
        let free = |used: &[u32]| free(100_000, &used.iter().copied().collect(), etc.path());
        assert_eq!(free(&[]), Some(100_000));
        assert_eq!(free(&[100_000]), Some(165_536));
        assert_eq!(free(&[165_536]), Some(100_000));
        assert_eq!(free(&[100_000, 231_072]), Some(165_536));
        // Of a server that began elsewhere.
        assert_eq!(free(&[120_000]), Some(231_072));
        fs::write(
            etc.path().join("subuid"),
            "me:100000:65536\nroot:165536:65536\n",
        )
        .unwrap();
        assert_eq!(free(&[]), Some(165_536));
        fs::write(etc.path().join("subgid"), "1000:200000:10\nbroken\n").unwrap();
        assert_eq!(free(&[]), Some(231_072));
        let last = u32::MAX - COUNT;
        let none = BTreeSet::new();
        assert_eq!(super::free(last, &none, etc.path()), Some(last));
        assert_eq!(super::free(last + 1, &none, etc.path()), None);
    }

    #[test]
    fn a_range_is_the_users_own_and_large_enough() {
        let ranges = "other:100000:65536\nme:165536:10\nme:231072:65536\n";
        assert_eq!(first_of(ranges, "me", 1000), Some(231_072));
        assert_eq!(first_of("1000:5:65536\n", "me", 1000), Some(5));
        assert_eq!(first_of("me:5:65535\n", "me", 1000), None);
        assert_eq!(first_of("", "me", 1000), None);
        assert_eq!(
            name_of("root:x:0:0::/:/bin/sh\nme:x:1000:1000::/:/bin/sh\n", 1000),
            Some("me".to_owned())
        );
    }
}
