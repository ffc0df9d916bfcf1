//! What every command gets: the surroundings, the settings, and a way to talk.

use std::sync::Once;

use wharf_localstate::Places;

use crate::cli::Global;
use crate::config::sources::Flag;
use crate::config::{self, Purpose, Settings};
use crate::error::CommandError;
use crate::ui::Ui;
use crate::wire::World;

/// Everything that a command starts from.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) world: World,
    pub(crate) places: Places,
    pub(crate) settings: Settings,
    pub(crate) ui: Ui,
    /// That a server which was named is not asked is said once, however often it is looked.
    pub(crate) ignored: Once,
}

impl Context {
    /// Reads the settings. `flags` are those of the command; the global ones are added.
    pub(crate) fn new(
        world: World,
        global: &Global,
        purpose: Purpose,
        mut flags: Vec<Flag>,
    ) -> Result<Self, CommandError> {
        let places = Places::resolve(&world.surroundings()).map_err(|error| {
            CommandError::from(error).hint("set HOME, or WHARF_HOME to an absolute path")
        })?;
        let given = [
            ("api_url", "--api-url", &global.api_url),
            ("profile", "--profile", &global.profile),
            ("token_file", "--token-file", &global.token_file),
        ];
        for (name, flag, value) in given {
            flags.extend(value.iter().map(|value| (name, flag, value.clone())));
        }
        let settings = config::read(&world, &places, purpose, &flags)?;
        let ui = Ui::new(&world, global).with_settings(&world, global, &settings);
        for stray in settings.strays() {
            ui.warn(&stray.to_string());
        }
        Ok(Self {
            world,
            places,
            settings,
            ui,
            ignored: Once::new(),
        })
    }
}
