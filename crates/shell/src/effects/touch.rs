//! Doing something to a path: which place it is, and what the rules say about that.

use serde::Deserialize;

use crate::analysis::{EffectKind, Reach, Risk};
use crate::place::{self, Class};
use crate::rules;
use crate::walk::Walker;
use crate::walk::arg::{Arg, UNKNOWN};

/// What it costs to touch a path, and what each of its bytes adds: it is resolved, classified and
/// compared with the places that matter.
const TOUCH_COST: usize = 400;
const PATH_COST: usize = 4;

/// What it costs to hold a pattern against the files that matter.
const PATTERN_COST: usize = 1_200;

/// What is done to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Touch {
    Read,
    /// Creates or overwrites.
    Write,
    /// Creates, never overwriting.
    Create,
    Append,
    Delete,
    /// Deletes with everything below.
    DeleteTree,
    /// Changes mode, owner or attributes.
    Mode,
    /// The same, with everything below.
    ModeTree,
    /// Writes a file system or a partition table.
    Format,
}

impl Touch {
    const fn effect(self) -> EffectKind {
        match self {
            Self::Read => EffectKind::Read,
            Self::Write | Self::Create | Self::Append => EffectKind::Write,
            Self::Delete | Self::DeleteTree => EffectKind::Delete,
            Self::Mode | Self::ModeTree => EffectKind::Metadata,
            Self::Format => EffectKind::Device,
        }
    }
}

impl Walker<'_> {
    /// Records that a path is touched.
    pub(crate) fn touch(&mut self, touch: Touch, arg: &Arg<'_>) {
        let path = arg.text.as_ref();
        if path.is_empty() || path == "-" {
            return;
        }
        // A path is resolved, classified and compared with the places that matter.
        let patterns = if arg.traits.glob { PATTERN_COST } else { 0 };
        let size = (self.place.cwd().len() + path.len()) * PATH_COST + self.place.longest_way() / 4;
        if !self.charge(TOUCH_COST + patterns + size, arg.span) {
            return;
        }
        let absolute = self.place.resolve(path);
        let class = self.place.class_at(&absolute, path, arg.traits.glob);
        if class == Class::SafeDevice {
            return;
        }
        let kind = touch.effect();
        if !matches!(touch, Touch::Delete | Touch::DeleteTree) {
            // Through a link that the text made itself.
            let through = self.place.follow(&absolute);
            if through != absolute {
                let target = Arg {
                    text: through.into(),
                    ..arg.clone()
                };
                return self.touch(touch, &target);
            }
        }
        if arg.traits.glob {
            self.touch_matched(touch, arg);
        }
        let reach = self.reach(touch, path, class, &absolute);
        self.found
            .effect_at(kind, Some(path), arg.span, Some(reach));
        if touch == Touch::Read {
            self.found.reads(path);
        } else {
            self.found.writes(path);
            self.found.raise(Risk::Medium);
            if self.found.elevated {
                self.found.note("privileged-effect", arg.span);
            }
        }
        self.special_files(touch, &absolute, arg, class);
        if class == Class::Network && self.found.probes && touch != Touch::Append {
            return;
        }
        if let Some(rule) = rules::for_touch(touch, class) {
            self.found.report(rule, arg.span);
        }
    }

    /// A pattern that matches what matters is as good as its name.
    fn touch_matched(&mut self, touch: Touch, arg: &Arg<'_>) {
        for path in self.place.matched(&arg.text) {
            let class = self.place.class(&path, false);
            self.special_files(touch, &path, arg, class);
            if class == Class::TreeGit
                && let Some(rule) = rules::for_touch(touch, class)
            {
                self.found.report(rule, arg.span);
            }
        }
    }

    fn reach(&self, touch: Touch, path: &str, class: Class, absolute: &str) -> Reach {
        let lost = !path.starts_with('/') && self.place.cwd().starts_with(UNKNOWN);
        Reach {
            class,
            path: if lost {
                format!("{UNKNOWN}/{path}")
            } else {
                absolute.to_owned()
            },
            below: matches!(touch, Touch::DeleteTree | Touch::ModeTree | Touch::Format),
        }
    }

    fn special_files(&mut self, touch: Touch, absolute: &str, arg: &Arg<'_>, class: Class) {
        match touch {
            Touch::Read => {
                if place::holds_credentials(absolute) {
                    self.found.credentials_read = true;
                    self.found.note("reads-credentials", arg.span);
                }
            }
            Touch::Write | Touch::Append | Touch::Create => {
                if place::runs_later(absolute) {
                    self.found.note("runs-later", arg.span);
                }
                if place::keeps_traces(absolute) {
                    self.found.note("hides-traces", arg.span);
                }
                if touch == Touch::Write && class == Class::Disk {
                    let reach = self.reach(touch, &arg.text, class, absolute);
                    self.found.effect_at(
                        EffectKind::Device,
                        Some(&arg.text),
                        arg.span,
                        Some(reach),
                    );
                }
            }
            Touch::Delete | Touch::DeleteTree => {
                if place::keeps_traces(absolute) {
                    self.found.note("hides-traces", arg.span);
                }
            }
            Touch::Mode | Touch::ModeTree => {
                if place::runs_later(absolute) {
                    self.found.note("runs-later", arg.span);
                }
            }
            Touch::Format => {}
        }
    }

    /// Records that a file on another machine is written, `host:path`, where that is one of its
    /// system's files or one that runs later. Where else a person keeps files is for them to say.
    pub(crate) fn touch_elsewhere(&mut self, arg: &Arg<'_>) {
        let Some((_, path)) = arg.text.split_once(':') else {
            return;
        };
        let absolute = match path.strip_prefix("~/") {
            Some(rest) => format!("/root/{rest}"),
            None if path.starts_with('/') => path.to_owned(),
            None => format!("/root/{path}"),
        };
        if place::runs_later(&absolute) {
            self.found.note("runs-later", arg.span);
        }
        let system = [
            "etc", "usr", "bin", "sbin", "lib", "boot", "dev", "proc", "sys",
        ];
        let top = absolute.split('/').nth(1).unwrap_or_default();
        if system.contains(&top) {
            self.found.note("write-system", arg.span);
        }
    }

    /// Whether the path is known to lie in the tree, or in a place for temporary files.
    pub(crate) fn is_ordinary(&self, arg: &Arg<'_>) -> bool {
        !arg.text.starts_with(UNKNOWN)
            && matches!(
                self.place.class(&arg.text, arg.traits.glob),
                Class::Tree | Class::TreeRoot | Class::Tmp | Class::TreeGit
            )
    }
}
