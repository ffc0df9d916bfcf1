//! What a command line says of an entry: which subcommand is meant, and how risky this form is.

use super::entry::{CommonOption, Entry, Place, Raise};
use crate::analysis::{Context, Risk};
use crate::place::{self, Class};
use crate::rules;

/// Words of a subcommand that are looked at: `iam service-accounts keys create` is the longest.
const MAX_WORDS: usize = 4;

impl Entry {
    /// The option of this spelling, without its value.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&CommonOption> {
        let mut options = self.common_options.iter();
        options.find(|option| option.names().any(|other| other == name))
    }

    /// The subcommand that the arguments behind the command name, the longest that fits.
    #[must_use]
    pub fn subcommand<S: AsRef<str>>(&self, args: &[S]) -> Option<&Self> {
        if self.subcommands.is_empty() {
            return None;
        }
        let words = self.leading_words(args);
        let fits = |sub: &&Self| {
            let mut given = words.iter().flatten();
            sub.name.split(' ').all(|word| given.next() == Some(&word))
        };
        let found = self.subcommands.iter().filter(fits);
        found.max_by_key(|sub| sub.name.split(' ').count())
    }

    /// The first operands: what is neither an option nor the value of one.
    fn leading_words<'s, S: AsRef<str>>(&self, args: &'s [S]) -> [Option<&'s str>; MAX_WORDS] {
        let mut words = [None; MAX_WORDS];
        let mut free = words.iter_mut();
        let mut value = false;
        for arg in args.iter().map(AsRef::as_ref) {
            if std::mem::take(&mut value) {
                continue;
            }
            if arg.len() > 1 && arg.starts_with('-') {
                value = self.expects_value(arg);
                continue;
            }
            match free.next() {
                Some(word) => *word = Some(arg),
                None => break,
            }
        }
        words
    }

    fn expects_value(&self, arg: &str) -> bool {
        let listed = self.option(arg).is_some_and(|option| option.takes_value);
        listed
            || rules::value_flags(&self.name)
                .iter()
                .any(|flag| flag == arg)
    }

    /// The options that stand among these arguments.
    pub fn options_in<'e, S: AsRef<str>>(
        &'e self,
        args: &'e [S],
    ) -> impl Iterator<Item = &'e CommonOption> {
        let given = |option: &&CommonOption| {
            let mut names = option.names();
            names.any(|name| args.iter().any(|arg| is_flag(arg.as_ref(), name)))
        };
        self.common_options.iter().filter(given)
    }

    /// The risk of the command with these arguments, and the form that raises it.
    ///
    /// `args` stand behind the command and its subcommand. This describes; what a command may do
    /// is judged by its analysis.
    #[must_use]
    pub fn risk_of<S: AsRef<str>>(
        &self,
        args: &[S],
        context: &Context<'_>,
    ) -> (Risk, Option<&Raise>) {
        if self.raises.is_empty() {
            return (self.risk, None);
        }
        let around = place::Place::new(context);
        let applies = |raise: &&Raise| raise.applies(args, &around);
        let worst = self.raises.iter().filter(applies).max_by_key(|r| r.risk);
        match worst {
            Some(raise) if raise.risk > self.risk => (raise.risk, Some(raise)),
            _ => (self.risk, None),
        }
    }
}

impl Raise {
    /// Whether these arguments are the form that it speaks of.
    pub(super) fn holds<S: AsRef<str>>(&self, args: &[S], context: &Context<'_>) -> bool {
        self.applies(args, &place::Place::new(context))
    }

    fn applies<S: AsRef<str>>(&self, args: &[S], around: &place::Place) -> bool {
        let mut given = args.iter().map(AsRef::as_ref);
        let flags = self.flags.is_empty()
            || args
                .iter()
                .any(|arg| self.flags.iter().any(|flag| is_flag(arg.as_ref(), flag)));
        let anything = self.operands.is_empty() && self.places.is_empty();
        let target = anything
            || given.any(|arg| {
                self.operands.iter().any(|pattern| like(arg, pattern))
                    || !arg.starts_with('-')
                        && self.places.iter().any(|place| place.holds(arg, around))
            });
        flags && target
    }
}

/// Whether the argument is this option: as it is, with its value, or among other letters.
fn is_flag(arg: &str, flag: &str) -> bool {
    if arg == flag {
        return true;
    }
    if flag.starts_with("--") {
        let value = arg.strip_prefix(flag);
        return value.is_some_and(|value| value.starts_with('='));
    }
    let mut letters = flag.chars();
    let (dash, letter, end) = (letters.next(), letters.next(), letters.next());
    let single = dash == Some('-') && letter.is_some_and(char::is_alphabetic) && end.is_none();
    single
        && arg.starts_with('-')
        && !arg.starts_with("--")
        && arg.chars().skip(1).all(|c| c.is_ascii_alphanumeric())
        && letter.is_some_and(|letter| arg.chars().skip(1).any(|c| c == letter))
}

/// Whether the text is like the pattern, in which `*` stands for anything.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            match rest.split_once(between) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

impl Place {
    fn holds(self, path: &str, around: &place::Place) -> bool {
        let path = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", around.home())
            }
            _ => path.to_owned(),
        };
        let class = around.class(&path, path.contains('*'));
        match self {
            Self::Root => class == Class::Root,
            Self::System => matches!(class, Class::System | Class::SystemRoot),
            Self::Device => class == Class::Disk,
            Self::HomeRoot => class == Class::HomeRoot,
            Self::Home => class == Class::Home,
            Self::Outside => class == Class::Outside,
            Self::TreeRoot => class == Class::TreeRoot,
            Self::TreeGit => class == Class::TreeGit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').skip(1).collect()
    }

    fn sub(text: &str) -> Option<&'static str> {
        let name = text.split(' ').next()?;
        let entry = registry::lookup(name)?;
        entry
            .subcommand(&words(text))
            .map(|entry| entry.name.as_str())
    }

    #[test]
    fn a_subcommand_is_found_by_its_words() {
        for (text, expected) in [
            ("git push --force", Some("push")),
            ("git -C /x --no-pager remote add o u", Some("remote add")),
            ("git remote", Some("remote")),
            ("git remote frobnicate", Some("remote")),
            ("docker container rm x", Some("container rm")),
            ("docker -H tcp://h compose up -d", Some("compose up")),
            ("gh -R a/b pr create --fill", Some("pr create")),
            ("aws --profile p s3 rm s3://b", Some("s3 rm")),
            (
                "gcloud iam service-accounts keys create k",
                Some("iam service-accounts keys create"),
            ),
            ("kubectl -n prod delete pod x", Some("delete")),
            ("kubectl --namespace=prod get pods", Some("get")),
            ("git", None),
            ("git frobnicate", None),
            ("ls push", None),
        ] {
            assert_eq!(sub(text), expected, "{text}");
        }
    }

    #[test]
    fn the_risk_depends_on_the_form() {
        let context = Context {
            cwd: Some("/home/u/p"),
            home: Some("/home/u"),
            ..Context::default()
        };
        for (text, expected) in [
            ("rm a.txt", Risk::Medium),
            ("rm -r build", Risk::Medium),
            ("rm -rf /", Risk::Critical),
            ("rm -fr /usr", Risk::Critical),
            ("rm --recursive ~", Risk::Critical),
            ("rm -r .git", Risk::High),
            ("chmod 644 a", Risk::Medium),
            ("chmod 777 a", Risk::High),
            ("chmod -R 755 /etc", Risk::Critical),
            ("dd if=a of=/dev/sda", Risk::Critical),
            ("dd if=/dev/zero of=a.img", Risk::High),
            ("kill -9 1", Risk::Critical),
            ("kill -9 4321", Risk::Medium),
            ("sed -i s/a/b/ f", Risk::Medium),
            ("sed -n p f", Risk::Low),
        ] {
            let name = text.split(' ').next().expect("a word");
            let entry = registry::lookup(name).expect("known");
            assert_eq!(entry.risk_of(&words(text), &context).0, expected, "{text}");
        }
    }

    #[test]
    fn the_options_that_are_used_are_told_from_the_others() {
        let used = |text: &str| -> Vec<String> {
            let entry = text.split(' ').next().and_then(registry::lookup);
            let (entry, args) = (entry.expect("known"), words(text));
            let found = entry.options_in(&args);
            found.map(|option| option.flag.clone()).collect()
        };
        assert_eq!(used("ls -lt /tmp"), ["-l", "-t"]);
        assert_eq!(
            used("ls --all --color=never"),
            ["-a, --all", "--color=WHEN"]
        );
        assert_eq!(used("ls l"), [""; 0]);
    }

    #[test]
    fn a_pattern_may_hold_stars() {
        for (text, pattern, expected) in [
            ("of=/dev/sda", "of=/dev/[hs]*", false),
            ("of=/dev/sda", "of=/dev/s*", true),
            ("DROP TABLE x", "*DROP*", true),
            ("drop", "*DROP*", false),
            ("777", "777", true),
            ("0777", "777", false),
            ("abab", "a*b", true),
            ("ab", "a*b*b", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
